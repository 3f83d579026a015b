"""Senders that remember what was acknowledged while the node under them is killed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

import psutil

from isocenter.dimse.status import OUT_OF_RESOURCES
from tests.server.support import ECHO, STORE, Peer
from tests.server.support_instances import Instance, instance
from tests.server.support_nodes import (
    assert_all_there,
    eventually,
    log_lines,
    processes,
    wait_until_all_serve,
    worker_of,
    workers,
)
from tests.support.node import Node, isocenter_json
from tests.support.processes import free_port

DEATH = "a worker died and is replaced"
SIZES = (200, 2000, 30_000, 30_000, 300_000, 700_000)


class Sender(threading.Thread):
    """Streams instances over one association at a time until told to stop.

    An instance that was not acknowledged is sent again, as every store-and-forward sender does.
    """

    def __init__(self, name: str, port: Callable[[], int]) -> None:
        super().__init__(daemon=True)
        self.acknowledged: list[Instance] = []
        self.broken = 0
        self.wrong: list[str] = []
        self._prefix = name
        self._port = port
        self._random = Random(name)
        self._stop_sending = threading.Event()
        self._number = 0

    def run(self) -> None:
        one = self._make()
        while not self._stop_sending.is_set():
            try:
                with Peer.associated(self._port(), STORE, ECHO) as peer:
                    while not self._stop_sending.is_set():
                        response = peer.store(one)
                        if response.status == OUT_OF_RESOURCES:
                            # What a worker says whose supervisor was killed a moment before it.
                            time.sleep(0.02)  # only the pause between two tries
                            continue
                        if response.status != 0:
                            self.wrong.append(f"{one.uid}: {response.status:04X}")
                        else:
                            self.acknowledged.append(one)
                        one = self._make()
                    peer.released()
            except (OSError, AssertionError):  # the node was killed
                self.broken += 1
                time.sleep(0.02)  # only the pause between two tries

    def stop(self) -> None:
        self._stop_sending.set()
        self.join()

    def _make(self) -> Instance:
        self._number += 1
        study = f"1.2.3.{self._random.randint(1, 3)}"
        return instance(
            f"{self._prefix}.{self._number}", study=study, pixels=self._random.choice(SIZES)
        )


def kill_everything(node: Node) -> None:
    """The whole node is gone at once, as after a power cut, but for what the kernel holds."""
    everyone = processes(node)
    for process in everyone:
        process.kill()
    node.kill()
    psutil.wait_procs(everyone, 10)


@contextmanager
def sending(seed: int, count: int, port: Callable[[], int]) -> Iterator[list[Sender]]:
    """Senders at work; stopped when the block ends."""
    senders = [Sender(f"1.2.3.{seed}.{number}", port) for number in range(count)]
    for sender in senders:
        sender.start()
    try:
        yield senders
    finally:
        for sender in senders:
            sender.stop()


def total(senders: list[Sender]) -> int:
    """How many instances have been acknowledged."""
    return sum(len(sender.acknowledged) for sender in senders)


def wait_for_more(senders: list[Sender], count: int) -> None:
    """Returns when `count` more instances have been acknowledged."""
    goal = total(senders) + count
    eventually(lambda: total(senders) >= goal)


def wait_for_everyone(senders: list[Sender]) -> None:
    """Returns when each sender has had another instance acknowledged."""
    before = [len(sender.acknowledged) for sender in senders]
    eventually(lambda: all(len(s.acknowledged) > n for s, n in zip(senders, before, strict=True)))


def check_senders(data: Path, senders: list[Sender]) -> None:
    """Nothing was refused for good, and everything that was acknowledged is there."""
    wrong = [answer for sender in senders for answer in sender.wrong]
    assert not wrong, wrong
    assert_all_there(data, [one for sender in senders for one in sender.acknowledged])
    assert isocenter_json("verify", "--data", str(data))["problems"] == []


def kill_loop(data: Path, rounds: int, *options: str, seed: int) -> None:
    """Kills `rounds` times at random moments while three senders store; nothing may be lost."""
    random = Random(seed)
    port = free_port()
    with sending(seed, 3, lambda: port) as senders:
        for _ in range(rounds):
            with Node(data, *options) as node:
                port = node.port
                wait_for_more(senders, random.randint(1, 60))
                time.sleep(random.random() * 0.05)  # the moment of the crash is the random thing
                kill_everything(node)
        with Node(data, *options) as node:
            port = node.port
            wait_for_everyone(senders)
            for sender in senders:
                sender.stop()
    check_senders(data, senders)


def worker_kill_loop(data: Path, rounds: int, *options: str, seed: int) -> None:
    """Kills one of two workers again and again; the other's associations never notice."""
    random = Random(seed)
    with Node(data, "--workers", "2", *options) as node:
        wait_until_all_serve(node, 2)
        with sending(seed, 4, lambda: node.port) as senders:
            for _ in range(rounds):
                wait_for_everyone(senders)
                wait_for_more(senders, random.randint(1, 60))
                with ExitStack() as stack:
                    bystanders = [
                        stack.enter_context(Peer.associated(node.port, ECHO)) for _ in range(8)
                    ]
                    deaths = len(log_lines(node, DEATH))
                    random.choice(workers(node)).kill()
                    eventually(lambda n=deaths: len(log_lines(node, DEATH)) > n)
                    victim = int(log_lines(node, DEATH)[-1].partition("worker=")[2].split()[0])
                    untouched = [p for p in bystanders if worker_of(node, p.name) != victim]
                    assert untouched
                    assert [peer.echo() for peer in untouched] == [0] * len(untouched)
                wait_for_everyone(senders)
                wait_until_all_serve(node, 2)
        assert node.stop(trouble_expected=True) == 0
        assert len(log_lines(node, DEATH)) == rounds
    check_senders(data, senders)
