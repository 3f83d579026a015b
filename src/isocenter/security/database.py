"""The access database of a node, `access.sqlite`: users, and the labels of studies."""

import os
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
    """Raises AccessUnusable; its transactions raise AccessUnavailable.

    The file is its owner's alone: it holds what passcodes can be guessed by.
    """

    migrations = Migrations(
        "an access database", Path(__file__).parent / "migrations", HEAD, AccessUnusable
    )
    unavailable = AccessUnavailable

    def _open(self) -> None:
        try:
            _make_private(self.path)
        except OSError as error:
            raise AccessUnusable(f"{self.path} cannot be made: {error.strerror}.") from error
        super()._open()


def _make_private(path: Path) -> None:
    """Make the file if it is not there; SQLite gives its log the same owner and mode."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    try:
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:  # an administrator's command, beside a node of another user
            folder = path.parent.stat()
            os.fchown(fd, folder.st_uid, folder.st_gid)
    finally:
        os.close(fd)
