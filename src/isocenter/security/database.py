"""The access database of a node, `access.sqlite`: users, and the labels of studies."""

from pathlib import Path

from isocenter.database.database import Database
from isocenter.database.migration import Migrations
from isocenter.errors import IsocenterError

HEAD = "0001"


class AccessUnusable(IsocenterError):
    """The file is no access database, or a newer Isocenter's."""


class AccessUnavailable(IsocenterError):
    """The access database did not take or give what it was asked."""


class AccessDatabase(Database):
    """Raises AccessUnusable; its transactions raise AccessUnavailable."""

    migrations = Migrations(
        "an access database", Path(__file__).parent / "migrations", HEAD, AccessUnusable
    )
    unavailable = AccessUnavailable
