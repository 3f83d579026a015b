"""What became of an instance that somebody brought: one word, and a reason for a person."""

from enum import Enum
from typing import NamedTuple


class Disposition(Enum):
    """The fate of one instance. Services map it to their own status codes."""

    STORED = "stored"
    DUPLICATE = "already stored with the same bytes"
    QUARANTINED = "kept in quarantine for a person to decide"
    CONFLICT = "refused: another object is stored under this SOP Instance UID"
    INVALID_UID = "refused: a UID breaks the rules of PS3.5 9.1"
    MISMATCH = "refused: the data set is not the object that was announced"
    UNREADABLE = "refused: the data set cannot be read to its end"
    OUT_OF_RESOURCES = "refused: no room, or the disk or index does not answer"
    ABANDONED = "the sender did not finish"


KEPT = frozenset({Disposition.STORED, Disposition.DUPLICATE, Disposition.QUARANTINED})


class Outcome(NamedTuple):
    """A disposition, and one sentence without patient data that explains it."""

    disposition: Disposition
    reason: str = ""

    @property
    def kept(self) -> bool:
        """Whether the archive has taken responsibility for the bytes."""
        return self.disposition in KEPT
