"""A kept negotiation (`services.negotiation_record`) as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def negotiation_lines(said: dict[str, Any]) -> Iterator[str]:
    """Both sides, then each presentation context with its answer."""
    yield from _side("Requestor", said["requestor"])
    if said["acceptor"] is None:
        yield "Acceptor: did not accept the association"
    else:
        yield from _side("Acceptor", said["acceptor"])
    for context in said["contexts"]:
        yield f"Context {context['id']}: {context['abstract_syntax'] or 'no abstract syntax'}"
        chosen = context["transfer_syntax"]
        for syntax in context["transfer_syntaxes"]:
            yield f"  {'*' if syntax == chosen else '-'} {syntax}"
        yield f"  {_answer(context['answer'])}"


def _answer(answer: str) -> str:
    return "not answered" if answer == "none" else answer


def _side(name: str, side: dict[str, Any]) -> Iterator[str]:
    implementation = side["implementation_version_name"] or "an unnamed implementation"
    yield f"{name}: {implementation} ({side['implementation_class_uid'] or 'no class UID'})"
    yield f"  maximum PDU length: {side['maximum_length'] or 'no limit'}"
    window = side["asynchronous_operations_window"]
    if window is not None:
        yield f"  operations at a time: {window[0]} invoked, {window[1]} performed (0: no limit)"
    for role in side["roles"]:
        roles = [name for name in ("scu", "scp") if role[name]]
        yield f"  role of {role['sop_class']}: {' and '.join(roles).upper() or 'none'}"
    for sop_class in side["extended_negotiation"]:
        yield f"  extended negotiation for {sop_class}"
    if side["user_identity"] is not None:
        yield f"  user identity: {side['user_identity']}"
