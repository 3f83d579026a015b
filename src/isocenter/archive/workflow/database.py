"""Opening `workflow.sqlite`, for reading and for durable transactions.

Every process of a node, and every command, opens the file for itself: SQLite lets one write at a
time and the others wait, which is no burden at some writes a second.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from isocenter.archive.migration import Migrations, migrate
from isocenter.errors import IsocenterError

BUSY_TIMEOUT_SECONDS = 10.0
HEAD = "0001"


class WorkflowUnusable(IsocenterError):
    """The file is no workflow database, or a newer Isocenter's."""


class WorkflowUnavailable(IsocenterError):
    """The workflow database did not take or give what it was asked."""


_MIGRATIONS = Migrations(
    "a workflow database", Path(__file__).parent / "migrations", HEAD, WorkflowUnusable
)


class Workflow:
    """The workflow database of an archive; a context manager. For any thread.

    Raises WorkflowUnusable; its transactions raise WorkflowUnavailable. One that is not `required`
    is opened with its first transaction, and again with each one until that works: what can do
    without it runs on, and once the file is mended nobody need be told.
    """

    def __init__(self, path: Path, *, required: bool = True) -> None:
        self.path = path
        self._opening = threading.Lock()
        self._opened = False
        if required:
            self._open()
        self._engine = create_engine(
            "sqlite://",
            creator=lambda: _connect(path),
            poolclass=QueuePool,
            hide_parameters=True,  # they may be patients' names, and errors are logged
        )

    def __enter__(self) -> "Workflow":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

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
                migrate(self.path, _MIGRATIONS, _connect)
                self._opened = True

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        try:
            if not self._opened:
                self._open()
        except WorkflowUnusable as error:
            raise WorkflowUnavailable(str(error)) from error
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except DBAPIError as error:
            raise WorkflowUnavailable(
                f"The workflow database could not be used: {error.orig}."
            ) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
