"""The access database of a node, `access.sqlite`: users, and the labels of studies."""

from pathlib import Path

from isocenter.database.database import Database
from isocenter.database.migration import Migrations
from isocenter.database.private_file import create_private
from isocenter.errors import IsocenterError

HEAD = "0001"


class AccessUnusable(IsocenterError):
    """The file is no access database, or a newer Isocenter's."""


class AccessUnavailable(IsocenterError):
    """The access database did not take or give what it was asked."""


class AccessDatabase(Database):
    """Raises AccessUnusable; its transactions raise AccessUnavailable.

    The file is its owner's alone: it holds what passcodes can be guessed by.
    """

    migrations = Migrations(
        "an access database", Path(__file__).parent / "migrations", HEAD, AccessUnusable
    )
    unavailable = AccessUnavailable

    def _open(self) -> None:
        try:
            create_private(self.path)
        except OSError as error:
            raise AccessUnusable(f"{self.path} cannot be made: {error.strerror}.") from error
        super()._open()
