"""The labels of studies beside the index: the access database, attached to a reader's connection.

Labels are no cache that packs could tell again, so they live in a file of their own
(`security.schema`). SQLite joins two files in one statement, which sees one state of each: a label
that is given or taken holds from the next query on, in every process.
"""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, MetaData
from sqlalchemy.schema import CreateTable

from isocenter.archive.index.errors import IndexUnavailable
from isocenter.security import schema

_SCHEMA = "access"
_ATTACHED = "isocenter.labels"

study_label = schema.study_label.to_metadata(MetaData(), schema=_SCHEMA)
"""The table as a connection sees it once `attach_labels` has been there."""

_Edition = tuple[int, int] | None
"""Device and inode of the file; None for an empty table in its place."""


def attach_labels(connection: Connection, path: Path) -> None:
    """Have a pooled connection of the index see `study_label`, empty where there is no such file.

    The file may come into being, or be replaced by a backup, while the connection lives. Raises
    IndexUnavailable where it is there and cannot be read: nobody then sees what they should not.
    """
    edition = _edition(path)
    if _ATTACHED in connection.info and connection.info[_ATTACHED] == edition:
        return
    raw: Any = connection.connection.driver_connection
    try:
        if connection.info.pop(_ATTACHED, ...) is not ...:
            raw.execute(f"DETACH {_SCHEMA}")
        connection.info[_ATTACHED] = _attach(raw, path, edition)
    except sqlite3.Error as error:
        raise IndexUnavailable(f"The labels of studies cannot be read: {error}.") from error


def _edition(path: Path) -> _Edition:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IndexUnavailable(
            f"The labels of studies cannot be read: {error.strerror}."
        ) from error
    return facts.st_dev, facts.st_ino


def _attach(raw: sqlite3.Connection, path: Path, edition: _Edition) -> _Edition:
    if edition is not None:
        raw.execute(f"ATTACH ? AS {_SCHEMA}", (f"file:{quote(str(path.absolute()))}?mode=ro",))
        try:
            if _has_table(raw):
                return edition
        except sqlite3.Error:
            raw.execute(f"DETACH {_SCHEMA}")
            raise
        raw.execute(f"DETACH {_SCHEMA}")  # whoever makes the file has not made its tables yet
    raw.execute(f"ATTACH 'file::memory:?mode=memory' AS {_SCHEMA}")
    raw.execute(str(CreateTable(study_label)))
    return None


def _has_table(raw: sqlite3.Connection) -> bool:
    wanted = f"SELECT 1 FROM {_SCHEMA}.sqlite_master WHERE name = ?"
    return raw.execute(wanted, (study_label.name,)).fetchone() is not None
