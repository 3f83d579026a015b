"""The index's one writer: a thread that gathers entries and commits them in groups.

50 rows in a transaction cost a thirtieth of 50 transactions. When the database refuses (a full
disk, a lock), the batch is tried again until it is in: nothing is lost, the order stays, and
`healthy` tells the archive to stop accepting.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import insert
from sqlalchemy.dialects.sqlite import insert as upsert

from isocenter.archive.index.connection import Statement, connect_writer, path_of
from isocenter.archive.index.entry import IndexEntry, Outcome, QuarantineEntry
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.interface import OnOutcome
from isocenter.archive.index.migrate import migrate
from isocenter.archive.index.removal import (
    RecordPlace,
    remove_packs,
    remove_places,
    remove_quarantined,
    remove_records,
    remove_unnamed_people,
)
from isocenter.archive.index.schema import pack, quarantine
from isocenter.archive.index.transaction import Transactions, Work, signed
from isocenter.database.erasure import NotErased, overwrite_log

BATCH_ENTRIES = 500
LINGER_SECONDS = 0.005  # how long a short queue may wait to become a longer batch
_WORTH_A_BATCH = 50
_FIRST_RETRY_SECONDS = 0.05
_LAST_RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 10.0

log = structlog.get_logger(__name__)

_pack_row = upsert(pack)
_SEAL_PACK = Statement(
    _pack_row.on_conflict_do_update(
        index_elements=[pack.c.path], set_={"length": _pack_row.excluded.length}
    ),
    ["path", "length", "instances_after"],
)
_ADD_QUARANTINE = Statement(insert(quarantine), QuarantineEntry._fields)


class _Submission(NamedTuple):
    entry: IndexEntry
    on_outcome: OnOutcome | None


class _Command(NamedTuple):
    """Something somebody waits for; done when everything queued before it is committed."""

    work: Work | None
    done: "Future[None]"


_Item = _Submission | _Command


class IndexWriter:
    """Writes an index from any number of threads; see `interface.WritableIndex`."""

    def __init__(self, url_or_path: str | Path) -> None:
        path = self._path = path_of(url_or_path)
        migrate(path)
        self._connection = connect_writer(path)
        self._transactions = Transactions(self._connection)
        self._queue: deque[_Item] = deque()
        self._arrived = threading.Event()
        self._urgent = threading.Event()
        self._closing = threading.Event()
        self._give_up_at = float("inf")
        self._in_hand = 0
        self.healthy = True
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    @property
    def backlog(self) -> int:
        """How many entries wait for a commit."""
        return len(self._queue) + self._in_hand

    def submit(self, entry: IndexEntry, on_outcome: OnOutcome | None = None) -> None:
        """Queue an entry; `on_outcome` is called from the writer's thread after the commit.

        So `on_outcome` must not wait for the index.
        """
        self._put(_Submission(entry, on_outcome))

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything submitted before is committed.

        Raises:
            IndexUnavailable: the database did not take it within `timeout` seconds.
        """
        if self.backlog:
            self._command(None, timeout)

    def seal_pack(self, pack: str, length: int, timeout: float | None = None) -> None:
        """Return when everything submitted before, and that `pack` is complete, is durable."""
        self.seal_packs([(pack, length)], timeout)

    def seal_packs(self, packs: Sequence[tuple[str, int]], timeout: float | None = None) -> None:
        """Like `seal_pack`, for several packs with their lengths, in one transaction."""
        rows = [_SEAL_PACK.row({"path": p, "length": n, "instances_after": 0}) for p, n in packs]
        self._command(lambda cursor: cursor.executemany(_SEAL_PACK.sql, rows), timeout)

    def forget_records(self, pack: str, start: int, timeout: float | None = None) -> None:
        """Take out the instances of `pack` at or after byte `start`, durably."""

        self._remove(lambda cursor: remove_records(cursor, pack, start), timeout)

    def delete_records(self, places: Sequence[RecordPlace], timeout: float | None = None) -> None:
        """Take out instances that lie at these places and no others, durably."""
        self._remove(lambda cursor: remove_places(cursor, places), timeout)

    def forget_packs(self, packs: Sequence[str], timeout: float | None = None) -> None:
        """Take out packs that hold nothing any more, durably."""
        self._remove(lambda cursor: remove_packs(cursor, packs), timeout)

    def forget_quarantined(self, paths: Sequence[str], timeout: float | None = None) -> None:
        """Take out what is no longer in quarantine, durably."""
        self._remove(lambda cursor: remove_quarantined(cursor, paths), timeout)

    def forget_people(self, timeout: float | None = None) -> None:
        """Take out the physicians and operators whom nothing names any more, durably."""
        self._remove(remove_unnamed_people, timeout)

    def record_quarantine(self, entry: QuarantineEntry, timeout: float | None = None) -> None:
        """Return when the record of an object kept aside is durable."""
        row = _ADD_QUARANTINE.row({**entry._asdict(), "digest": signed(entry.digest)})
        self._command(lambda cursor: cursor.execute(_ADD_QUARANTINE.sql, row), timeout)

    def close(self, timeout: float = _CLOSE_SECONDS) -> None:
        """Commit what waits, then stop.

        Raises:
            IndexUnavailable: the database did not take everything within `timeout` seconds.
                What it did not take is still in packs that are not sealed.
        """
        self._give_up_at = time.monotonic() + timeout
        self._closing.set()
        self._urgent.set()
        self._arrived.set()
        self._thread.join()
        # SQLite removes the log with the last connection: its blocks would still tell what was in
        # it when that has long been deleted from the index.
        with suppress(NotErased, sqlite3.Error):
            overwrite_log(self._connection, self._path)
        self._connection.close()
        if self._queue:
            raise IndexUnavailable(
                f"The index could not take the last {len(self._queue)} entries before it was "
                "closed; they are taken from the packs at the next start."
            )

    def _put(self, item: _Item) -> None:
        if self._closing.is_set():
            raise IndexUnavailable("The index is closed.")
        self._queue.append(item)
        if not self._arrived.is_set():
            self._arrived.set()

    def _remove(self, work: Work, timeout: float | None) -> None:
        def remove(cursor: sqlite3.Cursor) -> None:
            work(cursor)
            self._transactions.forget_parents()

        self._command(remove, timeout)

    def _command(self, work: Work | None, timeout: float | None) -> None:
        done: Future[None] = Future()
        self._put(_Command(work, done))
        self._urgent.set()
        try:
            done.result(timeout)
        except TimeoutError as error:
            raise IndexUnavailable(
                f"The index did not commit within {timeout} s; is its disk full?"
            ) from error

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch:
                return
            try:
                self._commit(batch)
            except _GivenUp:
                self._queue.extendleft(reversed(batch))
                self._refuse_waiting()
                return
            finally:
                self._in_hand = 0

    def _next_batch(self) -> list[_Item]:
        """Wait for items; an empty batch says that the writer is closed and has no more."""
        queue = self._queue
        self._arrived.wait()
        if len(queue) < _WORTH_A_BATCH and not self._urgent.is_set():
            self._urgent.wait(LINGER_SECONDS)
        # Counted before they are taken: at no moment is an uncommitted entry in neither number.
        self._in_hand = min(len(queue), BATCH_ENTRIES)
        batch = [queue.popleft() for _ in range(self._in_hand)]
        if not queue and not self._closing.is_set():
            self._arrived.clear()
            self._urgent.clear()
            if queue or self._closing.is_set():  # came in between
                self._urgent.set()
                self._arrived.set()
        return batch

    def _commit(self, batch: Sequence[_Item]) -> None:
        submissions = [item for item in batch if isinstance(item, _Submission)]
        commands = [item for item in batch if isinstance(item, _Command)]
        entries = [submission.entry for submission in submissions]
        works = [command.work for command in commands if command.work is not None]
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                outcomes = self._transactions.commit(entries, works)
                break
            except sqlite3.DatabaseError as error:
                if not _passes(error):
                    self._commit_one_by_one(batch, error)
                    return
                self._wait_before_retry(delay, error)
                delay = min(2 * delay, _LAST_RETRY_SECONDS)
            except Exception as error:
                self._commit_one_by_one(batch, error)
                return
        self.healthy = True
        for submission, outcome in zip(submissions, outcomes, strict=True):
            self._report(submission, outcome)
        for command in commands:
            command.done.set_result(None)

    def _commit_one_by_one(self, batch: Sequence[_Item], error: Exception) -> None:
        """Something in `batch` is more than the code can bear: find it, keep the rest."""
        if len(batch) > 1:
            for item in batch:
                self._commit([item])
            return
        log.error("the index could not take an entry", error=type(error).__name__)
        item = batch[0]
        if isinstance(item, _Submission):
            self._report(item, Outcome.FAILED)
        else:
            item.done.set_exception(error)

    def _wait_before_retry(self, delay: float, error: sqlite3.DatabaseError) -> None:
        if self.healthy:
            log.warning("the index does not take writes; trying again", error=str(error))
        self.healthy = False
        if time.monotonic() + delay > self._give_up_at:
            raise _GivenUp
        if self._closing.is_set():
            time.sleep(delay)
        else:
            self._closing.wait(delay)

    def _refuse_waiting(self) -> None:
        for item in self._queue:
            if isinstance(item, _Command):
                item.done.set_exception(IndexUnavailable("The index is closed."))

    def _report(self, submission: _Submission, outcome: Outcome) -> None:
        if submission.on_outcome is None:
            return
        try:
            submission.on_outcome(submission.entry, outcome)
        except Exception:
            log.exception("who waited for an index entry failed")


class _GivenUp(Exception):
    """The index is closing and the database still refuses."""


def _passes(error: sqlite3.DatabaseError) -> bool:
    """Whether trying again may help: no room, a lock, a failing disk, not a broken statement."""
    return isinstance(error, sqlite3.OperationalError) or type(error) is sqlite3.DatabaseError
