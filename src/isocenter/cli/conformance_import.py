"""`isocenter conformance import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.conformance_documents import deliver
from isocenter.cli.console import harmless, plural
from isocenter.cli.verbosity import verbosity_options

if TYPE_CHECKING:
    from isocenter.conformance.capabilities import Capabilities
    from isocenter.conformance.exchange.plain_text import ReadText


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--text", "as_text", is_flag=True, help="FILE is the text of a statement.")
@click.option("--device", metavar="NAME", help="Which device of a directory, by its name.")
@click.option("--ae-title", metavar="AET", default="", help="With --text: the AE title.")
@click.option("--name", metavar="NAME", default="", help="With --text: what to call the node.")
@click.option(
    "--assume-syntaxes",
    is_flag=True,
    help="With --text: transfer syntaxes that stand by themselves hold for every SOP class of "
    "which none is told.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the JSON document into FILE instead of to standard output.",
)
@verbosity_options
def import_(
    file: Path,
    as_text: bool,
    device: str | None,
    ae_title: str,
    name: str,
    assume_syntaxes: bool,
    output: Path | None,
) -> None:
    """Read what somebody else tells of a node.

    FILE is LDIF or JSON with the fields of PS3.15 Annex H, or with --text the text of a conformance
    statement (of a PDF: pdftotext -layout). What could not be read is told, and is in the document.
    """
    from isocenter.conformance.documents import to_json

    if as_text:
        made = _from_text(file, ae_title, name, assume=assume_syntaxes)
    else:
        made = _from_fields(file, device)
    deliver(to_json(made), output)
    count = sum(len(entity.capabilities) for entity in made.entities)
    click.echo(
        harmless(f"{made.title}: {plural(count, 'SOP class', 'SOP classes')} in a role."),
        err=True,
    )
    for finding in made.findings:
        evidence = f" [{finding.evidence}]" if finding.evidence else ""
        click.echo(harmless(f"{finding.severity}: {finding.text}{evidence}"), err=True)


def _from_fields(file: Path, name: str | None) -> Capabilities:
    from isocenter.conformance.documents import parse_json, read_bounded
    from isocenter.conformance.errors import UnusableDescription
    from isocenter.conformance.exchange.annex_h import from_fields
    from isocenter.conformance.exchange.directory import devices_of

    data = read_bounded(file)
    _refuse_pdf(file, data)
    if data.lstrip()[:1] in (b"{", b"["):
        parsed = parse_json(data, str(file))
        devices = parsed if isinstance(parsed, list) else [parsed]
    else:
        devices = devices_of(data.decode("utf-8", "replace"))
    named = [_name(one) for one in devices]
    chosen = [one for one in devices if isinstance(one, dict) and name in (None, _name(one))]
    if len(chosen) != 1:
        shown = ", ".join(named[:10]) or "none"
        raise UnusableDescription(
            f"{file} has {plural(len(devices), 'device')}: {shown}; choose one with --device."
        )
    return from_fields(chosen[0])


def _name(device: Any) -> str:
    found = device.get("dicomDeviceName", "") if isinstance(device, dict) else ""
    return str(next(iter(found), "") if isinstance(found, list) else found)[:64]


def _from_text(file: Path, ae_title: str, name: str, *, assume: bool) -> Capabilities:
    from isocenter.conformance.documents import read_bounded
    from isocenter.conformance.exchange.plain_text import LARGEST, capabilities_of, read_text

    data = read_bounded(file, LARGEST)
    _refuse_pdf(file, data)
    read = read_text(data.decode("utf-8", "replace"))
    return capabilities_of(read, ae_title=ae_title, name=name, assume=assume or _asked(read))


def _asked(read: ReadText) -> bool:
    """Ask a person whether a list of transfer syntaxes is meant for all; nobody there says no."""
    if not (read.loose and read.without_syntaxes and sys.stdin.isatty()):
        return False
    from isocenter.cli.conformance_view import syntaxes

    count = plural(len(read.without_syntaxes), "SOP class", "SOP classes")
    return click.confirm(
        f"Do these transfer syntaxes hold for the {count} of which none is told: "
        f"{syntaxes(read.loose)}?",
        err=True,
    )


def _refuse_pdf(file: Path, data: bytes) -> None:
    from isocenter.conformance.errors import UnusableDescription

    if data.startswith(b"%PDF"):
        raise UnusableDescription(
            f"{file} is a PDF: turn it into text with pdftotext -layout, and import that with "
            "--text."
        )
