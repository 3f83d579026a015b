"""What `isocenter get` and `isocenter move` share: their keys, and telling how it went."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, progress
from isocenter.cli.failures import CommandFailed
from isocenter.cli.options import PORT
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.encoding.elements import Elements
    from isocenter.services.association import Destination
    from isocenter.services.retrieve_scu import RetrieveProgress

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_OPTIONS: tuple[Decorator, ...] = (
    click.argument("peer"),
    click.argument("port", type=PORT, required=False),
    click.option(
        "-k",
        "--key",
        "keys",
        multiple=True,
        required=True,
        metavar="KEY=VALUE",
        help="Name what is wanted: StudyInstanceUID=1.2.3, SOPInstanceUID='1.2.3.4\\1.2.3.5'.",
    ),
    click.option("-P", "--patient", "model", flag_value="PATIENT", help="Patient Root model."),
    click.option("-S", "--study", "model", flag_value="STUDY", help="Study Root model (default)."),
    click.option(
        "-L",
        "--level",
        type=click.Choice(["PATIENT", "STUDY", "SERIES", "IMAGE"], case_sensitive=False),
        help="Retrieve level (default: that of the lowest key); also -k QueryRetrieveLevel=...",
    ),
    click.option(
        "--cancel", type=click.IntRange(1), metavar="N", help="Send C-CANCEL after N objects."
    ),
    click.option("--json", "as_json", is_flag=True, help="One JSON object with the outcome."),
)

_LEVEL_OF_KEY = {0x00080018: "IMAGE", 0x0020000E: "SERIES", 0x0020000D: "STUDY"}


def retrieve_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of a retrieve."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return function


def retrieve_identifier(keys: Sequence[str], level: str | None) -> Elements:
    """The identifier of a retrieve; without a level, that of the lowest unique key given."""
    from isocenter.cli.query_keys import (
        LEVELS,
        QUERY_RETRIEVE_LEVEL,
        Key,
        QueryKeyError,
        identifier,
        parse_key,
    )

    named = {key.tag: key for key in map(parse_key, keys)}
    given = named.pop(QUERY_RETRIEVE_LEVEL, None)
    if level is None and given is not None:
        level = given.value.strip().upper()
    if level is None:
        found = (text for tag, text in _LEVEL_OF_KEY.items() if tag in named and named[tag].value)
        level = next(found, "PATIENT")
    if level not in LEVELS:
        raise QueryKeyError(f"{level!r} is not a level; it is one of {', '.join(LEVELS)}.")
    return identifier([Key(QUERY_RETRIEVE_LEVEL, "CS", level), *named.values()])


def follow(responses: Iterable[RetrieveProgress], description: str) -> RetrieveProgress:
    """Show how far a retrieve is until it ends; returns its last response."""
    last: RetrieveProgress | None = None
    with progress(description) as bar:
        for last in responses:
            done = sum(filter(None, (last.completed, last.failed, last.warning)))
            total = None if last.remaining is None else done + last.remaining
            bar.update(done, total)
            say(f"{done} done, {last.remaining or 0} to go.")
    assert last is not None  # the last response ends the generator
    return last


def conclude(
    last: RetrieveProgress, command: str, destination: Destination, extra: dict[str, Any] | None
) -> None:
    """Tell how a retrieve ended; raises CommandFailed where not everything came.

    `extra` goes into one JSON object on standard output; None writes none.
    """
    counts = {name: getattr(last, name) for name in ("completed", "failed", "warning", "remaining")}
    if extra is not None:
        outcome = {
            "peer": str(destination),
            "status": f"0x{last.status.code:04X}",
            "comment": last.comment,
            **counts,
            "failed_uids": list(last.failed_uids),
        }
        click.echo(json.dumps(outcome | extra, ensure_ascii=False))
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if last.status.is_failure or last.failed:
        comment = f" ({harmless(last.comment)})" if last.comment else ""
        for uid in last.failed_uids:
            say(f"  failed: {harmless(uid)}", Verbosity.NORMAL)
        raise CommandFailed(
            f"{destination} answered {command} with {last.status}{comment}; {told or 'none done'}.",
            exit_codes.FAILED_STATUS,
        )
    ended = "" if last.status.is_success else f"; {last.status}"
    say(f"{told or 'Nothing matched'}{ended}.", Verbosity.NORMAL)
