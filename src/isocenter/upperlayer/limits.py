"""How much and how long: the bounds an association holds its peer to."""

from __future__ import annotations

from dataclasses import dataclass

from isocenter.upperlayer.state_machine import State


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, all positive and finite; each is a deadline of the association.

    `artim`: no A-ASSOCIATE-RQ after connecting, or no close after the end (PS3.8 9.1.5).
    `association`: no answer to our A-ASSOCIATE-RQ. `pdu`: a PDU that began has not ended (slow
    loris). `idle`: nothing sent or received on an established association. `release`: no
    A-RELEASE-RP.
    """

    artim: float = 30.0
    association: float = 30.0
    pdu: float = 30.0
    idle: float = 600.0
    release: float = 30.0

    def of_state(self, state: State) -> float | None:
        """How long `state` may last; None where the local user is the one awaited."""
        if state in (State.Sta2, State.Sta13):
            return self.artim
        if state is State.Sta5:
            return self.association
        if state is State.Sta6:
            return self.idle
        if state in (State.Sta7, State.Sta10, State.Sta11):
            return self.release
        return None


@dataclass(frozen=True, slots=True)
class AssociationLimits:
    """Bytes and counts.

    `maximum_length`: variable field of a P-DATA-TF that we advertise and enforce, 0 for no limit
    (PS3.8 D.1). `sending_length`: the most we put in one P-DATA-TF, whatever the peer would take.
    `smallest_maximum_length`: a peer that announces less (but not 0) would make each message cost
    thousands of PDUs; it is turned away. `association_pdu`: variable field of an association PDU.
    """

    maximum_length: int = 131072
    sending_length: int = 131072
    smallest_maximum_length: int = 128
    association_pdu: int = 1 << 20
    presentation_contexts: int = 128


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_LIMITS = AssociationLimits()
