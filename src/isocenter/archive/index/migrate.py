"""Bringing an index file to the present schema when it is opened."""

from pathlib import Path

from isocenter.archive.index.connection import connect_writer
from isocenter.archive.index.errors import IndexUnusable
from isocenter.database import migration

HEAD = "0001"
_MIGRATIONS = migration.Migrations(
    "an index", Path(__file__).parent / "migrations", HEAD, IndexUnusable
)


def migrate(path: Path) -> None:
    """Create the file's schema, or bring it up to date.

    Raises:
        IndexUnusable: the file is no database, or a newer Isocenter made it.
    """
    migration.migrate(path, _MIGRATIONS, connect_writer)
