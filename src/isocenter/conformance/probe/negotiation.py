"""The single questions of a probe: C-ECHO, roles, extended negotiation, window, unknown names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from isocenter.conformance.probe.calling import Answer, Caller
from isocenter.conformance.probe.findings import Findings
from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    STORAGE_COMMITMENT_PUSH,
    is_storage,
)
from isocenter.dictionary.uids import uid_name
from isocenter.dimse.status import Status
from isocenter.services.association import MAX_CONTEXTS, ClientAssociation
from isocenter.services.query_options import QueryOptions
from isocenter.services.query_retrieve_scu import find_context
from isocenter.services.service_names import service_name
from isocenter.services.verification_scu import VERIFICATION_CONTEXT
from isocenter.upperlayer.contexts import ContextAnswer
from isocenter.upperlayer.reasons import RejectSource, UserRejectReason
from isocenter.upperlayer.user_information import ExtendedNegotiation, RoleSelection

UNKNOWN_SOP_CLASS = "2.25.241208532931876352034127834127610284051"
"""Of no service: made for this question."""

NOBODY = "NOBODY-IS-CALLED"
WINDOW = 8

_REFUSALS = {
    ContextAnswer.USER_REJECTION: "user rejection",
    ContextAnswer.NO_REASON: "no reason",
    ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract syntax not supported",
    ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer syntaxes not supported",
}


@dataclass(slots=True)
class Negotiated:
    """What the single questions found out; None where it is not known."""

    first: Answer
    verification: bool = False
    window: tuple[int, int] | None = None
    roles: set[str] = field(default_factory=set)
    """SOP classes for which the peer is SCU where we asked to be SCP."""
    options: dict[str, QueryOptions] = field(default_factory=dict)
    stores_unknown: bool | None = None
    checks_called: bool | None = None
    checks_calling: bool | None = None


def ask_first(caller: Caller, findings: Findings) -> Negotiated:
    """C-ECHO, and with it what the peer says of itself. Raises TimeIsUp."""
    statuses: list[Status] = []

    def echo(association: ClientAssociation) -> None:
        if association.transport.accepted_contexts:
            statuses.append(association.echo())

    answer = caller.call([VERIFICATION_CONTEXT], window=(WINDOW, WINDOW), use=echo)
    negotiated = Negotiated(answer)
    if not answer.accepted:
        findings.unusable(answer)
        return negotiated
    context = answer.contexts[0]
    negotiated.verification = context.usable
    negotiated.window = answer.information.asynchronous_operations_window or (1, 1)
    if not negotiated.verification:
        findings.fail(
            "verification-refused",
            "The peer accepts associations and refuses Verification, which every acceptor must "
            "support (PS3.2 7.1).",
            refusal(context.result),
        )
    elif answer.trouble:
        findings.fail("echo-failed", "C-ECHO got no good answer.", answer.trouble)
    elif not statuses[0].is_success:
        findings.fail("echo-status", "C-ECHO was answered with a failure.", str(statuses[0]))
    if answer.information.maximum_length == 0:
        findings.note("pdu-unlimited", "The peer announces no limit for PDUs.")
    return negotiated


def ask_unknown(caller: Caller, negotiated: Negotiated, findings: Findings) -> None:
    """A SOP class, a called and a calling AE title that nobody knows. Raises TimeIsUp."""
    answer = caller.call([VERIFICATION_CONTEXT, find_context(UNKNOWN_SOP_CLASS)])
    if answer.accepted:
        result = answer.contexts[1].result
        negotiated.stores_unknown = answer.contexts[1].usable
        if negotiated.stores_unknown:
            findings.note("unknown-sop-class-accepted", "A private SOP class is accepted.")
        else:
            text = f"A private SOP class is refused: {refusal(result)}."
            findings.note("unknown-sop-class-refused", text)
    else:
        text = f"Proposing a private SOP class ends the association ({answer.outcome})."
        findings.warn("unknown-sop-class-not-survived", text, answer.text)
    negotiated.checks_called = _checked(
        caller.call([VERIFICATION_CONTEXT], called_ae=NOBODY),
        UserRejectReason.CALLED_AE_TITLE_NOT_RECOGNIZED,
        "called",
        findings,
    )
    negotiated.checks_calling = _checked(
        caller.call([VERIFICATION_CONTEXT], calling_ae=NOBODY),
        UserRejectReason.CALLING_AE_TITLE_NOT_RECOGNIZED,
        "calling",
        findings,
    )


def ask_roles(
    caller: Caller,
    accepted: Mapping[str, Sequence[str]],
    negotiated: Negotiated,
    findings: Findings,
) -> None:
    """Whether the peer lets us be SCP of what it stores, as C-GET needs. Raises TimeIsUp."""
    asked = [uid for uid in accepted if is_storage(uid) or uid == STORAGE_COMMITMENT_PUSH]
    for start in range(0, len(asked), MAX_CONTEXTS - 1):
        share = asked[start : start + MAX_CONTEXTS - 1]
        answer = caller.call(
            [VERIFICATION_CONTEXT, *((uid, accepted[uid][:1]) for uid in share)],
            roles=[RoleSelection(uid, scu_role=True, scp_role=True) for uid in share],
        )
        if not answer.accepted:
            findings.warn(
                "roles-not-survived", "Proposing roles ends the association.", answer.text
            )
            return
        granted = answer.information.role_selections
        negotiated.roles |= {one.sop_class_uid for one in granted if one.scp_role} & set(share)


def ask_extended(
    caller: Caller,
    accepted: Mapping[str, Sequence[str]],
    negotiated: Negotiated,
    findings: Findings,
) -> None:
    """Extended negotiation of queries and retrievals, with every flag set. Raises TimeIsUp."""
    asked = [uid for uid in accepted if _is_query(uid)][: MAX_CONTEXTS - 1]
    if not asked:
        return
    answer = caller.call(
        [VERIFICATION_CONTEXT, *((uid, accepted[uid]) for uid in asked)],
        extended=[ExtendedNegotiation(uid, bytes(_wish(uid))) for uid in asked],
    )
    if not answer.accepted:
        text = "Proposing extended negotiation ends the association."
        findings.warn("extended-not-survived", text, answer.text)
        return
    for one in answer.information.extended_negotiations:
        if one.sop_class_uid in asked:
            negotiated.options[one.sop_class_uid] = QueryOptions.from_information(one.information)


def refusal(result: int) -> str:
    """The answer to a context, in words."""
    if result == ContextAnswer.ACCEPTANCE:
        return "accepted in a transfer syntax that was not proposed"
    known = {int(answer): words for answer, words in _REFUSALS.items()}
    return known.get(result, f"reserved answer {result}")


def _is_query(sop_class: str) -> bool:
    named = uid_name(sop_class).upper()
    retrieves = any(word in named for word in ("- FIND", "- MOVE", "- GET"))
    return retrieves or service_name(sop_class) in ("find", "move", "get", "worklist")


def _wish(sop_class: str) -> QueryOptions:
    name = service_name(sop_class)
    if name == "find":
        return QueryOptions(*(True,) * 7)
    if sop_class == MODALITY_WORKLIST_FIND:
        return QueryOptions(True, True, True)
    return QueryOptions(relational=True)


def _checked(
    answer: Answer, reason: UserRejectReason, which: str, findings: Findings
) -> bool | None:
    """Whether a title that nobody has is turned away for that reason."""
    if answer.accepted:
        findings.note(f"unknown-{which}-ae-accepted", f"Any {which} AE title is accepted.")
        return False
    if answer.rejection is not None and answer.rejection[1:] == (RejectSource.SERVICE_USER, reason):
        findings.note(f"unknown-{which}-ae-rejected", f"An unknown {which} AE title is rejected.")
        return True
    findings.warn(
        f"unknown-{which}-ae-{answer.outcome.replace(' ', '-').lower()}",
        f"An unknown {which} AE title is turned away with another reason ({answer.outcome}).",
        answer.text,
    )
    return True
