"""Sentences for what goes wrong between a requestor and its peer: who, in which phase, what next.

Text only, so that both drivers say the same thing.
"""

from __future__ import annotations

from isocenter.upperlayer.errors import AssociationAbortedError, AssociationRejectedError
from isocenter.upperlayer.events import Aborted
from isocenter.upperlayer.pdu import AssociateRJ, AssociateRQ
from isocenter.upperlayer.reasons import (
    AbortReason,
    AbortSource,
    PresentationRejectReason,
    RejectSource,
    UserRejectReason,
    describe_abort,
    describe_rejection,
)

# What a request for an association, of all PDUs, is answered with where TLS was awaited.
_REQUEST_NOT_UNDERSTOOD = (AbortSource.SERVICE_PROVIDER, AbortReason.UNRECOGNIZED_PDU)


def rejection_error(
    peer: str, request: AssociateRQ, reject: AssociateRJ
) -> AssociationRejectedError:
    """The error for an A-ASSOCIATE-RJ, with what usually cures it."""
    words = describe_rejection(reject.result, reject.source, reject.reason)
    text = f"{peer} answered the association request: {words}; {_remedy(request, reject)}."
    return AssociationRejectedError(reject.result, reject.source, reject.reason, text)


def _remedy(request: AssociateRQ, reject: AssociateRJ) -> str:
    called, calling = request.called_ae_title, request.calling_ae_title
    if reject.source == RejectSource.SERVICE_USER:
        if reject.reason == UserRejectReason.CALLED_AE_TITLE_NOT_RECOGNIZED:
            return f"it does not know itself as {called!r}: check the called AE title"
        if reject.reason == UserRejectReason.CALLING_AE_TITLE_NOT_RECOGNIZED:
            return (
                f"it does not know us as {calling!r}: register this AE title there, with our host "
                "and certificate"
            )
        return (
            f"check at the peer whether {calling!r} may call {called!r} and supports what was "
            "proposed"
        )
    if reject.source == RejectSource.SERVICE_PROVIDER_PRESENTATION:
        if reject.reason == PresentationRejectReason.LOCAL_LIMIT_EXCEEDED:
            return "it has as many associations as it allows: try again later or with fewer"
        return "it is busy: try again later"
    return "it does not accept this kind of association: look into its log"


def abort_error(
    peer: str, phase: str, aborted: Aborted, *, requested: bool = False
) -> AssociationAbortedError:
    """The error for an association that was broken off while `phase` (a participle) went on.

    `requested`: it was no association yet, but asked for.
    """
    if not aborted.by_peer:
        text = f"The association with {peer} was broken off while {phase}: {aborted.diagnosis}."
    else:
        words = describe_abort(aborted.source, aborted.reason)
        advice = "its log says why, try again after that is settled"
        if requested and (aborted.source, aborted.reason) == _REQUEST_NOT_UNDERSTOOD:
            advice = "its port may expect TLS: call it with TLS, or find its port without"
        text = f"{peer} broke off the association while {phase} ({words}); {advice}."
    return AssociationAbortedError(aborted.source, aborted.reason, text)
