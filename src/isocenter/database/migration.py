"""Bringing a database file to the present schema, with Alembic, when it is opened."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from isocenter.errors import IsocenterError

_ALEMBIC = threading.Lock()
"""Alembic keeps what it works on in a module of its own: one thread at a time."""


class Migrations(NamedTuple):
    """The migrations of one kind of file: `what` it is, their folder, and the newest revision.

    `unusable` is the error for a file that cannot be opened, made from a sentence.
    """

    what: str
    folder: Path
    head: str
    unusable: Callable[[str], IsocenterError]


def migrate(
    path: Path, migrations: Migrations, connect: Callable[[Path], sqlite3.Connection]
) -> None:
    """Create the file's schema, or bring it up to date.

    Raises `migrations.unusable`: the file is no database, another one, or a newer Isocenter's.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    connection = None
    try:
        connection = connect(path)
        # In this order: another process may be making the tables, revision and all, meanwhile.
        has_tables = _has_tables(connection)
        revision = _revision(connection)
        if has_tables and revision is None:
            raise migrations.unusable(
                f"{path.name} is a database, but not {migrations.what} of Isocenter."
            )
        if revision != migrations.head:
            _upgrade(connection, migrations)
    except (sqlite3.DatabaseError, DBAPIError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise migrations.unusable(f"{path.name} cannot be opened: {reason}.") from error
    finally:
        if connection is not None:
            connection.close()


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row else None


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _upgrade(connection: sqlite3.Connection, migrations: Migrations) -> None:
    # Imported here: a file that is up to date, the usual case, need not wait for Alembic.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(migrations.folder).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with _ALEMBIC, engine.connect() as adapted:
            config.attributes["connection"] = adapted
            adapted.exec_driver_sql("BEGIN IMMEDIATE")
            # Several processes may open a new file at once: the second finds it made.
            if _revision(connection) != ScriptDirectory.from_config(config).get_current_head():
                command.upgrade(config, "head")
            adapted.commit()
    except CommandError as error:
        raise migrations.unusable(
            f"{migrations.what.capitalize()} was made by a newer version of Isocenter; "
            "update Isocenter to open it."
        ) from error
