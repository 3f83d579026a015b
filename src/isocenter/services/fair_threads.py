"""A few threads that the peers' tasks share: one peer after the other, and none has all of them.

Whoever asks for the most work waits the longest for it; somebody who asks for a little is served
next, whatever others have waiting.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

log = structlog.get_logger(__name__)

Task = Callable[[], None]


class FairThreads:
    """Runs tasks on `count` threads of an executor. May be used from any thread."""

    def __init__(self, threads: Executor, count: int) -> None:
        self._threads = threads
        self._count = count
        self._most = max(1, count - 1)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[Task]] = OrderedDict()  # by host; whose turn is next
        self._running: Counter[str] = Counter()

    def submit(self, host: str, task: Task) -> None:
        """Run a task for a host. Raises RuntimeError when the threads have been shut down."""
        with self._lock:
            if not self._may_run(host):
                self._waiting.setdefault(host, deque()).append(task)
                return
            self._running[host] += 1
        try:
            self._threads.submit(self._work, host, task)
        except RuntimeError:
            self._left(host)
            raise

    def _may_run(self, host: str) -> bool:
        return self._running.total() < self._count and self._running[host] < self._most

    def _work(self, host: str, task: Task) -> None:
        """Run a task, and then what has been waiting for a thread."""
        chosen: tuple[str, Task] | None = host, task
        while chosen is not None:
            host, task = chosen
            try:
                task()
            except Exception:
                log.exception("a peer's task failed")
            chosen = self._left(host)

    def _left(self, host: str) -> tuple[str, Task] | None:
        """A task of a host has ended; return the next one, counted as running."""
        with self._lock:
            self._running[host] -= 1
            if not self._running[host]:
                del self._running[host]
            for waiting in self._waiting:
                if self._may_run(waiting):
                    return waiting, self._take(waiting)
        return None

    def _take(self, host: str) -> Task:
        tasks = self._waiting[host]
        task = tasks.popleft()
        if tasks:
            self._waiting.move_to_end(host)
        else:
            del self._waiting[host]
        self._running[host] += 1
        return task
