"""`audit.overflow`: audit messages that the database does not take, until it does again.

A line is a message as JSON. Any process of the node appends, and takes them back, under a lock.
What is taken back while the node is killed may be in the trail twice; it is never in neither.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from isocenter.security.audit.chain import Draft, Subject
from isocenter.security.audit.database import OWNER_ONLY

LARGEST = 256 * 1024 * 1024
"""Bytes of the file beyond which it takes no more."""

TAKEN_TOGETHER = 500


class OverflowFull(OSError):
    """The file is as large as it may be."""


class Overflow:
    """The file at `path`. Every method raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, drafts: Sequence[Draft]) -> None:
        """Append messages, durably."""
        lines = "".join(_line(one) for one in drafts).encode("ascii")
        with self._locked(os.O_CREAT) as fd:
            size = os.lseek(fd, 0, os.SEEK_END)
            if size + len(lines) > LARGEST:
                raise OverflowFull(f"{self._path.name} is full")
            try:
                _write(fd, lines)
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, size)  # half a line would spoil the next one
                raise

    def take_back(self, keep: Callable[[list[Draft]], object]) -> int:
        """Give all messages to `keep`, then forget them; return how many there were.

        What `keep` raises leaves the file as it was.
        """
        count = 0
        try:
            with self._locked(0) as fd, os.fdopen(os.dup(fd), "rb") as lines:
                drafts = _drafts(lines)
                while some := list(islice(drafts, TAKEN_TOGETHER)):
                    keep(some)
                    count += len(some)
                os.ftruncate(fd, 0)
        except FileNotFoundError:
            return 0
        return count

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to take back."""
        try:
            return self._path.stat().st_size == 0
        except FileNotFoundError:
            return True

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | flags, OWNER_ONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _line(one: Draft) -> str:
    form = one._replace(xml=base64.b64encode(one.xml).decode("ascii"))  # type: ignore[arg-type]
    return json.dumps(form) + "\n"


def _drafts(lines: Iterator[bytes]) -> Iterator[Draft]:
    """The messages; a line that a power cut left half is passed over."""
    for line in lines:
        try:
            moment, event, event_type, outcome, subjects, xml = json.loads(line)
            about = tuple(Subject(*one) for one in subjects)
            content = base64.b64decode(xml, validate=True)
            yield Draft(moment, event, event_type, outcome, about, content)
        except (ValueError, TypeError):
            continue
