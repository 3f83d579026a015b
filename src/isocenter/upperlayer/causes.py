"""What lies behind an association that came to nothing, in a clause for whoever has to cure it.

As the acceptor sees it; what a requestor is told is in `failures`. Nothing that a peer chose freely
stands in these clauses but UIDs, so that the same cause reads the same each time.
"""

from __future__ import annotations

from isocenter.dictionary.uids import uid_name
from isocenter.upperlayer.contexts import ContextAnswer, ProposedContext
from isocenter.upperlayer.events import Aborted
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ, AssociateRQ
from isocenter.upperlayer.reasons import (
    PresentationRejectReason,
    RejectSource,
    UserRejectReason,
    describe_abort,
    describe_rejection,
)

_NAMED = 3
"""So many presentation contexts are named; the others are counted."""


def diagnose_rejection(reject: AssociateRJ, own_title: str) -> str:
    """Why this node, called `own_title`, rejected an association, and what cures it."""
    if reject.source == RejectSource.SERVICE_USER:
        if reject.reason == UserRejectReason.CALLED_AE_TITLE_NOT_RECOGNIZED:
            return f"the called AE title is not known here: call {own_title}"
        if reject.reason == UserRejectReason.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED:
            return "the application context is not that of DICOM: the peer speaks something else"
        if reject.reason == UserRejectReason.NO_REASON_GIVEN:
            return "the peer proposed no presentation context: nothing could be done with it"
    if (
        reject.source == RejectSource.SERVICE_PROVIDER_PRESENTATION
        and reject.reason == PresentationRejectReason.LOCAL_LIMIT_EXCEEDED
    ):
        return (
            "a limit of this node is exceeded, of connections or presentation contexts: the peer "
            "does not release its associations, or asks for too much ([limits])"
        )
    return describe_rejection(reject.result, reject.source, reject.reason)


def diagnose_refused_contexts(request: AssociateRQ, response: AssociateAC) -> str:
    """Why nothing can be done on an association whose contexts are all refused; else ""."""
    proposed = {context.context_id: context for context in request.presentation_contexts}
    by_result: dict[int, list[ProposedContext]] = {}
    for answer in response.presentation_contexts:
        if answer.result == ContextAnswer.ACCEPTANCE:
            return ""
        if answer.context_id in proposed:
            by_result.setdefault(answer.result, []).append(proposed[answer.context_id])
    reasons = (_diagnose_refusal(result, contexts) for result, contexts in by_result.items())
    return "none of the proposed presentation contexts was accepted: " + "; ".join(reasons)


def diagnose_abort(aborted: Aborted, *, busy: bool) -> str:
    """What an abort of an established association means; `busy`: an operation was under way."""
    if not aborted.by_peer:
        return aborted.diagnosis
    words = describe_abort(aborted.source, aborted.reason)
    if busy:
        return f"the peer gave up while it waited for an answer ({words}): its log says why"
    return f"the peer ended the association with an abort instead of a release ({words})"


def _diagnose_refusal(result: int, contexts: list[ProposedContext]) -> str:
    if result == ContextAnswer.TRANSFER_SYNTAXES_NOT_SUPPORTED:
        syntaxes = [uid for context in contexts for uid in context.transfer_syntaxes]
        return (
            f"none of the transfer syntaxes {_names(syntaxes)} is supported for "
            f"{_names([context.abstract_syntax for context in contexts])}"
        )
    names = _names([context.abstract_syntax for context in contexts])
    if result == ContextAnswer.ABSTRACT_SYNTAX_NOT_SUPPORTED:
        return f"not provided: {names}"
    if result == ContextAnswer.USER_REJECTION:
        return f"not allowed to the calling AE title: {names}"
    return f"refused without a reason: {names}"


def _names(uids: list[str]) -> str:
    distinct = list(dict.fromkeys(uids))
    named = ", ".join(uid_name(uid[:64]) for uid in distinct[:_NAMED])
    more = len(distinct) - _NAMED
    return f"{named} and {more} more" if more > 0 else named
