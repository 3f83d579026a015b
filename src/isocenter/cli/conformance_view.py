"""What people are shown of probes and comparisons: SOP classes that are alike share a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from isocenter.cli.console import harmless, plural, show_table
from isocenter.dictionary.sop_classes import is_storage
from isocenter.dictionary.transfer_syntaxes import TRANSFER_SYNTAXES, transfer_syntax_keyword
from isocenter.dictionary.uids import uid_name

if TYPE_CHECKING:
    from isocenter.conformance.capabilities import Capabilities
    from isocenter.conformance.compare.results import Claims, Comparison, Sending

_NAMED_CLASSES = 2
_NAMED_SYNTAXES = 4
_WELL_KNOWN = frozenset(f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "4", "1", "7"))
"""CT, MR, CR, secondary capture: what stands for a row of many classes."""


def show_probe(document: Capabilities) -> None:
    """A probe: who it is, what it takes, what was noticed."""
    tried = document.tried
    for entity in (one for one in document.entities if one.accepts):
        product = document.product
        who = product.implementation_version_name or "An unnamed implementation"
        association = entity.association
        window = (
            "one operation at a time"
            if association.operations_performed in (None, 1)
            else f"{association.operations_performed or 'any number of'} operations at a time"
        )
        pdu = association.maximum_pdu
        told = "" if pdu is None else f", PDUs of {pdu or 'any number of'} bytes, {window}"
        click.echo(harmless(f"{who} ({product.implementation_class_uid or 'no UID'}){told}."))
    for connection in document.connections:
        if connection.tls is not None:
            click.echo(harmless(_tls(document)))
    rows = _grouped_capabilities(document)
    if rows:
        show_table(("SOP class", "Role", "Transfer syntaxes", "Options"), rows)
    for finding in document.findings:
        evidence = f" [{finding.evidence}]" if finding.evidence else ""
        click.echo(harmless(f"{finding.severity}: {finding.text}{evidence}"))
    if tried is not None:
        click.echo(
            f"{plural(tried.associations, 'association')}, "
            f"{plural(tried.presentation_contexts, 'presentation context')}, "
            f"{tried.seconds:.1f} s{'' if tried.complete else '; not complete'}."
        )


def show_comparison(result: Comparison, *, every: bool) -> None:
    """From A to B; with `every` a row for each SOP class."""
    transport = result.transport
    over = {"yes": "Over TLS: yes", "no": "Over TLS: no", "unknown": "Over TLS: not known"}
    ways = [*transport.versions, *transport.reasons]
    suffix = f" ({'; '.join(ways)})" if ways else ""
    click.echo(harmless(f"From {result.sender} to {result.receiver}."))
    click.echo(harmless(f"{over.get(transport.over_tls, transport.over_tls)}{suffix}."))
    for remark in result.remarks:
        click.echo(harmless(remark))
    if result.storage:
        click.echo("\nObjects that are sent")
        headings = ("SOP class", "Sent", "As they are", "Converted from", "Lossless", "Why")
        show_table(headings, _sendings(result.storage, every=every))
    if result.services:
        click.echo("\nServices that are used")
        show_table(
            ("SOP class", "Works", "Transfer syntaxes", "Options", "Why"),
            [
                (
                    one.name,
                    one.verdict,
                    syntaxes(one.transfer_syntaxes),
                    ", ".join(one.options) or "-",
                    "; ".join(one.reasons) or "-",
                )
                for one in result.services
            ],
        )


def show_claims(result: Claims) -> None:
    """Where a statement and a probe differ."""
    click.echo(
        harmless(
            f"{result.statement} was held against a probe of {result.probe}: "
            f"{plural(result.checked, 'SOP class', 'SOP classes')} compared, "
            f"{plural(len(result.differences), 'difference')}."
        )
    )
    if result.differences:
        words = {
            "claimed-not-done": "claimed, not done",
            "done-not-claimed": "done, not claimed",
            "different": "different",
        }
        show_table(
            ("What", "About", "In words"),
            [(words[one.kind], one.subject, one.text) for one in result.differences],
        )
    for one in result.not_checked:
        click.echo(f"Not checked: {one}.")


def syntaxes(uids: Sequence[str]) -> str:
    """A few by keyword, many by their number."""
    if len(uids) == len(TRANSFER_SYNTAXES):
        return f"all {len(uids)} of PS3.6"
    names = [transfer_syntax_keyword(uid) for uid in uids]
    shown = ", ".join(names[:_NAMED_SYNTAXES])
    more = len(names) - _NAMED_SYNTAXES
    return (f"{shown} and {more} more" if more > 0 else shown) or "-"


def _classes(uids: Sequence[str]) -> str:
    names = [uid_name(uid) for uid in sorted(uids, key=lambda uid: uid not in _WELL_KNOWN)]
    if len(names) <= _NAMED_CLASSES:
        return ", ".join(names)
    if all(map(is_storage, uids)):
        return f"{names[0]} and {len(names) - 1} more for storage"
    return f"{', '.join(names[:_NAMED_CLASSES])} and {len(names) - _NAMED_CLASSES} more"


def _grouped_capabilities(document: Capabilities) -> list[tuple[str, ...]]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for entity in document.entities:
        for one in entity.capabilities:
            kind = "storage" if is_storage(one.sop_class) else one.sop_class
            role = f"{one.role} by role selection" if one.by_role_selection else one.role
            key = (kind, role, syntaxes(one.syntaxes), ", ".join(one.options) or "-")
            alike.setdefault(key, []).append(one.sop_class)
    return [(_classes(uids), *key[1:]) for key, uids in alike.items()]


def _sendings(sendings: Iterable[Sending], *, every: bool) -> list[tuple[str, ...]]:
    alike: dict[tuple[str, ...], list[str]] = {}
    for one in sendings:
        key = (
            one.verdict,
            syntaxes(one.as_they_are),
            syntaxes([each.source for each in one.converted]),
            {True: "yes", False: "no", None: "-"}[one.lossless],
            "; ".join(one.reasons) or "-",
        )
        alike.setdefault((*key, one.sop_class) if every else key, []).append(one.sop_class)
    return [(_classes(uids), *key[:5]) for key, uids in alike.items()]


def _tls(document: Capabilities) -> str:
    lines = []
    for connection in document.connections:
        tls = connection.tls
        if tls is None:
            continue
        lines.append(
            f"TLS: {', '.join(tls.versions) or 'none'}; "
            f"{', '.join(suite.name for suite in tls.suites) or 'no suite'}; "
            f"client certificate {tls.client_certificate}; {tls.certificate or 'no certificate'}."
        )
    return " ".join(lines)
