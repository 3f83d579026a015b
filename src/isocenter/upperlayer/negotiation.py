"""The acceptor's answer to an A-ASSOCIATE-RQ (PS3.8 7.1.1, PS3.7 Annex D.3.3).

`refuse` says what is wrong with a request as a whole; `negotiate` answers it context by context.
Both decide nothing about services: the caller brings the decisions as callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from isocenter.upperlayer.contexts import ContextAnswer, ContextResult, ProposedContext
from isocenter.upperlayer.pdu import (
    DICOM_APPLICATION_CONTEXT,
    AssociateAC,
    AssociateRJ,
    AssociateRQ,
)
from isocenter.upperlayer.reasons import RejectResult, RejectSource, UserRejectReason
from isocenter.upperlayer.user_information import (
    ExtendedNegotiation,
    RoleSelection,
    UserIdentity,
    UserInformation,
)

Decide = Callable[[ProposedContext], ContextResult]
DecideRoles = Callable[[RoleSelection], RoleSelection | None]
AnswerExtended = Callable[[ExtendedNegotiation], bytes | None]
AnswerIdentity = Callable[[UserIdentity], bytes | None]

# The transfer syntax of a refused context is there but means nothing (PS3.8 9.3.3.2); this one is
# known to every peer.
_IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
_MAX_UID_LENGTH: Final = 64
# Echoing hostile extended negotiation must not overflow the 16-bit user information item.
_MAX_EXTENDED_BYTES: Final = 32768


def accept_context(proposed: ProposedContext, transfer_syntax: str) -> ContextResult:
    """The answer that accepts `proposed` with one of its transfer syntaxes."""
    return ContextResult(proposed.context_id, ContextAnswer.ACCEPTANCE, transfer_syntax)


def refuse_context(proposed: ProposedContext, answer: ContextAnswer) -> ContextResult:
    """The answer that refuses `proposed`."""
    return ContextResult(proposed.context_id, answer, _IMPLICIT_VR_LITTLE_ENDIAN)


def choose_transfer_syntax(proposed: ProposedContext, supported: Callable[[str], bool]) -> str:
    """The first proposed transfer syntax that is supported, in the requestor's order; "" if none.

    Requestors list first what they would rather send, so objects arrive as they are stored.
    """
    return next((uid for uid in proposed.transfer_syntaxes if supported(uid)), "")


def refuse(request: AssociateRQ) -> AssociateRJ | None:
    """The rejection of a request that no application could serve, None for all others.

    What is wrong with the bytes (even, repeated or too many identifiers) never comes this far: the
    protocol machine answers it.
    """
    if request.application_context_name != DICOM_APPLICATION_CONTEXT:
        return reject_as_user(UserRejectReason.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)
    if not request.presentation_contexts:
        return reject_as_user(UserRejectReason.NO_REASON_GIVEN)
    return None


def reject_as_user(
    reason: UserRejectReason, result: RejectResult = RejectResult.REJECTED_PERMANENT
) -> AssociateRJ:
    """An A-ASSOCIATE-RJ by the service user."""
    return AssociateRJ(result, RejectSource.SERVICE_USER, reason)


def accepts_nothing(response: AssociateAC) -> bool:
    """Whether no context is accepted; rejecting such an association spares the peer a puzzle."""
    return all(
        result.result != ContextAnswer.ACCEPTANCE for result in response.presentation_contexts
    )


def negotiate(
    request: AssociateRQ,
    decide: Decide,
    *,
    user_information: UserInformation,
    decide_roles: DecideRoles | None = None,
    asynchronous_operations_window: tuple[int, int] = (1, 1),
    answer_extended: AnswerExtended | None = None,
    answer_identity: AnswerIdentity | None = None,
) -> AssociateAC:
    """Build the A-ASSOCIATE-AC.

    `decide` answers each proposed context. `user_information` is our own: maximum length,
    implementation class and version. `decide_roles` grants roles per SOP class (None: no answer,
    which means the default roles); it cannot grant more than was proposed. The window is the
    (invoked, performed) we would grant, answered only where one was proposed and never above it.
    `answer_extended` returns the information to answer, None for no answer. `answer_identity` is
    asked only where the peer requested a positive response; verifying a user comes before this.
    """
    results = tuple(decide(proposed) for proposed in request.presentation_contexts)
    accepted_classes = _accepted_classes(request, results)
    peer = request.user_information
    answers = replace(
        user_information,
        role_selections=_answer_roles(peer, decide_roles, accepted_classes),
        asynchronous_operations_window=_answer_window(peer, asynchronous_operations_window),
        extended_negotiations=_answer_extended(peer, answer_extended, accepted_classes),
        user_identity_response=_answer_identity(peer, answer_identity),
    )
    return AssociateAC(request.called_ae_title, request.calling_ae_title, results, answers)


def _accepted_classes(request: AssociateRQ, results: tuple[ContextResult, ...]) -> set[str]:
    """The SOP classes of accepted contexts: answers about others would mean nothing."""
    return {
        proposed.abstract_syntax
        for proposed, result in zip(request.presentation_contexts, results, strict=True)
        if result.result == ContextAnswer.ACCEPTANCE
        and len(proposed.abstract_syntax) <= _MAX_UID_LENGTH
    }


def _answer_roles(
    peer: UserInformation, decide_roles: DecideRoles | None, accepted_classes: set[str]
) -> tuple[RoleSelection, ...]:
    """At most one answer per SOP class, no role that was not proposed (PS3.7 D.3.3.4.2)."""
    if decide_roles is None:
        return ()
    answers: dict[str, RoleSelection] = {}
    for proposed in peer.role_selections:
        uid = proposed.sop_class_uid
        if uid not in accepted_classes or uid in answers:
            continue
        granted = decide_roles(proposed)
        if granted is not None:
            answers[uid] = RoleSelection(
                uid,
                proposed.scu_role and granted.scu_role,
                proposed.scp_role and granted.scp_role,
            )
    return tuple(answers.values())


def _answer_window(peer: UserInformation, granted: tuple[int, int]) -> tuple[int, int] | None:
    """PS3.7 D.3.3.3.2; a peer that gets no answer to its offer may take it for granted."""
    proposed = peer.asynchronous_operations_window
    if proposed is None:
        return None
    return _smaller_window(proposed[0], granted[0]), _smaller_window(proposed[1], granted[1])


def _smaller_window(proposed: int, granted: int) -> int:
    """The smaller of two windows, where 0 is no limit."""
    if proposed == 0 or granted == 0:
        return proposed or granted
    return min(proposed, granted)


def _answer_extended(
    peer: UserInformation, answer: AnswerExtended | None, accepted_classes: set[str]
) -> tuple[ExtendedNegotiation, ...]:
    """At most one answer per SOP class (PS3.7 D.3.3.5)."""
    if answer is None:
        return ()
    answers: dict[str, ExtendedNegotiation] = {}
    room = _MAX_EXTENDED_BYTES
    for proposed in peer.extended_negotiations:
        uid = proposed.sop_class_uid
        if uid not in accepted_classes or uid in answers:
            continue
        information = answer(proposed)
        if information is not None and len(information) <= room:
            room -= len(information)
            answers[uid] = ExtendedNegotiation(uid, information)
    return tuple(answers.values())


def _answer_identity(peer: UserInformation, answer: AnswerIdentity | None) -> bytes | None:
    """PS3.7 D.3.3.7.2: only on request."""
    identity = peer.user_identity
    if answer is None or identity is None or not identity.positive_response_requested:
        return None
    return answer(identity)
