"""What became of a retrieve that took one request or several."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.dimse.status import Status
from isocenter.errors import IsocenterError
from isocenter.services.retrieve_scu import RetrieveProgress


@dataclass(slots=True)
class RetrieveOutcome:
    """What became of one or several requests; `status` is the gravest of their final ones.

    `broken` is the error that ended the association, and with it the requests, too early.
    """

    status: Status | None = None
    comment: str = ""
    completed: int = 0
    failed: int = 0
    warning: int = 0
    remaining: int = 0
    failed_uids: list[str] = field(default_factory=list)
    requests: int = 0
    broken: IsocenterError | None = None

    @property
    def done(self) -> int:
        """Sub-operations that have ended, well or not."""
        return self.completed + self.failed + self.warning

    def add(self, last: RetrieveProgress) -> None:
        """Take in the final response of a request."""
        self.requests += 1
        self.completed += last.completed or 0
        self.failed += last.failed or 0
        self.warning += last.warning or 0
        self.remaining += last.remaining or 0
        self.failed_uids += last.failed_uids
        if self.status is None or _gravity(last.status) > _gravity(self.status):
            self.status, self.comment = last.status, last.comment


def _gravity(status: Status) -> int:
    if status.is_failure:
        return 3
    return 0 if status.is_success else 1 + status.is_warning
