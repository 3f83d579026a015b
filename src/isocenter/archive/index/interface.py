"""What the archive asks of an index, whichever database holds it."""

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy import Connection

from isocenter.archive.index.entry import (
    IndexEntry,
    Location,
    Outcome,
    QuarantineEntry,
    Statistics,
)
from isocenter.archive.index.removal import RecordPlace

OnOutcome = Callable[[IndexEntry, Outcome], None]


class ReadableIndex(Protocol):
    """Look-ups and queries. They see everything that is committed, and block no writer."""

    def locate(self, sop_instance_uid: str) -> Location | None:
        """Return where an instance lies, None for an unknown one."""

    def connect(self) -> Connection:
        """Return a connection for one query; closing it gives it back."""

    def connect_labelled(self) -> Connection:
        """The same, for queries that ask for the labels of studies (`labels.study_label`).

        Raises IndexUnavailable where the labels cannot be read.
        """

    def unsealed_packs(self) -> list[str]:
        """Return the packs that were never sealed: those a crash may have left torn."""

    def is_sealed(self, pack: str) -> bool:
        """Whether a pack is known to be complete."""

    def list_quarantine(self, limit: int = 1000) -> list[QuarantineEntry]:
        """Return what was kept aside, newest first."""

    def is_quarantined(self, sop_instance_uid: str, digest: int) -> bool:
        """Whether this very object has been kept aside already."""

    def statistics(self) -> Statistics:
        """Count everything."""


class WritableIndex(Protocol):
    """One writer at a time, fed from any thread."""

    @property
    def healthy(self) -> bool:
        """Whether the database took the last transaction."""

    @property
    def backlog(self) -> int:
        """How many entries wait for a commit."""

    def submit(self, entry: IndexEntry, on_outcome: OnOutcome | None = None) -> None:
        """Queue an entry; `on_outcome` is called from the writer's thread after the commit.

        So `on_outcome` must not wait for the index.
        """

    def flush(self, timeout: float | None = None) -> None:
        """Return when everything submitted before is committed."""

    def seal_pack(self, pack: str, length: int, timeout: float | None = None) -> None:
        """Return when everything submitted before, and that `pack` is complete, is durable."""

    def seal_packs(self, packs: Sequence[tuple[str, int]], timeout: float | None = None) -> None:
        """Like `seal_pack`, for several packs with their lengths, in one transaction."""

    def forget_records(self, pack: str, start: int, timeout: float | None = None) -> None:
        """Delete what the index knows of `pack` at or after byte `start`, durably."""

    def record_quarantine(self, entry: QuarantineEntry, timeout: float | None = None) -> None:
        """Return when the record of an object kept aside is durable."""

    def delete_records(self, places: Sequence[RecordPlace], timeout: float | None = None) -> None:
        """Take out instances that lie at these places and no others, durably."""

    def forget_packs(self, packs: Sequence[str], timeout: float | None = None) -> None:
        """Take out packs that hold nothing any more, durably."""

    def forget_quarantined(self, paths: Sequence[str], timeout: float | None = None) -> None:
        """Take out what is no longer in quarantine, durably."""

    def forget_people(self, timeout: float | None = None) -> None:
        """Take out the physicians and operators whom nothing names any more, durably."""

    def close(self) -> None:
        """Commit what waits, then stop."""


class ArchiveIndex(ReadableIndex, WritableIndex, Protocol):
    """Both: what the archive is given."""
