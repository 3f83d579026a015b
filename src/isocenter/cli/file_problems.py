"""The files that a command could not take, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural
from isocenter.cli.verbosity import Verbosity, verbosity

SHOWN_PER_REASON = 3

_EXPECTED_IN_DIRECTORIES = ("not a DICOM file", "a DICOMDIR")

Problem = tuple[Path | str, str]


def show_problems(problems: Sequence[Problem], verb: str) -> None:
    """List files by reason on standard error: all with -v, else the first few of each."""
    if verbosity() == Verbosity.QUIET or not problems:
        return
    by_reason: dict[str, list[str]] = {}
    for path, reason in problems:
        by_reason.setdefault(reason, []).append(str(path))
    for reason, paths in by_reason.items():
        click.echo(f"{verb} {plural(len(paths), 'file')}: {harmless(reason)}", err=True)
        shown = paths if verbosity() >= Verbosity.VERBOSE else paths[:SHOWN_PER_REASON]
        for path in shown:
            click.echo(f"  {harmless(path)}", err=True)
        if len(shown) < len(paths):
            click.echo(f"  ... and {len(paths) - len(shown):,} more (-v lists all)", err=True)


def input_exit_code(usable: int, problems: Sequence[Problem], named: Sequence[str]) -> int:
    """The exit code for a command that reads files; `named` stood on its command line.

    Other people's directories hold DICOMDIRs, notes and viewers beside the objects: passing over
    those is no error, unless they were asked for by name.
    """
    if not usable:
        return exit_codes.NO_VALID_INPUT if problems else exit_codes.NO_INPUT
    grave = any(
        str(path) in named or not reason.startswith(_EXPECTED_IN_DIRECTORIES)
        for path, reason in problems
    )
    return exit_codes.INVALID_INPUT if grave else exit_codes.SUCCESS
