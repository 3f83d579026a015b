"""Asking for storage commitment, and telling what came of it, for `commit` and `store --commit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, show_table
from isocenter.cli.options import PORT
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.services.association import Destination
    from isocenter.services.storage_commitment import Reference
    from isocenter.services.storage_commitment_scu import CommitmentOutcome, Verdict

SHOWN = 20
"""Instances that are not committed, named one by one without -v."""


def commitment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --wait and --listen."""
    wait = click.option(
        "--wait",
        type=click.FloatRange(0, 86400),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for the peer's report.",
    )
    listen = click.option(
        "--listen",
        type=PORT,
        metavar="PORT",
        help="Also take the report on an association that the peer makes to this port, where it "
        "must know us by our AE title.",
    )
    return wait(listen(function))


def request_commitment(
    destination: Destination,
    references: Iterable[Reference],
    *,
    wait: float,
    listen: int | None,
    transaction_uid: str | None = None,
) -> CommitmentOutcome:
    """Ask the peer, and wait for its reports. Raises what `commit_instances` does."""
    from isocenter.services.storage_commitment_scu import commit_instances

    if listen is None:
        return commit_instances(destination, references, wait=wait, transaction_uid=transaction_uid)
    from isocenter.cli.local_archive import log_to_standard_error
    from isocenter.services.storage_commitment_listener import ReportListener

    log_to_standard_error()
    tls = None if destination.answering_tls is None else destination.answering_tls()
    with ReportListener(listen, tls=tls) as listener:
        say(f"Waiting for reports on port {listener.port}, too.")
        return commit_instances(
            destination,
            references,
            wait=wait,
            listener=listener,
            transaction_uid=transaction_uid,
        )


def verdict_in_words(verdict: Verdict) -> str:
    """ "committed", "not committed: 0112H no such object instance", or that nothing is known."""
    from isocenter.services.storage_commitment import describe_reason

    if verdict.committed:
        return "committed"
    if verdict.reason is None:
        return "not reported"
    return f"not committed: {describe_reason(verdict.reason)}"


def show_outcome(outcome: CommitmentOutcome) -> None:
    """A table of how many got which verdict, and each instance that is not committed."""
    words = {one: verdict_in_words(verdict) for one, verdict in outcome.verdicts.items()}
    counts = Counter(words.values())
    show_table(("Commitment", "Instances"), [(word, f"{n:,}") for word, n in counts.items()])
    troubled = [(one.sop_instance_uid, word) for one, word in words.items() if word != "committed"]
    shown = troubled[:SHOWN]
    for uid, word in troubled:
        level = Verbosity.NORMAL if (uid, word) in shown else Verbosity.VERBOSE
        say(harmless(f"  {uid}  {word}"), level)
    if len(troubled) > len(shown):
        say(f"  ... {len(troubled) - len(shown):,} more (-v lists all)", Verbosity.NORMAL)
    for uid in outcome.unreported:
        say(
            f"No report about transaction {uid} came in time; ask again with --transaction {uid}, "
            "wait longer (--wait), or listen for it (--listen).",
            Verbosity.NORMAL,
        )


def outcome_as_json(outcome: CommitmentOutcome) -> dict[str, Any]:
    """The outcome for programs."""
    return {
        "committed": sum(verdict.committed for verdict in outcome.verdicts.values()),
        "complete": outcome.complete,
        "transactions": outcome.transactions,
        "unreported": outcome.unreported,
        "instances": [
            {
                "sop_class_uid": one.sop_class_uid,
                "sop_instance_uid": one.sop_instance_uid,
                "committed": verdict.committed,
                "failure_reason": None if verdict.reason is None else f"0x{verdict.reason:04X}",
            }
            for one, verdict in outcome.verdicts.items()
        ],
    }


def outcome_exit_code(outcome: CommitmentOutcome) -> int:
    """Whether everything is committed; that nothing is known of some is told apart."""
    if outcome.complete:
        return exit_codes.SUCCESS
    failed = any(verdict.reason is not None for verdict in outcome.verdicts.values())
    return exit_codes.FAILED_STATUS if failed else exit_codes.NO_CONNECTION
