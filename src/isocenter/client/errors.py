"""What can go wrong for a program, beyond what the layers below report."""

from __future__ import annotations

from isocenter.dimse.status import Status
from isocenter.errors import IsocenterError
from isocenter.services.errors import ServiceError
from isocenter.services.retrieve_outcome import RetrieveOutcome


class InputError(IsocenterError, ValueError):
    """What was to be sent cannot be: no DICOM object, or no identifier."""


class KeysNotSupported(UserWarning):
    """The peer neither matched nor returned some of the keys (FF01H, PS3.4 C.4.1.1.4)."""


class RequestFailed(ServiceError):
    """The peer did not do what it was asked to, or not all of it.

    `status` is its last word (PS3.7 Annex C), `comment` its Error Comment. `outcome` has the
    counts and the UIDs that failed where objects were to be retrieved.
    """

    def __init__(
        self,
        what: str,
        status: Status,
        comment: str = "",
        outcome: RetrieveOutcome | None = None,
    ) -> None:
        remark = f" ({comment})" if comment else ""
        counts = ""
        if outcome is not None:
            counts = f"; {outcome.completed + outcome.warning} done, {outcome.failed} failed"
        super().__init__(f"{what} ended with {status}{remark}{counts}.")
        self.status = status
        self.comment = comment
        self.outcome = outcome
