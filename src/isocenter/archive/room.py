"""Whether the disk has room: checked before a store begins, so that the index can still write."""

import os
import time
from pathlib import Path

RESERVE = 64 * 1024 * 1024
CHECK_SECONDS = 0.02
"""In a second, fast senders write more than the reserve."""


class Room:
    """Remembers for a moment whether more than `reserve` bytes are free below `folder`."""

    def __init__(self, folder: Path, reserve: int = RESERVE) -> None:
        self._folder = folder
        self._reserve = reserve
        self._checked_at = float("-inf")
        self._enough = True

    def is_left(self, now: float | None = None) -> bool:
        """Whether a new instance may be begun."""
        now = time.monotonic() if now is None else now
        if now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            space = os.statvfs(self._folder)
            self._enough = space.f_bavail * space.f_frsize > self._reserve
        return self._enough
