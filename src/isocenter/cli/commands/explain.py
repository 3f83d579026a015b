"""`isocenter explain`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import archive_options, existing_archive_config
from isocenter.cli.negotiation_text import negotiation_lines
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from pathlib import Path

    from isocenter.archive.workflow.failures import FailureEntry, KeptFailure
    from isocenter.server.config import Config


class _FailureId(click.IntRange):
    name = "number of a failure"  # click says "is not a valid ..."


@click.command("explain")
@click.argument("number", metavar="[ID]", type=_FailureId(1), required=False)
@click.option(
    "--last",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Show the last N failures.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, negotiations in it.")
@archive_options
@verbosity_options
def command(
    number: int | None, last: int, as_json: bool, config: str | None, data: str | None
) -> None:
    """Show what failed lately on this node, and why.

    That is associations that were rejected, aborted or lost, and operations that ended in a
    failure, in both directions. With an ID, one failure whole, with what was negotiated. Works
    while a node is running.
    """
    settings = existing_archive_config(config, data)
    if number is None:
        kept = _newest(settings, last)
        if as_json:
            show_json([_as_json(one) for one in kept])
        else:
            _show_table(kept)
        return
    found = _find(settings, number)
    if found is None:
        raise CommandFailed(
            f"There is no failure {number}; `isocenter explain` lists those that are kept.",
            exit_codes.SYNTAX,
        )
    if as_json:
        show_json(_as_json(found))
    else:
        _show_whole(found)


def _newest(config: Config, count: int) -> list[KeptFailure]:
    from isocenter.archive.workflow import Workflow
    from isocenter.archive.workflow.failures import newest_failures

    path = _path(config)
    if not path.is_file():
        return []
    with Workflow(path) as workflow:
        return newest_failures(workflow, count)


def _find(config: Config, number: int) -> KeptFailure | None:
    from isocenter.archive.workflow import Workflow
    from isocenter.archive.workflow.failures import find_failure

    path = _path(config)
    if not path.is_file():
        return None
    with Workflow(path) as workflow:
        return find_failure(workflow, number)


def _path(config: Config) -> Path:
    from isocenter.archive.layout import WORKFLOW_FILE

    return config.node.data_directory / WORKFLOW_FILE


def _show_table(kept: Sequence[KeptFailure]) -> None:
    if not kept:
        say("Nothing has failed that is remembered.", Verbosity.NORMAL)
        return
    rows = [
        (
            str(number),
            _moment(entry.happened_at),
            f"{entry.occurrences:,}",
            _who(entry),
            entry.what,
            entry.diagnosis,
        )
        for number, entry in kept
    ]
    show_table(("ID", "When", "Times", "Peer", "What", "Diagnosis"), rows)


def _who(entry: FailureEntry) -> str:
    """The peer's title and place: the caller where it called us, else whom we called."""
    title = entry.calling_ae if entry.role == "provider" else entry.called_ae
    return f"{title}@{entry.peer}" if title else entry.peer


def _show_whole(kept: KeptFailure) -> None:
    entry = kept.entry
    facts = [
        ("Failure", str(kept.id)),
        ("When", _when(entry)),
        ("Peer", f"{entry.peer} ({'it called us' if entry.role == 'provider' else 'we called'})"),
        ("Calling AE title", entry.calling_ae or "-"),
        ("Called AE title", entry.called_ae or "-"),
        ("What", entry.what),
        ("Diagnosis", entry.diagnosis),
    ]
    for name, value in facts:
        click.echo(harmless(f"{name + ':':<18}{value}"))
    if entry.negotiation is not None:
        click.echo()
        for line in negotiation_lines(json.loads(entry.negotiation)):
            click.echo(harmless(line))


def _when(entry: FailureEntry) -> str:
    if entry.occurrences == 1:
        return _moment(entry.happened_at)
    return (
        f"{_moment(entry.happened_at)}, {entry.occurrences:,} times since {_moment(entry.first_at)}"
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds")


def _as_json(kept: KeptFailure) -> dict[str, Any]:
    entry = kept.entry._asdict()
    for name in ("first_at", "happened_at"):
        entry[name] = datetime.fromtimestamp(entry[name]).astimezone().isoformat()
    if entry["negotiation"] is not None:
        entry["negotiation"] = json.loads(entry["negotiation"])
    return {"id": kept.id, **entry}
