"""C-STORE sub-operations of a retrieve: which instance goes where, how many went, what failed.

Reading happens on threads, always one piece ahead of what is being sent, so that disk and network
work at the same time; nobody waits for the other longer than the slower one takes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, Protocol

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse.status import Category, Service, describe
from isocenter.errors import IsocenterError
from isocenter.services.store_contexts import Instance

PIECE = 1024 * 1024
"""Bytes read at a time; an object's pieces but the last have this (even) size."""

REFUSED_TOGETHER = 500
"""Instances that cannot be sent are passed on in groups of up to this many."""

FAILED_LIST_BYTES = 65534
"""What an explicit VR UI element can hold (PS3.5 7.1.2): some thousand failed instances."""

MAXIMUM_COUNT = 0xFFFF
"""The counters of a response are unsigned shorts; a larger number is told as this one."""


class Converted(Protocol):
    """An instance's data set in another transfer syntax than it is stored in."""

    @property
    def dataset_length(self) -> int: ...

    def read(self, start: int, size: int) -> bytes:
        """Return a part of it. Raises OSError."""

    def close(self) -> None:
        """Let go of it."""


class Selected(Protocol):
    """The instances of one retrieve, in the order in which they are best read."""

    @property
    def kinds(self) -> Sequence[tuple[str, str]]:
        """The pairs of SOP class and transfer syntax that occur."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Instance]: ...

    def read(self, instance: Instance, start: int, size: int) -> bytes:
        """Return a part of a data set. Raises OSError and IsocenterError."""

    def convert(self, instance: Instance, transfer_syntax_uid: str) -> Converted:
        """Return a data set in another transfer syntax. Raises OSError and IsocenterError."""

    def close(self) -> None:
        """Let go of what was opened for reading."""


class Piece(NamedTuple):
    """Bytes of a data set, in their order; `start` is 0 with the first of an instance."""

    instance: Instance
    start: int
    data: bytes
    is_last: bool


class Unsent(NamedTuple):
    """Instances that cannot be sent; behind a piece, the one that ended half-way."""

    uids: list[str]
    why: str


def read_pieces(
    selected: Selected,
    objection: Callable[[Instance], str],
    conversion_for: Callable[[Instance], str],
) -> Iterator[Piece | Unsent]:
    """What is to be sent, in order; instances that cannot be are named in between.

    `conversion_for` names the transfer syntax to convert an instance to, if any.
    """
    unsent = Unsent([], "")
    for instance in selected:
        why = objection(instance)
        if unsent.uids and (why != unsent.why or len(unsent.uids) == REFUSED_TOGETHER):
            yield unsent
            unsent = Unsent([], "")
        if why:
            unsent = unsent if unsent.uids else Unsent([], why)
            unsent.uids.append(instance.sop_instance_uid)
        elif syntax := conversion_for(instance):
            yield from _converted_pieces(selected, instance, syntax, objection)
        else:
            read, length = partial(selected.read, instance), instance.dataset_length
            yield from _pieces_of(instance, length, read, objection)
    if unsent.uids:
        yield unsent


def _converted_pieces(
    selected: Selected, instance: Instance, syntax: str, objection: Callable[[Instance], str]
) -> Iterator[Piece | Unsent]:
    try:
        converted = selected.convert(instance, syntax)
    except (OSError, IsocenterError) as error:
        yield Unsent([instance.sop_instance_uid], f"Not convertible: {_reason(error)}")
        return
    with closing(converted):
        yield from _pieces_of(instance, converted.dataset_length, converted.read, objection)


def _pieces_of(
    instance: Instance,
    length: int,
    read: Callable[[int, int], bytes],
    objection: Callable[[Instance], str],
) -> Iterator[Piece | Unsent]:
    start = 0
    while not (start and objection(instance)):  # the way may be lost in the middle
        size = min(PIECE, length - start)
        try:
            data = read(start, size)
        except (OSError, IsocenterError) as error:
            yield Unsent([instance.sop_instance_uid], f"Not readable: {_reason(error)}")
            return
        is_last = start + size == length
        if is_last and length % 2 and transfer_syntax(instance.transfer_syntax_uid).deflated:
            data += b"\0"  # PS3.5 A.5; DCMTK aborts the association over an odd length
        yield Piece(instance, start, data, is_last)
        if is_last:
            return
        start += size


def _reason(error: OSError | IsocenterError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


class Ahead:
    """Takes items from an iterator on a thread, one ahead of what is asked for."""

    def __init__(self, items: Iterator[Piece | Unsent], threads: Executor) -> None:
        self._items = items
        self._threads = threads
        self._lock = threading.Lock()  # whoever closes waits for an item under way
        self._next = self._start()

    async def take(self) -> Piece | Unsent | None:
        """The next item, None behind the last. Raises what the iterator raises."""
        item = await self._next
        if item is not None:
            self._next = self._start()
        return item

    def close(self, finally_: Callable[[], None]) -> None:
        """Stop, then call `finally_`, both on a thread."""
        if not self._next.cancel():
            self._next.exception()  # nobody else will look at it
        with suppress(RuntimeError):  # at the node's stop nothing is left to be closed for
            self._threads.submit(self._close, finally_)

    def _start(self) -> asyncio.Future[Piece | Unsent | None]:
        return asyncio.get_running_loop().run_in_executor(self._threads, self._take)

    def _take(self) -> Piece | Unsent | None:
        with self._lock:
            return next(self._items, None)

    def _close(self, finally_: Callable[[], None]) -> None:
        with self._lock:
            self._items = iter(())
            finally_()


@dataclass(slots=True)
class SubOperations:
    """The counters of PS3.4 C.4.2.1.6, and the instances that failed, as many as a list holds."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    reason: str = ""
    failed_uids: list[str] = field(default_factory=list)
    _room: int = FAILED_LIST_BYTES

    def judge(self, uid: str, code: int, comment: str) -> None:
        """Count a sub-operation that was answered with the status `code`."""
        status = describe(code, Service.STORAGE)
        if status.category is Category.SUCCESS:
            self.remaining -= 1
            self.completed += 1
        elif status.category is Category.WARNING:
            self.remaining -= 1
            self.warning += 1
        else:
            self.fail([uid], f"{status}: {comment}" if comment else str(status))

    def fail(self, uids: Sequence[str], why: str) -> None:
        """Count instances that were not stored; the first reason is kept."""
        self.remaining -= len(uids)
        self.failed += len(uids)
        self.reason = self.reason or why
        for uid in uids:
            if len(uid) >= self._room:
                self._room = 0
                return
            self._room -= len(uid) + 1
            self.failed_uids.append(uid)

    def lose(self) -> None:
        """Whatever is left has vanished from the archive meanwhile."""
        if self.remaining > 0:
            self.fail([], "Removed from the archive before it was sent")
            self.failed += self.remaining
            self.remaining = 0

    def counters(self, *, with_remaining: bool) -> dict[str, int]:
        """The elements of a response; remaining ones only where PS3.7 9.1.4.1.7 wants them."""
        counts = {
            "number_of_completed_suboperations": self.completed,
            "number_of_failed_suboperations": self.failed,
            "number_of_warning_suboperations": self.warning,
        }
        if with_remaining:
            counts["number_of_remaining_suboperations"] = self.remaining
        return {name: min(count, MAXIMUM_COUNT) for name, count in counts.items()}
