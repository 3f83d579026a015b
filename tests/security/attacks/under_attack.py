"""What every attack has in common: honest peers are served meanwhile, and nothing of it stays.

`attack` names the class of the project's threat list (`docs/security.md`) that a test tries for
real; `under_attack` is around it, whether a test says so or takes the shared `node`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Self

import psutil
import pytest

from tests.server.support import ECHO, Peer
from tests.server.support_nodes import PATIENCE, connections, memory, open_files, processes
from tests.support.node import Node

MIB = 1 << 20

attack = pytest.mark.attack
"""`@attack(6, "PDU length lies")`: the class's number, and its name for the reader."""

HONEST = "127.0.0.2"
"""Where the honest peer calls from; attackers use other addresses."""

MEMORY_SLACK = 24 * MIB
"""What allocators, caches and thread pools may keep of one attack."""

FILE_SLACK = 12
"""Descriptors that they may keep: of packs of a new study, of a database for each new thread."""

MOST_THREADS = 80
"""All pools of a process at their full size, and some to spare."""


@dataclass(frozen=True)
class Footprint:
    """What a node takes, all its processes together."""

    memory: int
    files: int
    connections: int

    @classmethod
    def of(cls, node: Node) -> Self:
        return cls(memory(node), open_files(node), connections(node))


class Honest(threading.Thread):
    """A peer that echoes all the time: on an association of its own, and on a new one each time."""

    def __init__(self, port: int) -> None:
        super().__init__(name="honest", daemon=True)
        self._port = port
        self._end = threading.Event()
        self._answered = threading.Condition()
        self.rounds = 0
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            with Peer.associated(self._port, ECHO, source=HONEST) as old:
                while not self._end.is_set():
                    assert old.echo() == 0
                    with Peer.associated(self._port, ECHO, source=HONEST) as new:
                        assert new.echo() == 0
                        assert new.released()
                    with self._answered:
                        self.rounds += 1
                        self._answered.notify_all()
                    self._end.wait(0.02)  # lest the honest one becomes a flood
                assert old.released()
        except BaseException as trouble:
            with self._answered:
                self.trouble = trouble
                self._answered.notify_all()

    def answered(self) -> None:
        """Waits for a whole round that began after now; it must come."""
        with self._answered:
            wanted = self.rounds + 2  # the next to end may have begun before
            self._answered.wait_for(lambda: self.trouble or self.rounds >= wanted, 3 * PATIENCE)
            if self.trouble is not None:
                raise AssertionError("an honest C-ECHO was not answered") from self.trouble
            assert self.rounds >= wanted, "an honest C-ECHO was not answered in time"

    def end(self) -> None:
        self._end.set()
        self.join(3 * PATIENCE)


@contextmanager
def under_attack(
    node: Node, *, memory_slack: int = MEMORY_SLACK, file_slack: int = FILE_SLACK
) -> Iterator[Honest]:
    """Around an attack: C-ECHO is answered all the time, and afterwards the node is as before.

    Its connections are gone, its memory and its file descriptors are back, give or take the slack.
    """
    before = Footprint.of(node)
    honest = Honest(node.port)
    honest.start()
    try:
        yield honest
        honest.answered()
    finally:
        honest.end()
    _recovers(
        node,
        Footprint(before.memory + memory_slack, before.files + file_slack, before.connections),
    )


def _recovers(node: Node, most: Footprint) -> None:
    """Waits until the node takes no more than `most`; it must come to that."""
    end = time.monotonic() + PATIENCE
    while True:
        assert node.process.poll() is None, "the node is gone"
        with suppress(psutil.NoSuchProcess):  # a converting process that has just ended
            now = Footprint.of(node)
            threads = max(process.num_threads() for process in processes(node))
            if (
                now.memory <= most.memory
                and now.files <= most.files
                and now.connections <= most.connections
                and threads <= MOST_THREADS
            ):
                return
            assert time.monotonic() < end, f"{now}, {threads} threads; at most it should be {most}"
        time.sleep(0.02)  # only the pause between two looks
