"""Opening the SQLite file, and statements that SQLAlchemy compiles once and SQLite runs raw.

SQLAlchemy writes the SQL, so another database gets its own; on the two hot paths (one look-up and
one insert per received instance) the compiled text goes straight to the driver's cursor, because
SQLAlchemy's execution alone costs more than the whole statement.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql.expression import ClauseElement

from isocenter.archive.index.errors import IndexUnavailable, IndexUnusable
from isocenter.database.erasure import NotErased, overwrite_log

BUSY_TIMEOUT_SECONDS = 5.0
_WRITER_CACHE_KIB = 32 * 1024
# Small, for there are many readers and the kernel caches the file for all of them. Mapping the
# file would save nothing that can be measured, and turn a failing disk into a SIGBUS.
_READER_CACHE_KIB = 2 * 1024
# UIDs fall anywhere in their indexes: the longer the log, the more rows share a page that is
# written back. 32 MB of log cost a fifth less CPU than SQLite's 4 MB.
_CHECKPOINT_PAGES = 8_000
_LOG_BYTES = 64 * 1024 * 1024
_POOLED_READERS = 8

# Of queries that are remembered in compiled form, up to half a megabyte each, and half as many
# again before any is forgotten; workstations ask a few again and again.
_REMEMBERED_STATEMENTS = 128

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Statement:
    """SQL text, and the names of its parameters in their order."""

    __slots__ = ("parameters", "sql")

    def __init__(self, clause: ClauseElement, columns: Sequence[str] | None = None) -> None:
        keys = None if columns is None else list(columns)
        compiled: Any = clause.compile(dialect=_DIALECT, column_keys=keys)
        self.sql: str = str(compiled)
        self.parameters: tuple[str, ...] = tuple(compiled.positiontup or ())

    def row(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of the parameters."""
        return [values[name] for name in self.parameters]


def path_of(url_or_path: str | Path) -> Path:
    """Return the file that `url_or_path` names.

    Raises:
        IndexUnusable: it is a URL of a database that is not supported yet.
    """
    text = str(url_or_path)
    if text.startswith("sqlite:///"):
        return Path(text.removeprefix("sqlite:///"))
    if "://" in text:
        scheme = text.partition("://")[0]
        raise IndexUnusable(f"An index on {scheme} is not supported yet; give a file's path.")
    return Path(text)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open the file for reading and writing, made if it is not there, transactions by hand."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open the file for reading only; each statement sees what is committed by then."""
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro",
        uri=True,
        timeout=BUSY_TIMEOUT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KIB}")
    return connection


def fold_log(path: Path) -> None:
    """Write what is in the log into the file itself, so that it alone is the whole database.

    Raises:
        IndexUnavailable: it is not a database, in use, or on a full disk.
    """
    try:
        with closing(connect_writer(path)) as connection:
            overwrite_log(connection, path)
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except NotErased as error:
        raise IndexUnavailable(str(error)) from error
    except sqlite3.Error as error:
        raise IndexUnavailable(
            f"The log of {path.name} cannot be written back: {error}."
        ) from error
    if busy:
        raise IndexUnavailable(f"The log of {path.name} is in use by another process.")


def reading_engine(path: Path) -> Engine:
    """Return an engine for queries; its connections may wander from thread to thread."""
    return create_engine(
        "sqlite://",
        creator=lambda: connect_reader(path),
        poolclass=QueuePool,
        pool_size=_POOLED_READERS,
        max_overflow=-1,
        query_cache_size=_REMEMBERED_STATEMENTS,
        hide_parameters=True,  # they may be patients' names, and errors are logged
    )
