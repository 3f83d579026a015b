"""`isocenter label add`, `remove` and `list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_access import local_access
from isocenter.cli.local_archive import (
    archive_options,
    existing_archive_config,
    readable_index,
)
from isocenter.cli.verbosity import Verbosity, say, verbosity_options

if TYPE_CHECKING:
    from isocenter.server.config import Config

_json = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.group("label")
def command() -> None:
    """Say which peers and users may see a study: those with one of its labels.

    Peers have theirs in the configuration (`labels`), users from `isocenter user add --label`; who
    has none sees every study. All of these work while a node is running, and hold from its next
    query on.
    """


@command.command("add")
@click.argument("label")
@click.argument("studies", nargs=-1, required=True, metavar="STUDY-UID...")
@click.option("--force", is_flag=True, help="Also studies that are not here yet.")
@_json
@archive_options
@verbosity_options
def add(
    label: str,
    studies: tuple[str, ...],
    force: bool,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Give studies a label."""
    from isocenter.archive.study_labels import StudyLabels, check_label

    settings = existing_archive_config(config, data)
    check_label(label)
    uids = _checked_uids(studies)
    if not force:
        _require_studies(settings, uids)
    with local_access(settings) as database:
        changed = StudyLabels(database).add(label, uids)
    _tell(label, changed, len(uids), as_json, "now have")


@command.command("remove")
@click.argument("label")
@click.argument("studies", nargs=-1, metavar="STUDY-UID...")
@click.option("--all", "every", is_flag=True, help="From every study that has it.")
@_json
@archive_options
@verbosity_options
def remove(
    label: str,
    studies: tuple[str, ...],
    every: bool,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """Take a label from studies."""
    from isocenter.archive.study_labels import StudyLabels

    if every is bool(studies):
        raise click.UsageError("Name studies, or give --all.")
    settings = existing_archive_config(config, data)
    uids = None if every else _checked_uids(studies)
    with local_access(settings) as database:
        changed = StudyLabels(database).remove(label, uids)
    _tell(label, changed, changed if uids is None else len(uids), as_json, "no longer have")


@command.command("list")
@click.option("--label", metavar="LABEL", help="Only studies with this one.")
@click.option("--study", metavar="UID", help="Only this study.")
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
@_json
@archive_options
@verbosity_options
def list_(
    label: str | None,
    study: str | None,
    limit: int,
    as_json: bool,
    config: str | None,
    data: str | None,
) -> None:
    """List the studies that have labels, and these."""
    from isocenter.archive.study_labels import StudyLabels

    settings = existing_archive_config(config, data)
    with local_access(settings) as database:
        found = StudyLabels(database).list(label=label, study_uid=study, limit=limit)
    if as_json:
        show_json([{"study": uid, "labels": list(labels)} for uid, labels in found])
    elif found:
        show_table(("Study Instance UID", "Labels"), [(uid, ", ".join(ls)) for uid, ls in found])
    else:
        say("No study has such a label.", Verbosity.NORMAL)


def _checked_uids(texts: tuple[str, ...]) -> list[str]:
    from isocenter.dictionary.uids import is_valid_uid

    uids = list(dict.fromkeys(text.strip() for text in texts))
    for uid in uids:
        if not is_valid_uid(uid):
            raise CommandFailed(f"{uid[:64]!r} is no Study Instance UID.", exit_codes.SYNTAX)
    return uids


def _require_studies(settings: Config, uids: list[str]) -> None:
    from isocenter.archive.study_labels import unknown_studies

    with readable_index(settings) as index:
        unknown = unknown_studies(index, uids)
    if unknown:
        more = f" and {plural(len(unknown) - 1, 'other')}" if len(unknown) > 1 else ""
        raise CommandFailed(
            f"The archive has no study {unknown[0]}{more}; nothing was changed. With --force it "
            "is labelled before it comes.",
            exit_codes.NO_INPUT,
        )


def _tell(label: str, changed: int, asked: int, as_json: bool, now: str) -> None:
    if as_json:
        show_json({"label": label, "changed": changed, "unchanged": asked - changed})
        return
    noun = "study" if changed == 1 else "studies"
    verb = now.replace("have", "has") if changed == 1 else now
    rest = f", {asked - changed:,} as before" if asked > changed else ""
    click.echo(f"{changed:,} {noun} {verb} the label {harmless(label)}{rest}.")
