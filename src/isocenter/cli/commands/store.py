"""`isocenter store`."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli import exit_codes
from isocenter.cli.commitment import (
    commitment_options,
    outcome_as_json,
    outcome_exit_code,
    request_commitment,
    show_outcome,
)
from isocenter.cli.console import harmless, megabytes, plural, progress, show_json, show_table
from isocenter.cli.deletion import delete_committed, facts_of, show_deleted
from isocenter.cli.failures import CommandFailed
from isocenter.cli.file_problems import input_exit_code, show_problems
from isocenter.cli.input_files import collect, take_paths
from isocenter.cli.options import association_options, no_effect, not_yet
from isocenter.cli.verbosity import Verbosity, say
from isocenter.errors import IsocenterError

if TYPE_CHECKING:
    from pathlib import Path

    from isocenter.cli.deletion import Facts
    from isocenter.encoding.files import RefusedFile
    from isocenter.services.association import Destination
    from isocenter.services.storage_report import FileResult, SendReport


@click.command("store")
@click.argument("peer", is_eager=True)
@click.argument("paths", nargs=-1, required=True, metavar="[PORT] PATH...", callback=take_paths)
@click.option(
    "-j",
    "--associations",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    metavar="N",
    help="Send over N associations at the same time.",
)
@click.option(
    "--window",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    metavar="N",
    help="Have up to N objects under way on an association, where the peer allows it.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    default=3,
    show_default=True,
    metavar="N",
    help="Try again so often, with growing pauses, when an association breaks or the peer is full.",
)
@click.option(
    "--repeat", type=click.IntRange(1, 1_000_000), default=1, metavar="N", help="Send all N times."
)
@click.option("--no-recurse", is_flag=True, help="Do not descend into subdirectories.")
@click.option(
    "+sp",
    "--scan-pattern",
    "pattern",
    metavar="PATTERN",
    help="In directories, only files with such names: '*.dcm'.",
)
@click.option("--no-echo", is_flag=True, help="Send at once, without a C-ECHO first.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, every file in it.")
@click.option(
    "--commit",
    is_flag=True,
    help="Ask for storage commitment of what was accepted, and tell what came of it.",
)
@click.option(
    "--delete", is_flag=True, help="With --commit: delete the files that the peer has committed to."
)
@commitment_options
@no_effect("+sd", "--scan-directories", why="Directories are always scanned.")
@no_effect("+r", "-r", "--recurse", why="Directories are always scanned at every depth.")
@no_effect("-R", "--required", why="Only the presentation contexts that are needed are proposed.")
@no_effect("-nh", "--no-halt", why="One refused file never ends the sending of the others.")
@not_yet(
    *("-xe", "-xb", "-xi", "-xs", "-xy", "-xx", "-xv", "-xw", "-xt", "-xu", "-xr", "-xd"),
    "preferred_syntax",
    what="no transfer syntax is chosen, each object is sent in the one it is stored in",
)
@association_options
def command(
    destination: Destination,
    paths: tuple[str, ...],
    associations: int,
    window: int,
    retries: int,
    repeat: int,
    no_recurse: bool,
    pattern: str | None,
    no_echo: bool,
    as_json: bool,
    commit: bool,
    delete: bool,
    wait: float,
    listen: int | None,
) -> int:
    """Send files and directories to a node (C-STORE).

    Each object is sent in the transfer syntax it is stored in. A C-ECHO goes first. Where more
    than 128 presentation contexts are needed, several associations are made. --wait and --listen
    are for --commit.
    """
    if delete and not commit:
        raise click.UsageError("--delete needs --commit: only what is committed is deleted.")
    from isocenter.services.storage_scu import RetryPolicy, send_files

    files, skipped = collect(paths, not no_recurse, pattern)
    if not files:
        show_problems(skipped, "Skipped")
        raise CommandFailed(
            "There is nothing to send: no DICOM object was found in what was named.",
            input_exit_code(0, skipped, paths),
        )
    say(f"{plural(len(files), 'file')} to send, {len(skipped):,} skipped.")
    before = facts_of(files) if delete else None
    with _told(len(files) * repeat) as on_result:
        report = send_files(
            files,
            replace(destination, window=window),
            associations=associations,
            repeat=repeat,
            retry=RetryPolicy(retries=retries),
            preflight=not no_echo,
            on_result=on_result,
        )
    shown: dict[str, Any] = _as_json(report, destination, skipped)
    if not as_json:
        _show(report, skipped)
    code = _exit_code(report, paths, skipped)
    try:
        if commit and (report.accepted or report.warned) and not report.canceled:
            told, found = _commit(destination, report, wait, listen, before, quiet=as_json)
            shown |= told
            if found and code in (exit_codes.SUCCESS, exit_codes.INVALID_INPUT):
                code = found
    except IsocenterError as error:
        shown["commitment"] = {"error": str(error)}
        raise
    finally:  # what was stored is worth knowing, whatever came of the rest
        if as_json:
            show_json(shown)
    return code


@contextmanager
def _told(total: int) -> Iterator[Callable[[FileResult], None]]:
    """What to call with each result as it comes: a progress bar, or lines with -v."""
    with progress("Sending", total) as bar:
        done = itertools.count(1)

        def tell(result: FileResult) -> None:
            bar.update(next(done))
            say(harmless(f"{result.outcome.value} {result.file.path} {result.reason}".rstrip()))

        yield tell


def _commit(
    destination: Destination,
    report: SendReport,
    wait: float,
    listen: int | None,
    before: dict[Path, Facts] | None,
    *,
    quiet: bool,
) -> tuple[dict[str, Any], int]:
    """Ask for commitment of what was stored; what to tell about it, and the exit code.

    `before` has the facts of the files where they are to be deleted.
    """
    from isocenter.services.storage_commitment import Reference

    stored = [result.file for result in (*report.accepted, *report.warned)]
    references = [Reference(file.sop_class_uid, file.sop_instance_uid) for file in stored]
    outcome = request_commitment(destination, references, wait=wait, listen=listen)
    told: dict[str, Any] = {"commitment": outcome_as_json(outcome)}
    code = outcome_exit_code(outcome)
    if not quiet:
        show_outcome(outcome)
    if before is not None:
        deleted, kept = delete_committed(report, outcome, before)
        told["deleted"] = [str(path) for path in deleted]
        show_deleted(deleted, kept)
        code = code or (exit_codes.UNWRITABLE_OUTPUT if kept else exit_codes.SUCCESS)
    return told, code


def _show(report: SendReport, skipped: list[RefusedFile]) -> None:
    """The table per SOP class, and the reasons for everything that did not go smoothly."""
    from isocenter.dictionary.uids import uid_name

    columns = (report.accepted, report.warned, report.refused)
    counts = [Counter(result.file.sop_class_uid for result in results) for results in columns]
    classes = sorted(set().union(*counts), key=uid_name)
    rows = [(uid_name(uid), *(f"{count[uid]:,}" for count in counts)) for uid in classes]
    if len(rows) > 1:
        rows.append(("All", *(f"{len(results):,}" for results in columns)))
    show_table(("SOP Class", "Accepted", "Warned", "Refused"), rows)
    show_problems(skipped, "Skipped")
    show_problems([(result.file.path, result.reason) for result in report.warned], "Warned about")
    show_problems([(result.file.path, result.reason) for result in report.refused], "Refused")
    if report.canceled:
        say(f"Interrupted: {plural(len(report.unsent), 'file')} not sent.", Verbosity.NORMAL)
    seconds = max(report.seconds, 1e-6)
    stored = len(report.accepted) + len(report.warned)
    say(
        f"{plural(stored, 'instance')}, {megabytes(report.bytes)} in {report.seconds:.1f} s "
        f"({stored / seconds:,.0f}/s, {megabytes(int(report.bytes / seconds))}/s) over "
        f"{plural(report.associations, 'association')}.",
        Verbosity.NORMAL,
    )


def _as_json(
    report: SendReport, destination: Destination, skipped: list[RefusedFile]
) -> dict[str, Any]:
    return {
        "peer": str(destination),
        "accepted": len(report.accepted),
        "warned": len(report.warned),
        "refused": len(report.refused),
        "unsent": len(report.unsent),
        "canceled": report.canceled,
        "bytes": report.bytes,
        "seconds": round(report.seconds, 3),
        "associations": report.associations,
        "files": [
            {
                "path": str(result.file.path),
                "sop_class_uid": result.file.sop_class_uid,
                "sop_instance_uid": result.file.sop_instance_uid,
                "transfer_syntax_uid": result.file.transfer_syntax_uid,
                "outcome": result.outcome.value,
                "status": f"0x{result.status.code:04X}" if result.status else None,
                "reason": result.reason,
                "attempts": result.attempts,
            }
            for result in (*report.accepted, *report.warned, *report.refused)
        ],
        "skipped": [{"path": str(file.path), "reason": file.reason} for file in skipped],
    }


def _exit_code(report: SendReport, paths: tuple[str, ...], skipped: list[RefusedFile]) -> int:
    """What went wrong most gravely: on the network before in the files."""
    if report.canceled:
        return exit_codes.INTERRUPTED
    if any(result.status is not None for result in report.refused):
        return exit_codes.FAILED_STATUS
    if report.refused:
        no_context = all("no presentation context" in r.reason for r in report.refused)
        return exit_codes.NO_PRESENTATION_CONTEXT if no_context else exit_codes.ABORTED
    return input_exit_code(len(report.accepted) + len(report.warned), skipped, paths)
