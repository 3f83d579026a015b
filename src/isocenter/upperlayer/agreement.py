"""What two association PDUs add up to, and what the service provider refuses by itself."""

from __future__ import annotations

from dataclasses import replace

from isocenter.upperlayer.contexts import AcceptedContext, ContextAnswer
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.limits import AssociationLimits
from isocenter.upperlayer.pdu import PROTOCOL_VERSION, AssociateAC, AssociateRJ, AssociateRQ
from isocenter.upperlayer.reasons import (
    AcseRejectReason,
    PresentationRejectReason,
    RejectResult,
    RejectSource,
)
from isocenter.upperlayer.user_information import UserInformation


def provider_refusal(request: AssociateRQ, limits: AssociationLimits) -> AssociateRJ | None:
    """Why the service provider rejects without asking its user (AE-6), None when it does not.

    A receiver tests bit 0 of the protocol version only (PS3.8 9.3.1).
    """
    if not request.protocol_version & PROTOCOL_VERSION:
        return AssociateRJ(
            RejectResult.REJECTED_PERMANENT,
            RejectSource.SERVICE_PROVIDER_ACSE,
            AcseRejectReason.PROTOCOL_VERSION_NOT_SUPPORTED,
        )
    if len(request.presentation_contexts) > limits.presentation_contexts:
        return AssociateRJ(
            RejectResult.REJECTED_TRANSIENT,
            RejectSource.SERVICE_PROVIDER_PRESENTATION,
            PresentationRejectReason.LOCAL_LIMIT_EXCEEDED,
        )
    return None


def accepted_contexts(
    request: AssociateRQ, response: AssociateAC, *, strict: bool
) -> dict[int, AcceptedContext]:
    """The contexts that `response` accepts out of those that `request` proposed, by identifier.

    An acceptance of what was not proposed is an error of ours when `strict` and is passed over
    when it came from the peer: nothing can then be sent on it, and data received on it abort.
    """
    proposed = {context.context_id: context for context in request.presentation_contexts}
    accepted = {}
    for result in response.presentation_contexts:
        context = proposed.get(result.context_id)
        if context is not None and result.result != ContextAnswer.ACCEPTANCE:
            continue
        if context is None or result.transfer_syntax not in context.transfer_syntaxes:
            if strict:
                raise LocalProtocolError(
                    f"Presentation context {result.context_id} cannot be answered with "
                    f"{result.transfer_syntax!r}: it was not proposed."
                )
            continue
        accepted[result.context_id] = AcceptedContext(
            result.context_id, context.abstract_syntax, result.transfer_syntax
        )
    return accepted


def peer_sending_length(peer: UserInformation, limits: AssociationLimits) -> int:
    """The variable field of the P-DATA-TF PDUs we send to `peer` (PS3.8 D.1).

    Raises `RemoteProtocolError` when the peer announces less than any message can live with.
    """
    announced = peer.maximum_length
    if announced == 0:
        return limits.sending_length
    if announced < limits.smallest_maximum_length:
        raise RemoteProtocolError(
            f"the peer announces a maximum length of {announced} bytes where we need "
            f"{limits.smallest_maximum_length} at least"
        )
    return min(announced, limits.sending_length)


def with_maximum_length(information: UserInformation, limits: AssociationLimits) -> UserInformation:
    """`information` announcing `limits.maximum_length` where it left the length open (0)."""
    if information.maximum_length or not limits.maximum_length:
        return information
    return replace(information, maximum_length=limits.maximum_length)
