"""One index writer for several processes: entries go over a pipe, outcomes come back.

SQLite has one writer; processes that each wait for its lock starve one another. So the process
that holds the writer serves the others: `IndexService` answers one pipe, `RemoteIndex` is the
other end of it and reads the database file by itself.
"""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import structlog

from isocenter.archive.index.entry import IndexEntry, Outcome, QuarantineEntry
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.interface import OnOutcome, WritableIndex
from isocenter.archive.index.reader import IndexReader
from isocenter.archive.index.removal import RecordPlace

_SUBMIT = "submit"
_OUTCOMES = "outcomes"
_BATCH = 200
_HEALTH_SECONDS = 1.0
# A connection closed by another thread of this process has no handle between two reads, and
# the standard library then raises TypeError.
_CLOSED = (EOFError, OSError, TypeError)
_GONE = "The process that writes the index is gone; the packs are read at the next start."

Item = TypeVar("Item")
_Queued = IndexEntry | tuple[str, tuple[Any, ...]]

log = structlog.get_logger(__name__)


class IndexService:
    """Does for the process at the other end of a pipe what it asks of the writer.

    That process is a child of this one and is trusted.
    """

    def __init__(self, writer: WritableIndex, pipe: Connection) -> None:
        self._writer = writer
        self._pipe = pipe
        self._answers: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        # A call waits for a commit, and must not keep later entries from being taken.
        self._calls = ThreadPoolExecutor(2, thread_name_prefix="index-call")
        for work in (self._take, self._give):
            threading.Thread(target=work, name="index-service", daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                request, number, arguments = self._pipe.recv()
            except _CLOSED:
                break
            if request == _SUBMIT:
                for offset, entry in enumerate(arguments):
                    self._submit(number + offset, entry)
            else:
                self._calls.submit(self._call, request, number, arguments)
        self._calls.shutdown(wait=False)
        self._answers.put(None)

    def _submit(self, number: int, entry: IndexEntry) -> None:
        self._writer.submit(
            entry, lambda _, outcome: self._answers.put((_OUTCOMES, number, outcome))
        )

    def _call(self, request: str, number: int, arguments: tuple[Any, ...]) -> None:
        try:
            getattr(self._writer, request)(*arguments)
        except Exception as error:
            self._answers.put((request, number, str(error) or type(error).__name__))
        else:
            self._answers.put((request, number, None))

    def _give(self) -> None:
        told = True
        # A writer that keeps trying answers nothing, and that is when its health matters.
        for answers in _batches(self._answers, _HEALTH_SECONDS):
            healthy = self._writer.healthy
            if not answers and healthy == told:
                continue
            try:
                self._pipe.send((healthy, answers))
            except OSError:
                return  # the process is gone; whoever replaces it reads its packs again
            told = healthy


class RemoteIndex:
    """The index as seen by a process that does not hold the writer."""

    def __init__(self, path: Path, pipe: Connection) -> None:
        self.reader = IndexReader(path)
        self.locate = self.reader.locate
        self.connect = self.reader.connect
        self.connect_labelled = self.reader.connect_labelled
        self.unsealed_packs = self.reader.unsealed_packs
        self.list_quarantine = self.reader.list_quarantine
        self.is_quarantined = self.reader.is_quarantined
        self.is_sealed = self.reader.is_sealed
        self.statistics = self.reader.statistics
        self.healthy = True
        self._gone = False
        self._pipe = pipe
        self._sending = threading.Lock()
        self._numbers = 0
        self._waiting: dict[int, tuple[IndexEntry, OnOutcome | None]] = {}
        self._calls: dict[int, Future[None]] = {}
        self._queue: SimpleQueue[tuple[int, _Queued] | None] = SimpleQueue()
        for work in (self._send_entries, self._receive):
            threading.Thread(target=work, name="remote-index", daemon=True).start()

    @property
    def backlog(self) -> int:
        """How many entries wait for a commit."""
        return len(self._waiting)

    def submit(self, entry: IndexEntry, on_outcome: OnOutcome | None = None) -> None:
        """Queue an entry; `on_outcome` is called from another thread after the commit."""
        with self._sending:
            self._numbers += 1
            self._waiting[self._numbers] = entry, on_outcome
            self._queue.put((self._numbers, entry))

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything submitted before is committed. Raises IndexUnavailable."""
        self._call("flush", (), timeout)

    def seal_pack(self, pack: str, length: int, timeout: float | None = None) -> None:
        """Return when everything submitted before, and that `pack` is complete, is durable."""
        self._call("seal_packs", ([(pack, length)],), timeout)

    def seal_packs(self, packs: Sequence[tuple[str, int]], timeout: float | None = None) -> None:
        """Like `seal_pack`, for several packs with their lengths, in one transaction."""
        self._call("seal_packs", (list(packs),), timeout)

    def forget_records(self, pack: str, start: int, timeout: float | None = None) -> None:
        """Delete what the index knows of `pack` at or after byte `start`, durably."""
        self._call("forget_records", (pack, start), timeout)

    def record_quarantine(self, entry: QuarantineEntry, timeout: float | None = None) -> None:
        """Return when the record of an object kept aside is durable."""
        self._call("record_quarantine", (entry,), timeout)

    def delete_records(self, places: Sequence[RecordPlace], timeout: float | None = None) -> None:
        """Take out instances that lie at these places and no others, durably."""
        self._call("delete_records", (list(places),), timeout)

    def forget_packs(self, packs: Sequence[str], timeout: float | None = None) -> None:
        """Take out packs that hold nothing any more, durably."""
        self._call("forget_packs", (list(packs),), timeout)

    def forget_quarantined(self, paths: Sequence[str], timeout: float | None = None) -> None:
        """Take out what is no longer in quarantine, durably."""
        self._call("forget_quarantined", (list(paths),), timeout)

    def forget_people(self, timeout: float | None = None) -> None:
        """Take out the physicians and operators whom nothing names any more, durably."""
        self._call("forget_people", (), timeout)

    def close(self) -> None:
        """Commit what waits, then close. Raises IndexUnavailable."""
        try:
            self.flush()
        finally:
            self._queue.put(None)
            self._pipe.close()
            self.reader.close()

    def __enter__(self) -> "RemoteIndex":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _call(self, request: str, arguments: tuple[Any, ...], timeout: float | None) -> None:
        done: Future[None] = Future()
        with self._sending:
            if self._gone:
                raise IndexUnavailable(_GONE)
            self._numbers += 1
            self._calls[self._numbers] = done
            self._queue.put((self._numbers, (request, arguments)))
        try:
            done.result(timeout)
        except TimeoutError as error:
            raise IndexUnavailable(
                f"The index did not commit within {timeout} s; is its disk full?"
            ) from error

    def _send_entries(self) -> None:
        """Send what was queued in its order, entries in batches."""
        for queued in _batches(self._queue):
            try:
                self._send_in_order(queued)
            except OSError:
                self._fail()
                return

    def _send_in_order(self, queued: list[tuple[int, _Queued]]) -> None:
        entries: list[IndexEntry] = []
        for number, item in queued:
            if isinstance(item, IndexEntry):
                entries.append(item)
                continue
            if entries:
                self._pipe.send((_SUBMIT, number - len(entries), entries))
                entries = []
            request, arguments = item
            self._pipe.send((request, number, arguments))
        if entries:
            self._pipe.send((_SUBMIT, queued[-1][0] - len(entries) + 1, entries))

    def _receive(self) -> None:
        while True:
            try:
                self.healthy, answers = self._pipe.recv()
            except _CLOSED:
                self._fail()
                return
            for request, number, answer in answers:
                if request == _OUTCOMES:
                    self._report(number, answer)
                elif answer is None:
                    self._calls.pop(number).set_result(None)
                else:
                    self._calls.pop(number).set_exception(IndexUnavailable(answer))

    def _report(self, number: int, outcome: Outcome) -> None:
        entry, on_outcome = self._waiting.pop(number)
        if on_outcome is not None:
            try:
                on_outcome(entry, outcome)
            except Exception:
                log.exception("who waited for an index entry failed")

    def _fail(self) -> None:
        """The process that writes the index is gone."""
        self.healthy = False
        with self._sending:
            self._gone = True
            calls, self._calls = self._calls, {}
        for call in calls.values():
            call.set_exception(IndexUnavailable(_GONE))


def _batches(
    queue: "SimpleQueue[Item | None]", patience: float | None = None
) -> Iterator[list[Item]]:
    """Yield what is in the queue, as much at once as there is, until None comes.

    Yield an empty batch whenever nothing has come for `patience` seconds.
    """
    while True:
        try:
            item = queue.get(timeout=patience)
        except Empty:
            yield []
            continue
        if item is None:
            return
        batch = [item]
        while len(batch) < _BATCH:
            try:
                item = queue.get_nowait()
            except Empty:
                break
            if item is None:
                yield batch
                return
            batch.append(item)
        yield batch
