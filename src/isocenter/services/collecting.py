"""Data sets that are collected whole before they are read: identifiers, attributes, lists.

Each has a limit of its own, and all of a process share one. When that is used up, whoever has more
than an equal part of it gets no more; who asks for little is never refused for what others hold.
"""

from __future__ import annotations

import threading
from collections import Counter

SHARED_BYTES = 256 * 1024 * 1024
"""Bytes of collected data sets that a process holds for all its peers."""


class Budget:
    """What is collected for each host. May be used from any thread."""

    def __init__(self, limit: int = SHARED_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def take(self, host: str, count: int) -> bool:
        """Use so many bytes more for a host; say whether they may be used."""
        with self._lock:
            held = self._held[host] + count
            if self._held.total() + count > self._limit and held * len(self._held) > self._limit:
                self._forget(host)
                return False
            self._held[host] = held
            return True

    def give_back(self, host: str, count: int) -> None:
        """Bytes are no longer used."""
        with self._lock:
            self._held[host] -= count
            self._forget(host)

    def _forget(self, host: str) -> None:
        if not self._held[host]:
            del self._held[host]


SHARED = Budget()
"""The budget of this process."""


class Collected:
    """A data set as it comes in for a host, up to `limit` bytes."""

    def __init__(self, host: str, limit: int, budget: Budget = SHARED) -> None:
        self._host = host
        self._limit = limit
        self._budget = budget
        self._kept = [bytearray()]  # until it is taken, which two threads may want to
        self.refused = False
        """Whether it has become too large, or there is no room for it."""
        self.length = 0
        """Bytes that have come, kept or not."""

    def add(self, fragment: memoryview) -> None:
        """Keep the next bytes; once there is no room, keep nothing."""
        count = len(fragment)
        self.length += count
        if self.refused:
            return
        if self.length > self._limit or not self._budget.take(self._host, count):
            self.refused = True
            self.take()
        else:
            self._kept[0] += fragment

    def head(self, count: int) -> bytes:
        """The first bytes of what is kept."""
        return bytes(self._kept[0][:count]) if self._kept else b""

    def take(self) -> bytes:
        """What was kept, which is kept no longer: nothing the second time."""
        try:
            data = bytes(self._kept.pop())
        except IndexError:
            return b""
        self._budget.give_back(self._host, len(data))
        return data
