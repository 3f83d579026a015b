"""The reading side: look-ups on the hot path, connections for queries, counts."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Connection, func, select

from isocenter.archive.index.connection import (
    Statement,
    connect_reader,
    path_of,
    reading_engine,
)
from isocenter.archive.index.entry import Location, QuarantineEntry, Statistics
from isocenter.archive.index.errors import IndexUnusable
from isocenter.archive.index.labels import attach_labels
from isocenter.archive.index.schema import (
    instance,
    pack,
    patient,
    quarantine,
    series,
    study,
    term,
)
from isocenter.archive.index.uids import pack_uid
from isocenter.archive.layout import ACCESS_FILE

_DIGEST_MASK = 2**64 - 1

_LOCATE = Statement(
    select(
        pack.c.path,
        instance.c.offset,
        instance.c.length,
        instance.c.dataset_offset,
        instance.c.digest,
        instance.c.transfer_syntax,
        instance.c.sop_class,
    )
    .join_from(instance, pack)
    .where(instance.c.uid == b"")
)
_TERM = Statement(select(term.c.value).where(term.c.id == 0))


class StoredRecord(NamedTuple):
    """Where an instance's bytes lie; the fields mean what they mean in `IndexEntry`.

    `number` is that of its row.
    """

    pack: str
    offset: int
    length: int
    dataset_offset: int
    digest: int
    number: int


class _ThreadConnection:
    """One thread's connection; closed when the thread ends or the reader is closed."""

    def __init__(self, path: Path) -> None:
        self.connection = connect_reader(path)
        self.cursor = self.connection.cursor()

    def __del__(self) -> None:
        self.connection.close()


class IndexReader:
    """Reads an index that this or another process writes; see `interface.ReadableIndex`.

    Raises IndexUnusable when there is none.
    """

    def __init__(self, url_or_path: str | Path) -> None:
        self._path = path_of(url_or_path)
        if not self._path.exists():
            raise IndexUnusable(f"There is no index at {self._path}.")
        self._engine = reading_engine(self._path)
        self._local = threading.local()
        self._connections: WeakSet[_ThreadConnection] = WeakSet()
        self._terms: dict[int, str] = {}

    def locate(self, sop_instance_uid: str) -> Location | None:
        """Return where an instance lies, None for an unknown one."""
        cursor = self._cursor()
        row = cursor.execute(_LOCATE.sql, (pack_uid(sop_instance_uid),)).fetchone()
        if row is None:
            return None
        path, offset, length, dataset_offset, digest, transfer_syntax, sop_class = row
        return Location(
            path,
            offset,
            length,
            dataset_offset,
            digest & _DIGEST_MASK,
            self._terms.get(transfer_syntax) or self._term(transfer_syntax),
            self._terms.get(sop_class) or self._term(sop_class),
        )

    def connect(self) -> Connection:
        """Return a connection for one query; closing it gives it back."""
        return self._engine.connect()

    def connect_labelled(self) -> Connection:
        """The same, for queries that ask for the labels of studies (`labels.study_label`).

        Raises IndexUnavailable where the labels cannot be read.
        """
        connection = self.connect()
        try:
            attach_labels(connection, self._path.with_name(ACCESS_FILE))
        except BaseException:
            connection.close()
            raise
        return connection

    def unsealed_packs(self) -> list[str]:
        """Return the packs that were never sealed: those a crash may have left torn."""
        with self.connect() as connection:
            statement = select(pack.c.path).where(pack.c.length.is_(None)).order_by(pack.c.path)
            return list(connection.scalars(statement))

    def is_sealed(self, path: str) -> bool:
        """Whether a pack is known to be complete."""
        statement = select(pack.c.id).where(pack.c.path == path, pack.c.length.is_not(None))
        with self.connect() as connection:
            return connection.execute(statement).first() is not None

    def list_quarantine(self, limit: int = 1000) -> list[QuarantineEntry]:
        """Return what was kept aside, newest first."""
        columns = [quarantine.c[name] for name in QuarantineEntry._fields]
        statement = select(*columns).order_by(quarantine.c.id.desc()).limit(limit)
        with self.connect() as connection:
            entries = [QuarantineEntry(*row) for row in connection.execute(statement)]
        return [entry._replace(digest=entry.digest & _DIGEST_MASK) for entry in entries]

    def is_quarantined(self, sop_instance_uid: str, digest: int) -> bool:
        """Whether this very object has been kept aside already."""
        signed = digest - 2**64 if digest >= 2**63 else digest
        statement = select(quarantine.c.id).where(
            quarantine.c.sop_instance_uid == sop_instance_uid, quarantine.c.digest == signed
        )
        with self.connect() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    def statistics(self) -> Statistics:
        """Count everything; on a large index this reads one whole index of each table."""
        counts: list[Any] = [
            select(func.count()).select_from(table).scalar_subquery()
            for table in (patient, study, series, instance, pack)
        ]
        unsealed = select(func.count()).select_from(pack).where(pack.c.length.is_(None))
        sealed_bytes = select(func.coalesce(func.sum(pack.c.length), 0))
        quarantined = select(func.count()).select_from(quarantine)
        rest = [query.scalar_subquery() for query in (unsealed, sealed_bytes, quarantined)]
        with self.connect() as connection:
            return Statistics(*connection.execute(select(*counts, *rest)).one())

    def pages_of_records(self, size: int = 10_000) -> Iterator[list[StoredRecord]]:
        """Yield every instance in the order of arrival, at most `size` at a time.

        Each page is a query of its own: whoever takes hours over them does not keep SQLite from
        folding its log meanwhile. They go by instance, for the index cannot list one pack quickly.
        """
        columns = [instance.c[name] for name in StoredRecord._fields[1:-1]]
        statement = (
            select(pack.c.path, *columns, instance.c.id)
            .join_from(instance, pack)
            .order_by(instance.c.id)
            .limit(size)
        )
        last = 0
        while True:
            with self.connect() as connection:
                rows = connection.execute(statement.where(instance.c.id > last)).all()
            if not rows:
                return
            records = [StoredRecord._make(row) for row in rows]
            last = records[-1].number
            yield [record._replace(digest=record.digest & _DIGEST_MASK) for record in records]

    def is_there(self, record: StoredRecord) -> bool:
        """Whether the index still has a record: it may have been deleted since it was read."""
        with self.connect() as connection:
            row = connection.execute(select(instance.c.id).where(instance.c.id == record.number))
            return row.first() is not None

    def close(self) -> None:
        """Close every connection. No other thread may be reading any more."""
        self._engine.dispose()
        for held in list(self._connections):
            held.connection.close()
        self._local = threading.local()

    def _cursor(self) -> sqlite3.Cursor:
        try:
            held: _ThreadConnection = self._local.held
        except AttributeError:
            held = self._local.held = _ThreadConnection(self._path)
            self._connections.add(held)
        return held.cursor

    def _term(self, number: int) -> str:
        row = self._cursor().execute(_TERM.sql, (number,)).fetchone()
        value: str = row[0]
        self._terms[number] = value
        return value
