"""What became of an instance that somebody brought: one word, and a reason for a person."""

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple, Protocol


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


class Subject(Protocol):
    """What is known of an instance: its SOP class, and its header as the scanner found it."""

    @property
    def sop_class_uid(self) -> str: ...
    @property
    def header(self) -> Mapping[int, bytes]: ...


class Outcome(NamedTuple):
    """A disposition, and one sentence without patient data that explains it.

    `subject` is the instance, where its header was read before its fate was decided.
    """

    disposition: Disposition
    reason: str = ""
    subject: Subject | None = None

    @property
    def kept(self) -> bool:
        """Whether the archive has taken responsibility for the bytes."""
        return self.disposition in KEPT
