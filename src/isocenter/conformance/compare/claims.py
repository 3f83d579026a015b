"""A statement held against a probe of the same node: what it claims, and what it does."""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.conformance.capabilities import Capabilities, Role
from isocenter.conformance.compare.results import Claims, Difference
from isocenter.conformance.compare.sending import named
from isocenter.conformance.compare.views import Offer, View
from isocenter.dictionary.uids import uid_name

_NOTHING = Offer()


def hold_against(statement: Capabilities, probe: Capabilities) -> Claims:
    """Where they disagree; only what the probe tried is judged."""
    claimed, found = View(statement), View(probe)
    tried = probe.tried
    classes = tried.sop_classes if tried else tuple(found.offers("SCP"))
    syntaxes = frozenset(tried.transfer_syntaxes) if tried else frozenset()
    differences: list[Difference] = []
    checked = 0
    for sop_class in classes:
        ours, theirs = claimed.offer(sop_class, "SCP"), found.offer(sop_class, "SCP")
        if ours is None and theirs is None:
            continue
        checked += 1
        differences += _of_class(sop_class, "SCP", ours or _NOTHING, theirs or _NOTHING, syntaxes)
        differences += _roles(sop_class, claimed, found)
        if ours is not None and theirs is not None:
            differences += _options(sop_class, ours, theirs)
    differences += _parameters(statement, probe)
    differences += _transport(statement, probe)
    complete = tried is None or tried.complete
    return Claims(
        statement=statement.title,
        probe=probe.title,
        checked=checked,
        differences=tuple(differences),
        not_checked=tuple(_not_checked(claimed, set(classes), complete=complete)),
    )


def are_of_one_node(one: Capabilities, other: Capabilities) -> bool:
    """Whether a probe and another document seem to be about one implementation."""
    uids = {one.product.implementation_class_uid, other.product.implementation_class_uid}
    return len(uids) == 1 and "" not in uids and (one.kind == "probe") != (other.kind == "probe")


def _of_class(
    sop_class: str, role: Role, ours: Offer, theirs: Offer, tried: frozenset[str]
) -> Iterator[Difference]:
    name = uid_name(sop_class)
    claimed = [uid for uid in ours.accepts if not tried or uid in tried]
    missing = tuple(uid for uid in claimed if uid not in theirs.accepts)
    unclaimed = tuple(uid for uid in theirs.accepts if uid not in ours.accepts)
    if missing:
        what = named(missing) if theirs.accepts else "any transfer syntax"
        yield Difference(
            kind="claimed-not-done",
            subject=f"{name}, {role}",
            text=f"it claims {name} as {role}, and does not accept it in {what}",
            sop_class=sop_class,
            transfer_syntaxes=missing,
        )
    if unclaimed:
        yield Difference(
            kind="done-not-claimed",
            subject=f"{name}, {role}",
            text=f"it accepts {name} as {role} in {named(unclaimed)}, which it does not claim",
            sop_class=sop_class,
            transfer_syntaxes=unclaimed,
        )


def _roles(sop_class: str, claimed: View, found: View) -> Iterator[Difference]:
    """Whether it takes the SCU role as an acceptor, as C-GET needs."""
    ours, theirs = claimed.offer(sop_class, "SCU"), found.offer(sop_class, "SCU")
    claims = ours is not None and bool(ours.accepts)
    does = theirs is not None and bool(theirs.accepts)
    if claims == does:
        return
    name = uid_name(sop_class)
    yield Difference(
        kind="claimed-not-done" if claims else "done-not-claimed",
        subject=f"{name}, SCU by role selection",
        text=f"it {'claims' if claims else 'takes'} the SCU role of {name} by role selection, and "
        f"does not {'take' if claims else 'claim'} it",
        sop_class=sop_class,
    )


def _options(sop_class: str, ours: Offer, theirs: Offer) -> Iterator[Difference]:
    name = uid_name(sop_class)
    if missing := [one for one in ours.options if one not in theirs.options]:
        yield Difference(
            kind="claimed-not-done",
            subject=f"{name}, extended negotiation",
            text=f"it claims {', '.join(missing)} for {name}, and does not grant it",
            sop_class=sop_class,
        )
    if more := [one for one in theirs.options if one not in ours.options]:
        yield Difference(
            kind="done-not-claimed",
            subject=f"{name}, extended negotiation",
            text=f"it grants {', '.join(more)} for {name}, which it does not claim",
            sop_class=sop_class,
        )


def _parameters(statement: Capabilities, probe: Capabilities) -> Iterator[Difference]:
    ours = next((one for one in statement.entities if one.accepts), None)
    theirs = next((one for one in probe.entities if one.accepts), None)
    if ours is None or theirs is None:
        return
    pairs = (
        (
            "maximum PDU",
            ours.association.maximum_pdu,
            theirs.association.maximum_pdu,
        ),
        (
            "operations performed at a time, of 8 that were proposed",
            _least(ours.association.operations_performed),
            theirs.association.operations_performed,
        ),
        (
            "storage of unknown SOP classes",
            ours.stores_unknown_sop_classes,
            theirs.stores_unknown_sop_classes,
        ),
        ("check of the called AE title", ours.checks_called_ae, theirs.checks_called_ae),
        ("check of the calling AE title", ours.checks_calling_ae, theirs.checks_calling_ae),
    )
    for subject, claimed, found in pairs:
        if claimed is not None and found is not None and claimed != found:
            yield Difference(
                kind="different",
                subject=subject,
                text=f"it claims {_said(claimed)} and does {_said(found)}: {subject}",
            )


def _least(window: int | None) -> int | None:
    return window if window is None else min(window or 8, 8)


def _said(value: int | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _transport(statement: Capabilities, probe: Capabilities) -> Iterator[Difference]:
    measured = next((one for one in probe.connections if one.tls and one.tls.versions), None)
    if measured is None or measured.tls is None:
        return
    claimed = [one for one in statement.connections if one.tls is not None]
    same_port = [one for one in claimed if one.port == measured.port]
    told = next((one.tls for one in (*same_port, *claimed)), None)
    if told is None:
        yield Difference(
            kind="done-not-claimed", subject="TLS", text="it speaks TLS and does not claim it"
        )
        return
    for subject, ours, theirs in (
        ("TLS versions", set(told.versions), set(measured.tls.versions)),
        (
            "cipher suites of TLS 1.2",
            {one.name for one in told.suites if one.version == "TLS 1.2"},
            {one.name for one in measured.tls.suites if one.version == "TLS 1.2"},
        ),
    ):
        if missing := sorted(ours - theirs):
            text = f"it claims {', '.join(missing)}, and does not take it"
            yield Difference(kind="claimed-not-done", subject=subject, text=text)
        if more := sorted(theirs - ours):
            text = f"it takes {', '.join(more)}, which it does not claim"
            yield Difference(kind="done-not-claimed", subject=subject, text=text)


def _not_checked(claimed: View, tried: set[str], *, complete: bool) -> Iterator[str]:
    left = [uid for uid, offer in claimed.offers("SCP").items() if offer.accepts]
    if left := [uid for uid in left if uid not in tried]:
        yield f"{len(left)} SOP classes that the probe did not ask about"
    if not complete:
        yield "whatever came after the probe was cut off"
    yield "what it asks others for: a probe sees only what a node answers"
