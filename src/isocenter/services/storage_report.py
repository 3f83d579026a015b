"""What became of files that were sent: the result of each, and the report of all."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from isocenter.dimse.status import Status
from isocenter.encoding.files import StorableFile


class SendOutcome(Enum):
    """ACCEPTED: stored. WARNED: stored, but the peer has reservations. REFUSED: not stored."""

    ACCEPTED = "accepted"
    WARNED = "warned"
    REFUSED = "refused"


class FileResult(NamedTuple):
    """The last word on one file.

    `status` is None where the peer never answered; `reason` is one clause for people, with the
    peer's own Error Comment in it, and empty for ACCEPTED.
    """

    file: StorableFile
    outcome: SendOutcome
    status: Status | None
    reason: str = ""
    attempts: int = 1


@dataclass(slots=True)
class SendReport:
    """All results so far, in the order in which they came; wall-clock time in seconds.

    `bytes` counts data sets that the peer took, without protocol overhead. `canceled` tells that
    sending was interrupted; `unsent` are the files that nothing can be said about then.
    """

    accepted: list[FileResult] = field(default_factory=list)
    warned: list[FileResult] = field(default_factory=list)
    refused: list[FileResult] = field(default_factory=list)
    unsent: list[StorableFile] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0
    associations: int = 0
    canceled: bool = False

    @property
    def complete(self) -> bool:
        """Whether every file was stored, with or without a warning."""
        return not (self.refused or self.unsent)

    def add(self, result: FileResult) -> None:
        """Sort one result in."""
        if result.outcome is SendOutcome.REFUSED:
            self.refused.append(result)
            return
        stored = self.accepted if result.outcome is SendOutcome.ACCEPTED else self.warned
        stored.append(result)
        self.bytes += result.file.dataset_length
