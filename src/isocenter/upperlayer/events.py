"""What the core reports: the indications and confirmations of PS3.8 section 7.

Nothing is printed or logged below the driver; these are the facts a driver acts on and may log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ, AssociateRQ
from isocenter.upperlayer.reasons import AbortSource


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """A-ASSOCIATE indication: answer with `accept` or `reject`."""

    request: AssociateRQ


@dataclass(frozen=True, slots=True)
class AssociationAccepted:
    """A-ASSOCIATE confirmation (accept)."""

    response: AssociateAC


@dataclass(frozen=True, slots=True)
class AssociationRejected:
    """A-ASSOCIATE confirmation (reject), from the peer; the transport closes."""

    reject: AssociateRJ


class DataReceived(NamedTuple):
    """P-DATA indication: bytes of one PDV, perhaps only a part of it.

    `is_last` is true only with the final bytes of a PDV that is flagged as the last fragment of
    its command set or data set. `data` is a view into the buffer given to `receive_data`, valid
    until that buffer is used again: whoever keeps bytes copies them. `data` is empty only where
    the PDV is.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """A-RELEASE indication: answer with `confirm_release`, also in a release collision."""


@dataclass(frozen=True, slots=True)
class Released:
    """A-RELEASE confirmation: the peer agreed to our release."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """A-ABORT or A-P-ABORT indication: the association is over.

    `by_peer` is false when our side broke it off: the peer violated the protocol or let a deadline
    pass (`timed_out`); `diagnosis` then says in one clause what it did. An abort that the local
    user asked for is not reported back. `source` and `reason` are those on the wire (PS3.8 9.3.8).
    """

    source: int
    reason: int
    by_peer: bool
    diagnosis: str = ""
    timed_out: bool = False

    @property
    def by_provider(self) -> bool:
        """True for an A-P-ABORT, false for an A-ABORT by the service user."""
        return self.source == AbortSource.SERVICE_PROVIDER


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A-P-ABORT indication: the transport connection closed under a living association."""


Event = (
    AssociationRequested
    | AssociationAccepted
    | AssociationRejected
    | DataReceived
    | ReleaseRequested
    | Released
    | Aborted
    | ConnectionLost
)
