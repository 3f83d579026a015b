"""What went wrong between this node and a peer, told to whoever keeps such things.

Nothing here holds patient data: titles, addresses, the negotiation, and sentences of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from isocenter.dimse.message import Response
from isocenter.dimse.messages import CFindRSP, CGetRSP, CMoveRSP, CStoreRSP
from isocenter.dimse.status import (
    CANCEL,
    PENDING,
    PENDING_WARNING,
    SUCCESS,
    Service,
    describe,
)
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ

Role = Literal["provider", "user"]
"""Ours on the association: the peer asked for it, or we did."""

_GOOD = frozenset({SUCCESS, PENDING, PENDING_WARNING, CANCEL})

_SERVICES: dict[type[Response], Service] = {
    CStoreRSP: Service.STORAGE,
    CFindRSP: Service.QUERY,
    CMoveRSP: Service.MOVE,
    CGetRSP: Service.GET,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An association or operation that failed.

    `peer` is the peer's host, with its port where we called it. `what` failed is a few words,
    `diagnosis` a clause for people. Request and response are what was negotiated, as far as it
    went.
    """

    role: Role
    peer: str
    what: str
    diagnosis: str
    calling_ae: str = ""
    called_ae: str = ""
    request: AssociateRQ | None = None
    response: AssociateAC | None = None


class FailureLog(Protocol):
    """Who keeps failures."""

    def record(self, failure: Failure) -> None:
        """Take one down; returns at once, from the loop's thread too."""


class NoFailureLog:
    """Keeps nothing."""

    def record(self, failure: Failure) -> None:
        """Forget it."""


def failed_operation(response: Response) -> tuple[str, str] | None:
    """What failed and how, by a response; None where all went well, or was only warned about."""
    code = response.status
    if code in _GOOD:
        return None
    status = describe(code, _SERVICES.get(type(response)))
    failed = getattr(response, "number_of_failed_suboperations", None) or 0
    if not status.is_failure and not failed:
        return None
    diagnosis = str(status)
    if failed:
        diagnosis += f", {failed} {'object' if failed == 1 else 'objects'} not sent"
    if response.error_comment:
        diagnosis += f": {response.error_comment}"
    return response.command_name.removesuffix("-RSP"), diagnosis
