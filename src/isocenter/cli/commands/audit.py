"""`isocenter audit who-saw`, `list`, `show`, `verify` and `export-status`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import archive_options
from isocenter.cli.local_audit import local_trail
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.security.audit.head import Head
    from isocenter.security.audit.lookup import Kept, Summary

_limit = click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON array.")

OUTCOMES = {0: "", 4: "failed", 8: "failed", 12: "failed"}


@click.group("audit")
def command() -> None:
    """See who did what with whose images, and whether the audit trail is intact.

    All of these work while a node is running. Each use of them is in the trail itself.
    """


@command.command("who-saw")
@click.argument("patient_id", metavar="PATIENT_ID")
@click.option("--issuer", help="Only the patient with this Issuer of Patient ID.")
@archive_options
@_limit
@_json
@verbosity_options
def who_saw_(
    patient_id: str,
    issuer: str | None,
    config: str | None,
    data: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Tell who sent, received, asked for or changed a patient's data, the newest first.

    That is every message that names the patient, or a study that another message says is theirs.
    """
    from isocenter.security.audit.lookup import who_saw

    with local_trail(config, data, f"isocenter audit who-saw {patient_id}") as trail:
        found = who_saw(trail, patient_id, issuer, limit)
    _show(found, as_json, "Nothing in the audit trail names this patient.")


@command.command("list")
@archive_options
@_limit
@_json
@verbosity_options
def list_(config: str | None, data: str | None, limit: int, as_json: bool) -> None:
    """List the messages of the trail, the newest first."""
    from isocenter.security.audit.lookup import newest

    with local_trail(config, data, "isocenter audit list") as trail:
        found = newest(trail, limit)
    _show(found, as_json, "The audit trail is empty.")


@command.command("show")
@click.argument("number", type=click.IntRange(1))
@archive_options
@verbosity_options
def show(number: int, config: str | None, data: str | None) -> None:
    """Show one message as it is: the XML of PS3.15 A.5.1."""
    from isocenter.security.audit.lookup import find_message

    with local_trail(config, data, f"isocenter audit show {number}") as trail:
        found = find_message(trail, number)
    if found is None:
        raise CommandFailed(
            f"The audit trail has no message {number}; see `isocenter audit list`.",
            exit_codes.UNREADABLE_INPUT,
        )
    click.echo(harmless(found.xml.decode("utf-8", "replace")))


@command.command("verify")
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="NUMBER:HASH",
    help="An end of the trail as an earlier `verify` told it; may be repeated.",
)
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbosity_options
def verify(expected: tuple[str, ...], config: str | None, data: str | None, as_json: bool) -> int:
    """Check that no message was changed, removed, inserted or put elsewhere.

    It tells the end of the trail as NUMBER:HASH. Whoever keeps that elsewhere can have it expected
    later, and then notices even a trail that was made anew as a whole.
    """
    from isocenter.security.audit.verification import verify_trail

    heads = [_head(text) for text in expected]
    with local_trail(config, data, "isocenter audit verify") as trail:
        found = verify_trail(trail, heads)
    fault = found.fault
    if as_json:
        show_json(
            {
                "messages": found.messages,
                "removed_through": found.removed_through,
                "head": str(found.head),
                "fault": None if fault is None else fault._asdict(),
            }
        )
    else:
        removed = found.removed_through
        behind = f" behind {removed:,} that were removed as old" if removed else ""
        click.echo(f"{plural(found.messages, 'message')} in order{behind}.")
        click.echo(f"The end is {found.head}.")
    if fault is None:
        return exit_codes.SUCCESS
    if not as_json:
        say(f"The audit trail is not what was written: {fault.sentence}.", Verbosity.QUIET)
    return exit_codes.DAMAGED_ARCHIVE


@command.command("export-status")
@archive_options
@_json
@verbosity_options
def export_status(config: str | None, data: str | None, as_json: bool) -> None:
    """Show how far the syslog server has been sent the messages, and what is in the way."""
    from isocenter.security.audit.lookup import export_states

    with local_trail(config, data, "isocenter audit export-status") as trail:
        states = export_states(trail)
    if as_json:
        show_json([state._asdict() for state in states])
        return
    if not states:
        say("No message has been sent to a syslog server yet (audit.syslog).", Verbosity.NORMAL)
        return
    show_table(
        ("Server", "Sent up to", "Waiting", "Last change", "Trouble"),
        [
            (
                state.target,
                f"{state.through:,}",
                f"{state.waiting:,}",
                _moment(state.changed_at),
                state.last_error or "",
            )
            for state in states
        ],
    )


def _head(text: str) -> Head:
    from isocenter.security.audit.head import Head

    try:
        return Head.parse(text)
    except ValueError as error:
        raise click.UsageError(f"--expect {text}: it is NUMBER:HASH, as `verify` tells it.") from (
            error
        )


def _show(found: Sequence[Kept], as_json: bool, none: str) -> None:
    from isocenter.security.audit.lookup import summarize

    summaries = [summarize(one) for one in found]
    if as_json:
        show_json([_as_json(one) for one in summaries])
        return
    if not summaries:
        say(none, Verbosity.NORMAL)
        return
    show_table(
        ("No.", "When", "What", "Who", "From", "Others", "Objects", "Outcome"),
        [_row(one) for one in summaries],
    )


def _row(one: Summary) -> tuple[str, ...]:
    who = one.requestor
    others = [actor.ae_titles or actor.user_id for actor in one.actors if actor != who]
    kinds = f" ({', '.join(one.kinds)})" if one.kinds else ""
    outcome = "; ".join(part for part in (OUTCOMES.get(one.outcome, ""), one.description) if part)
    return (
        str(one.id),
        _moment(one.moment),
        one.what + kinds,
        "" if who is None else who.user_id,
        "" if who is None else who.host,
        ", ".join(others),
        f"{one.instances:,}" if one.instances else "",
        outcome,
    )


def _as_json(one: Summary) -> dict[str, Any]:
    return {
        "id": one.id,
        "moment": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one.moment)),
        "what": one.what,
        "kinds": list(one.kinds),
        "action": one.action,
        "outcome": one.outcome,
        "description": one.description,
        "actors": [actor._asdict() for actor in one.actors],
        "studies": list(one.studies),
        "instances": one.instances,
    }


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
