"""A database file of a node, for reading and for durable transactions.

Every process of a node, and every command, opens the file for itself: SQLite lets one write at a
time and the others wait, which is no burden at some writes a second.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from isocenter.database.erasure import NotErased, overwrite_log
from isocenter.database.migration import Migrations, migrate
from isocenter.errors import IsocenterError

BUSY_TIMEOUT_SECONDS = 10.0
_PAUSE_SECONDS = 0.02


class Database:
    """One database file; a context manager. For any thread.

    A subclass says which: its `migrations`, and `unavailable`, the error of a transaction that
    fails, made from a sentence. Opening raises `migrations.unusable`. A file that is not
    `required` is opened with its first transaction, and again with each one until that works:
    what can do without it runs on, and once the file is mended nobody need be told.
    """

    migrations: Migrations
    unavailable: Callable[[str], IsocenterError]

    def __init__(self, path: Path, *, required: bool = True) -> None:
        self.path = path
        self._opening = threading.Lock()
        self._opened = False
        if required:
            self._open()
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: connect(path),
            poolclass=QueuePool,
            hide_parameters=True,  # they may be patients' names, and errors are logged
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    def erase_log(self) -> None:
        """Overwrite what transactions left in the log, as far as nobody else is at work.

        The log's blocks go back to the file system with the last connection.
        """
        with suppress(NotErased, sqlite3.Error), closing(connect(self.path)) as connection:
            overwrite_log(connection, self.path)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database throughout."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable, power cut included, once the block has ended well."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def _open(self) -> None:
        with self._opening:
            if not self._opened:
                migrate(self.path, self.migrations, connect)
                self._opened = True

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            if not self._opened:
                self._open()
        except IsocenterError as error:
            raise type(self).unavailable(str(error)) from error
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except DBAPIError as error:
            what = self.migrations.what.partition(" ")[2]
            sentence = f"The {what} could not be used: {error.orig}."
            raise type(self).unavailable(sentence) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a file so that a commit is on the disk when it returns."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what was deleted leaves no bytes behind
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Have the file use a log. While another makes it, SQLite says at once that it is locked."""
    end = time.monotonic() + BUSY_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_SECONDS)
