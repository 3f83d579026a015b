"""A negotiation as plain values, for people and JSON: who proposed what, and what was answered.

Whatever a peer can send fits: lists and texts are cut where no honest peer's are as long.
"""

from __future__ import annotations

from typing import Any

from isocenter.dictionary.uids import uid_name
from isocenter.services.user_identity import identity_kind
from isocenter.upperlayer.contexts import ContextAnswer, ContextResult, ProposedContext
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ
from isocenter.upperlayer.user_information import UserInformation

LONGEST_LIST = 32
LONGEST_TEXT = 64

_ANSWERS = {
    ContextAnswer.ACCEPTANCE: "accepted",
    ContextAnswer.USER_REJECTION: "user rejection",
    ContextAnswer.NO_REASON: "no reason given",
    ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED: "abstract syntax not supported",
    ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED: "transfer syntaxes not supported",
}


def describe_answer(result: int) -> str:
    """Result/Reason of a presentation context in words (PS3.8 Table 9-18)."""
    return _ANSWERS.get(ContextAnswer(result), "") if result <= 4 else f"reserved result {result}"


def describe_negotiation(request: AssociateRQ, response: AssociateAC | None) -> dict[str, Any]:
    """Both sides' user information, and each presentation context with its answer."""
    answers = {} if response is None else {c.context_id: c for c in response.presentation_contexts}
    return {
        "requestor": _side(request.user_information),
        "acceptor": None if response is None else _side(response.user_information),
        "contexts": [
            _context(proposed, answers.get(proposed.context_id))
            for proposed in request.presentation_contexts[:128]
        ],
    }


def _side(information: UserInformation) -> dict[str, Any]:
    identity = information.user_identity
    return {
        "implementation_version_name": _text(information.implementation_version_name),
        "implementation_class_uid": _text(information.implementation_class_uid),
        "maximum_length": information.maximum_length,
        "asynchronous_operations_window": information.asynchronous_operations_window,
        "roles": [
            {"sop_class": _named(role.sop_class_uid), "scu": role.scu_role, "scp": role.scp_role}
            for role in information.role_selections[:LONGEST_LIST]
        ],
        "extended_negotiation": [
            _named(item.sop_class_uid) for item in information.extended_negotiations[:LONGEST_LIST]
        ],
        "user_identity": None if identity is None else identity_kind(identity),
    }


def _context(proposed: ProposedContext, answer: ContextResult | None) -> dict[str, Any]:
    accepted = answer is not None and answer.result == ContextAnswer.ACCEPTANCE
    return {
        "id": proposed.context_id,
        "abstract_syntax": _named(proposed.abstract_syntax),
        "transfer_syntaxes": [
            _named(syntax) for syntax in proposed.transfer_syntaxes[:LONGEST_LIST]
        ],
        "answer": "none" if answer is None else describe_answer(answer.result),
        "transfer_syntax": _named(answer.transfer_syntax) if answer and accepted else None,
    }


def _named(uid: str) -> str:
    """The registered name with the UID, or the UID alone."""
    uid = _text(uid)
    name = uid_name(uid)
    return uid if name == uid else f"{name} ({uid})"


def _text(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
