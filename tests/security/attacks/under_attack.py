"""What every attack has in common: honest peers are served meanwhile, and nothing of it stays.

`attack` names the class of the project's threat list (`docs/security.md`) that a test tries for
real; `under_attack` is around it, whether a test says so or takes the shared `node`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from tests.server.support import ECHO, Peer
from tests.server.support_nodes import PATIENCE, processes
from tests.support.node import Node

MIB = 1 << 20

attack = pytest.mark.attack
"""`@attack(6, "PDU length lies")`: the class's number, and its name for the reader."""

HONEST = "127.0.0.2"
"""Where the honest peer calls from; attackers use other addresses."""

MEMORY_SLACK = 24 * MIB
"""What allocators, caches and thread pools may keep of one attack."""

FILE_SLACK = 24
"""Descriptors that they may keep: of packs of a new study, of a database for each new thread."""

SOCKET_SLACK = 2
"""To converting processes that have been started: connections with peers must all be gone."""

MOST_THREADS = 80
"""All pools of a process at their full size, and some to spare."""


@dataclass(frozen=True)
class Footprint:
    """What a node takes, all its processes together."""

    memory: int
    files: int
    sockets: int
    threads: int

    @classmethod
    def of(cls, node: Node) -> Self:
        """Looked up with little effort: it is done twice for each attack, and while one waits."""
        serving = processes(node)
        files = [file for process in serving for file in _descriptors(process.pid)]
        return cls(
            sum(process.memory_info().rss for process in serving),
            len(files),
            sum(file.startswith("socket:") for file in files),
            max(process.num_threads() for process in serving),
        )

    def with_slack(self, memory: int, files: int) -> "Footprint":
        """What may be left of an attack that came upon this."""
        return Footprint(
            self.memory + memory, self.files + files, self.sockets + SOCKET_SLACK, MOST_THREADS
        )

    def __le__(self, most: "Footprint") -> bool:
        return (
            self.memory <= most.memory
            and self.files <= most.files
            and self.sockets <= most.sockets
            and self.threads <= most.threads
        )


def _descriptors(pid: int) -> list[str]:
    """What each file descriptor of a process is."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed since
            found.append(str(entry.readlink()))
    return found


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
    _recovers(node, before.with_slack(memory_slack, file_slack))


def _recovers(node: Node, most: Footprint) -> None:
    """Waits until the node takes no more than `most`; it must come to that."""
    end = time.monotonic() + PATIENCE
    while True:
        assert node.process.poll() is None, "the node is gone"
        now = Footprint.of(node)
        if now <= most:
            return
        assert time.monotonic() < end, f"{now}; at most it should be {most}"
        time.sleep(0.02)  # only the pause between two looks
