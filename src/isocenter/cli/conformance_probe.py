"""`isocenter conformance probe`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.conformance_documents import deliver
from isocenter.cli.conformance_view import show_probe
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import PORT, association_options
from isocenter.cli.verbosity import say

if TYPE_CHECKING:
    from isocenter.conformance.probe.calling import Outcome
    from isocenter.conformance.probe.probe import Wish
    from isocenter.services.association import Destination

_CODES: dict[Outcome, int] = {
    "accepted": exit_codes.SUCCESS,
    "rejected": exit_codes.REJECTED,
    "unreachable": exit_codes.NO_CONNECTION,
    "silent": exit_codes.NO_CONNECTION,
}


@click.command("probe")
@click.argument("peer")
@click.argument("port", type=PORT, required=False)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 1000),
    default=20.0,
    show_default=True,
    metavar="N",
    help="Connections in a second, at most.",
)
@click.option(
    "--time",
    "seconds",
    type=click.FloatRange(1, 3600),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="End after this time, with what is known by then.",
)
@click.option(
    "--sop-class",
    "sop_classes",
    multiple=True,
    metavar="UID",
    help="Ask about this SOP class only; more than once for several (default: all of PS3.6).",
)
@click.option(
    "--transfer-syntax",
    "transfer_syntaxes",
    multiple=True,
    metavar="NAME",
    help="Ask about this transfer syntax only; more than once for several (default: all).",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Store this object at the peer, too. Without it nothing is stored.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON document.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the JSON document into FILE, for `compare`.",
)
@association_options
def probe(
    destination: Destination,
    rate: float,
    seconds: float,
    sop_classes: tuple[str, ...],
    transfer_syntaxes: tuple[str, ...],
    store: Path | None,
    as_json: bool,
    output: Path | None,
) -> None:
    """Measure what another node accepts.

    It is asked with C-ECHO and with associations that propose every SOP class in every transfer
    syntax, roles, options, an unknown SOP class and unknown AE titles; over TLS with each version
    and cipher suite, too. No object is stored, nothing is queried. What goes wrong is part of the
    result; only a peer with which there is no association makes the command fail.
    """
    from datetime import UTC, datetime

    from isocenter.conformance.documents import to_json
    from isocenter.conformance.probe.probe import Wish
    from isocenter.conformance.probe.probe import probe as run

    wish = _narrowed(Wish(rate, seconds, store=store), sop_classes, transfer_syntaxes)
    result = run(destination, wish, datetime.now(UTC), lambda step: say(f"Asking: {step}."))
    written = to_json(result.capabilities)
    if output is not None:
        deliver(written, output)
    if as_json:
        click.echo(written, nl=False)
    else:
        show_probe(result.capabilities)
    code = _CODES.get(result.outcome, exit_codes.ABORTED)
    if code != exit_codes.SUCCESS:
        first = next(iter(result.capabilities.findings), None)
        what = first.evidence or first.text if first else "The time was over before it answered."
        raise CommandFailed(f"{destination} could not be probed: {what}", code)


def _narrowed(wish: Wish, sop_classes: tuple[str, ...], syntaxes: tuple[str, ...]) -> Wish:
    from isocenter.dictionary.transfer_syntaxes import find_transfer_syntax
    from isocenter.dictionary.uids import is_valid_uid

    for uid in sop_classes:
        if not is_valid_uid(uid):
            raise click.UsageError(f"--sop-class {uid} is no UID.")
    found = [find_transfer_syntax(name) for name in syntaxes]
    if None in found:
        raise click.UsageError("--transfer-syntax is a transfer syntax of PS3.6, by name or UID.")
    uids = tuple(dict.fromkeys(syntax.uid for syntax in found if syntax is not None))
    return replace(
        wish,
        sop_classes=tuple(dict.fromkeys(sop_classes)) or wish.sop_classes,
        transfer_syntaxes=uids or wish.transfer_syntaxes,
    )
