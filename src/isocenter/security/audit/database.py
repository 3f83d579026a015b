"""The audit database of a node, `audit.sqlite`."""

from pathlib import Path

from isocenter.database.database import Database
from isocenter.database.migration import Migrations
from isocenter.database.private_file import create_private
from isocenter.errors import IsocenterError

HEAD = "0001"

OWNER_ONLY = 0o600
"""The trail names patients: its files are for the account that the node runs under."""


class AuditUnusable(IsocenterError):
    """The file is no audit database, or a newer Isocenter's."""


class AuditUnavailable(IsocenterError):
    """The audit database did not take or give what it was asked."""


class AuditDatabase(Database):
    """Raises AuditUnusable; its transactions raise AuditUnavailable."""

    migrations = Migrations(
        "an audit database", Path(__file__).parent / "migrations", HEAD, AuditUnusable
    )
    unavailable = AuditUnavailable

    def _open(self) -> None:
        try:
            create_private(self.path)
        except OSError as error:
            raise AuditUnusable(f"{self.path.name} cannot be written: {error.strerror}.") from error
        super()._open()
