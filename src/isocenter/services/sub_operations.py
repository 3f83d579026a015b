"""C-STORE sub-operations of a retrieve: which instance goes where, how many went, what failed.

What is to be sent is read one piece ahead, so that disk and network work at the same time: on the
loop where it lies in memory already, which costs less than a thread's turn; else on a thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dimse.status import Category, Service, describe
from isocenter.errors import IsocenterError
from isocenter.services.accounts import StudyCount
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


class PieceReader(Protocol):
    """Reads data sets, for one thread at a time."""

    def read(self, instance: Instance, start: int, size: int) -> bytes:
        """Return a part of a data set. Raises OSError and IsocenterError."""

    def read_at_once(self, instance: Instance, start: int, size: int) -> memoryview | None:
        """The same, or None where a disk would have to be waited for.

        What it returns stays as it is until the call after the next.
        """


class Reader(PieceReader, Protocol):
    """Reads data sets as they are stored, or in another transfer syntax."""

    def convert(self, instance: Instance, transfer_syntax_uid: str) -> Converted:
        """Return a data set in another transfer syntax. Raises OSError and IsocenterError."""

    def close(self) -> None:
        """Let go of what was opened for reading."""


class Selected(Protocol):
    """The instances of one retrieve, in the order in which they are best read."""

    @property
    def kinds(self) -> Sequence[tuple[str, str]]:
        """The pairs of SOP class and transfer syntax that occur."""

    @property
    def studies(self) -> Sequence[StudyCount]:
        """What is selected of each study."""

    def __len__(self) -> int: ...

    def batches(self) -> Iterator[Sequence[Instance]]:
        """Some at a time, as the index is asked for them. Raises IsocenterError."""

    def reader(self) -> Reader:
        """A reader of their data sets."""


class Source(Reader, Protocol):
    """Where `read_pieces` takes instances from."""

    def at_hand(self) -> Instance | None:
        """The next instance, if none need be waited for."""

    def draw(self) -> Instance | None:
        """The next instance; None if there is none for now. May wait for the index."""


class Piece(NamedTuple):
    """Bytes of a data set, in their order; `start` is 0 with the first of an instance."""

    instance: Instance
    start: int
    data: bytes | memoryview
    is_last: bool


class Unsent(NamedTuple):
    """Instances that cannot be sent; behind a piece, the one that ended half-way."""

    uids: list[str]
    why: str


class Blocks:
    """What `read_pieces` yields where its next step may take long: take that one on a thread."""


BLOCKS = Blocks()


def read_pieces(
    source: Source,
    objection: Callable[[Instance], str],
    conversion_for: Callable[[Instance], str],
) -> Iterator[Piece | Unsent | Blocks]:
    """What is to be sent, in order; instances that cannot be are named in between.

    `conversion_for` names the transfer syntax to convert an instance to, if any.
    """
    unsent = Unsent([], "")
    while True:
        instance = source.at_hand()
        if instance is None:
            yield BLOCKS
            instance = source.draw()
        if instance is None:
            break
        why = objection(instance)
        if unsent.uids and (why != unsent.why or len(unsent.uids) == REFUSED_TOGETHER):
            yield unsent
            unsent = Unsent([], "")
        if why:
            unsent = unsent if unsent.uids else Unsent([], why)
            unsent.uids.append(instance.sop_instance_uid)
        elif syntax := conversion_for(instance):
            yield from _converted_pieces(source, instance, syntax, objection)
        else:
            yield from _pieces_of(instance, instance.dataset_length, source, objection)
    if unsent.uids:
        yield unsent


def _converted_pieces(
    source: Source, instance: Instance, syntax: str, objection: Callable[[Instance], str]
) -> Iterator[Piece | Unsent | Blocks]:
    yield BLOCKS
    try:
        converted = source.convert(instance, syntax)
    except (OSError, IsocenterError) as error:
        yield Unsent([instance.sop_instance_uid], f"Not convertible: {_reason(error)}")
        return
    with closing(converted):
        reader = _ConvertedReader(converted)
        yield from _pieces_of(instance, converted.dataset_length, reader, objection)


class _ConvertedReader:
    """What was converted lies in a file: it is read on a thread, like what is not in memory."""

    def __init__(self, converted: Converted) -> None:
        self._converted = converted

    def read(self, _instance: Instance, start: int, size: int) -> bytes:
        return self._converted.read(start, size)

    def read_at_once(self, _instance: Instance, _start: int, _size: int) -> None:
        return None


def _pieces_of(
    instance: Instance,
    length: int,
    reader: PieceReader,
    objection: Callable[[Instance], str],
) -> Iterator[Piece | Unsent | Blocks]:
    start = 0
    while not (start and objection(instance)):  # the way may be lost in the middle
        size = min(PIECE, length - start)
        try:
            data: bytes | memoryview | None = reader.read_at_once(instance, start, size)
            if data is None:
                yield BLOCKS
                data = reader.read(instance, start, size)
        except (OSError, IsocenterError) as error:
            yield Unsent([instance.sop_instance_uid], f"Not readable: {_reason(error)}")
            return
        is_last = start + size == length
        if is_last and length % 2 and transfer_syntax(instance.transfer_syntax_uid).deflated:
            data = bytes(data) + b"\0"  # PS3.5 A.5; DCMTK aborts the association over an odd length
        yield Piece(instance, start, data, is_last)
        if is_last:
            return
        start += size


def _reason(error: OSError | IsocenterError) -> str:
    return (error.strerror or "") if isinstance(error, OSError) else str(error)


class Ahead:
    """Takes items from `read_pieces`, one ahead of what is asked for."""

    def __init__(self, items: Iterator[Piece | Unsent | Blocks], threads: Executor) -> None:
        self._items = items
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()  # whoever closes waits for an item under way
        self._next: asyncio.Future[Piece | Unsent | None] | None = None
        self._soon: asyncio.Handle | None = None

    async def take(self) -> Piece | Unsent | None:
        """The next item, None behind the last. Raises what the iterator raises."""
        self._advance()
        assert self._next is not None
        item = await self._next
        if item is not None:
            self._next = None
            # What was taken goes out first; the next is read while the peer takes it.
            self._soon = self._loop.call_soon(self._advance)
        return item

    def close(self, finally_: Callable[[], None]) -> None:
        """Stop, then call `finally_`, both on a thread."""
        if self._soon is not None:
            self._soon.cancel()
        if self._next is not None:
            self._next.cancel()
            if not self._next.cancelled():
                self._next.exception()  # nobody else will look at it
        with suppress(RuntimeError):  # at the node's stop nothing is left to be closed for
            self._threads.submit(self._close, finally_)

    def _advance(self) -> None:
        """Begin the next item; it is there at once if nothing has to be waited for."""
        if self._next is not None:
            return
        try:
            item = next(self._items, None)
            if isinstance(item, Blocks):
                self._next = self._loop.run_in_executor(self._threads, self._take)
                return
        except Exception as error:
            self._next = self._loop.create_future()
            self._next.set_exception(error)
        else:
            self._next = self._loop.create_future()
            self._next.set_result(item)

    def _take(self) -> Piece | Unsent | None:
        with self._lock:
            while isinstance(item := next(self._items, None), Blocks):
                pass  # we may wait here
            return item

    def _close(self, finally_: Callable[[], None]) -> None:
        with self._lock:
            if isinstance(self._items, Generator):
                self._items.close()
            self._items = iter(())
            finally_()


@dataclass(slots=True)
class SubOperations:
    """The counters of PS3.4 C.4.2.1.6, and the instances that failed, as many as a list holds.

    `sent` counts those that were taken by study and SOP class (`accounts.Counts`).
    """

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    reason: str = ""
    failed_uids: list[str] = field(default_factory=list)
    sent: Counter[tuple[int, str]] = field(default_factory=Counter)
    _room: int = FAILED_LIST_BYTES

    def judge(self, instance: Instance, code: int, comment: str) -> None:
        """Count a sub-operation that was answered with the status `code`."""
        status = describe(code, Service.STORAGE)
        if status.category in (Category.SUCCESS, Category.WARNING):
            self.remaining -= 1
            self.sent[instance.study, instance.sop_class_uid] += 1
            if status.category is Category.SUCCESS:
                self.completed += 1
            else:
                self.warning += 1
        else:
            self.fail(
                [instance.sop_instance_uid], f"{status}: {comment}" if comment else str(status)
            )

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
