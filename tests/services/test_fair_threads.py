"""Threads that peers share: whose turn it is, and how many one of them may have."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from isocenter.services.fair_threads import FairThreads

PATIENCE = 20.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as threads:
        yield threads


class Gate:
    """Tasks that wait until they are let go, and remember that they ran."""

    def __init__(self, threads: FairThreads) -> None:
        self._threads = threads
        self._open = threading.Event()
        self._changed = threading.Condition()
        self.begun: list[str] = []

    def submit(self, host: str, count: int = 1) -> None:
        for _ in range(count):
            self._threads.submit(host, lambda: self._wait(host))

    def _wait(self, host: str) -> None:
        with self._changed:
            self.begun.append(host)
            self._changed.notify_all()
        assert self._open.wait(PATIENCE)

    def wait_for(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.begun) >= count, PATIENCE)
            return list(self.begun)

    def let_go(self) -> None:
        self._open.set()


def test_one_host_leaves_a_thread_for_others(pool: ThreadPoolExecutor):
    gate = Gate(FairThreads(pool, 3))
    gate.submit("a", 10)
    assert gate.wait_for(2) == ["a", "a"]
    gate.submit("b")
    assert gate.wait_for(3) == ["a", "a", "b"]
    gate.let_go()
    assert len(gate.wait_for(11)) == 11


def test_who_asks_for_little_is_not_behind_who_asks_for_much(pool: ThreadPoolExecutor):
    """With one thread the order can be seen."""
    threads = FairThreads(pool, 1)
    held, gate, order, done = (threading.Event() for _ in range(2)), threading.Event(), [], None
    started, done = held
    threads.submit("x", lambda: (started.set(), gate.wait(PATIENCE)))  # type: ignore[arg-type,return-value]
    assert started.wait(PATIENCE)
    for number in range(4):
        threads.submit("a", lambda number=number: order.append(f"a{number}"))  # type: ignore[misc]
    threads.submit("b", lambda: order.append("b0"))
    threads.submit("c", lambda: order.append("c0"))
    threads.submit("a", done.set)
    gate.set()
    assert done.wait(PATIENCE)
    assert order == ["a0", "b0", "c0", "a1", "a2", "a3"]


def test_a_task_that_fails_costs_no_thread(pool: ThreadPoolExecutor):
    threads = FairThreads(pool, 1)
    done = threading.Event()

    def fail() -> None:
        raise ValueError

    for _ in range(5):
        threads.submit("a", fail)
    threads.submit("a", done.set)
    assert done.wait(PATIENCE)


def test_after_the_end_nothing_is_taken():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    threads = FairThreads(pool, 1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            threads.submit("a", lambda: None)
