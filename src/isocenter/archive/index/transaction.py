"""One transaction of the writer: a batch of entries, and whatever else must be in it."""

import sqlite3
from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert

from isocenter.archive.index.attributes import (
    COLUMNS,
    INSTANCE_NUMBER,
    NUMBER_OF_FRAMES,
    ROWS,
)
from isocenter.archive.index.connection import Statement
from isocenter.archive.index.entry import IndexEntry, Outcome
from isocenter.archive.index.parents import Parents
from isocenter.archive.index.schema import instance
from isocenter.archive.index.uids import pack_uid
from isocenter.archive.index.values import integer
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_BIG_ENDIAN

Work = Callable[[sqlite3.Cursor], object]
Row = tuple[int | bytes | None, ...]

# The order in which `_row` gives the values.
_ROW_COLUMNS = (
    "series",
    "uid",
    "sop_class",
    "transfer_syntax",
    "source_ae",
    "pack",
    "offset",
    "length",
    "dataset_offset",
    "digest",
    "received_at",
    "number",
    "rows",
    "columns",
    "frames",
)
_ADD_INSTANCE = Statement(
    insert(instance).on_conflict_do_nothing(index_elements=[instance.c.uid]), _ROW_COLUMNS
)
_FIND_RECORD = Statement(
    select(instance.c.pack, instance.c.offset, instance.c.digest).where(instance.c.uid == b"")
)
_UID, _PACK, _OFFSET, _DIGEST = (
    _ROW_COLUMNS.index(name) for name in ("uid", "pack", "offset", "digest")
)


class Transactions:
    """Applies batches to the database over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._parents = Parents(self._cursor)

    def commit(self, entries: Sequence[IndexEntry], works: Sequence[Work] = ()) -> list[Outcome]:
        """Store `entries`, do `works`, commit; the outcomes come in the order of the entries.

        Where there are works, everything up to and including this commit is on the disk when
        the call returns. On an error nothing of the batch is in the database.
        """
        try:
            outcomes = self._apply(entries, works, durable=bool(works))
            self._cursor.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return outcomes

    def forget_parents(self) -> None:
        """Somebody removed rows: ids that were remembered may be void."""
        self._parents.forget()

    def _apply(
        self, entries: Sequence[IndexEntry], works: Sequence[Work], *, durable: bool
    ) -> list[Outcome]:
        self._begin(durable=durable)
        outcomes = self._store(entries)
        if self._parents.added and not all(outcome is Outcome.STORED for outcome in outcomes):
            # A refused instance may have brought a study that nothing else belongs to. Such
            # races are rare enough to start over without the losers.
            self._roll_back()
            self._begin(durable=durable)
            self._store([e for e, o in zip(entries, outcomes, strict=True) if o is Outcome.STORED])
        for work in works:
            work(self._cursor)
        return outcomes

    def _begin(self, *, durable: bool) -> None:
        # In WAL mode a commit with FULL also forces every earlier commit to the disk.
        self._cursor.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._cursor.execute("BEGIN IMMEDIATE")
        self._parents.begin()

    def _roll_back(self) -> None:
        self._parents.forget()
        if self._connection.in_transaction:
            self._connection.rollback()

    def _store(self, entries: Sequence[IndexEntry]) -> list[Outcome]:
        rows = [self._row(entry) for entry in entries]
        if not rows:
            return []
        self._cursor.executemany(_ADD_INSTANCE.sql, rows)
        if self._cursor.rowcount == len(rows):
            return [Outcome.STORED] * len(rows)
        return [self._outcome(row) for row in rows]

    def _outcome(self, row: Row) -> Outcome:
        held = self._cursor.execute(_FIND_RECORD.sql, (row[_UID],)).fetchone()
        if held[:2] == (row[_PACK], row[_OFFSET]):
            return Outcome.STORED
        return Outcome.DUPLICATE if held[2] == row[_DIGEST] else Outcome.CONFLICT

    def _row(self, entry: IndexEntry) -> Row:
        header, parents = entry.header, self._parents
        big_endian = entry.transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN.uid
        return (
            parents.series_id(header),
            pack_uid(entry.sop_instance_uid),
            parents.term_id(entry.sop_class_uid),
            parents.term_id(entry.transfer_syntax_uid),
            parents.term_id(entry.source_ae),
            parents.pack_id(entry.pack),
            entry.offset,
            entry.length,
            entry.dataset_offset,
            signed(entry.digest),
            entry.received_at,
            _integer(header.get(INSTANCE_NUMBER)),
            _unsigned_short(header.get(ROWS), big_endian=big_endian),
            _unsigned_short(header.get(COLUMNS), big_endian=big_endian),
            _integer(header.get(NUMBER_OF_FRAMES)),
        )


def signed(digest: int) -> int:
    """Return a digest as the signed integer that a database can hold."""
    return digest - 2**64 if digest >= 2**63 else digest


def _integer(raw: bytes | None) -> int | None:
    return integer(raw) if raw else None


def _unsigned_short(raw: bytes | None, *, big_endian: bool) -> int | None:
    if not raw or len(raw) < 2:
        return None
    return raw[0] << 8 | raw[1] if big_endian else raw[1] << 8 | raw[0]
