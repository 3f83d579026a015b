"""What a node holds while it works, sampled from outside: memory, file descriptors, threads."""

import threading
import time
from collections.abc import Iterator
from statistics import median
from types import TracebackType
from typing import NamedTuple, Self

import psutil


class Sample(NamedTuple):
    """Of a process and its children: seconds since the start, bytes resident, and counts."""

    at: float
    memory: int
    descriptors: int
    threads: int


class Watch:
    """Samples a process tree every `interval` seconds, from a thread of its own."""

    def __init__(self, pid: int, interval: float = 1.0) -> None:
        self.samples: list[Sample] = []
        self._process = psutil.Process(pid)
        self._interval = interval
        self._begun = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def sample(self) -> Sample:
        """What the node holds now."""
        memory = descriptors = threads = 0
        for process in (self._process, *self._process.children(recursive=True)):
            with process.oneshot():
                memory += process.memory_info().rss
                descriptors += process.num_fds()
                threads += process.num_threads()
        return Sample(time.monotonic() - self._begun, memory, descriptors, threads)

    def settled(self, quiet: float = 1.0) -> Sample:
        """What it holds once it has given nothing back for `quiet` seconds."""
        least = self.sample()
        since = time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(0.2)  # only the pause between two looks
            now = self.sample()
            if now.descriptors < least.descriptors or now.threads < least.threads:
                least, since = now, time.monotonic()
        return self.sample()

    def memory_by_minute(self) -> list[int]:
        """The median of each minute, in bytes."""
        return [round(median(each)) for each in self._minutes()]

    def _minutes(self) -> Iterator[list[int]]:
        minute = 0
        while values := [s.memory for s in self.samples if minute <= s.at / 60 < minute + 1]:
            yield values
            minute += 1

    def _run(self) -> None:
        while not self._done.wait(self._interval):
            self.samples.append(self.sample())
