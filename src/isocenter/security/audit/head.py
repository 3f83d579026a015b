"""`audit.head`: the number and hash of the last message, noted beside the database.

A chain alone does not show that its end was cut off. The note is written in place, in one piece
of fixed length, so that a power cut leaves the old or the new one; its lock is held around each
transaction of the trail, so that several processes write it in the order of their messages.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from isocenter.security.audit.chain import BEGINNING
from isocenter.security.audit.database import OWNER_ONLY

_NOTE = re.compile(rb"isocenter-audit-head ([0-9]{20}) ([0-9a-f]{64})\n")


class Head(NamedTuple):
    """The last message: its number, 0 before the first, and its hash."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `NUMBER:HASH`. Raises ValueError."""
        number, _, digest = text.partition(":")
        value = bytes.fromhex(digest)
        if len(value) != len(BEGINNING):
            raise ValueError("a head is NUMBER:HASH, with 64 hexadecimal digits")
        return cls(int(number), value)


NOTHING_YET = Head(0, BEGINNING)


class HeadFile:
    """The note at `path`; its methods are for whoever holds the lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    @contextmanager
    def locked(self) -> Iterator[Self]:
        """Hold the lock, making the file where there is none. Raises OSError."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            yield self
        finally:
            os.close(self._fd)
            self._fd = -1

    def read(self) -> Head | None:
        """What is noted; None where nothing is, or nothing that can be understood."""
        return _understood(os.pread(self._fd, 4096, 0))

    def write(self, head: Head) -> None:
        """Note it. Raises OSError."""
        note = f"isocenter-audit-head {head.number:020d} {head.hash.hex()}\n".encode("ascii")
        os.pwrite(self._fd, note, 0)
        if os.fstat(self._fd).st_size != len(note):
            os.ftruncate(self._fd, len(note))


def read_head(path: Path) -> Head | None:
    """What is noted at `path`, without a lock; None where nothing is. Raises OSError."""
    try:
        return _understood(path.read_bytes())
    except FileNotFoundError:
        return None


def _understood(note: bytes) -> Head | None:
    match = _NOTE.fullmatch(note)
    return None if match is None else Head(int(match[1]), bytes.fromhex(match[2].decode()))
