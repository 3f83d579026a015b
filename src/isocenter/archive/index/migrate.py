"""Bringing an index file to the present schema, with Alembic, when it is opened."""

import sqlite3
from pathlib import Path

from isocenter.archive.index.connection import connect_writer
from isocenter.archive.index.errors import IndexUnusable

HEAD = "0001"
_MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(path: Path) -> None:
    """Create the file's schema, or bring it up to date.

    Raises:
        IndexUnusable: the file is no database, or a newer Isocenter made it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = None
    try:
        connection = connect_writer(path)
        revision = _revision(connection)
        if revision is None and _has_tables(connection):
            raise IndexUnusable(f"{path.name} is a database, but not an index of Isocenter.")
        if revision != HEAD:
            _upgrade(connection)
    except sqlite3.DatabaseError as error:
        raise IndexUnusable(f"The index {path.name} cannot be opened: {error}.") from error
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


def _upgrade(connection: sqlite3.Connection) -> None:
    # Imported here: an index that is up to date, the usual case, need not wait for Alembic.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with engine.connect() as adapted:
            config.attributes["connection"] = adapted
            adapted.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(config, "head")
            adapted.commit()
    except CommandError as error:
        raise IndexUnusable(
            "The index was made by a newer version of Isocenter; update Isocenter to open it."
        ) from error
