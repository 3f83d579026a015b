"""`isocenter quarantine list`."""

from __future__ import annotations

import time

import click

from isocenter.cli.console import megabytes, show_json, show_table
from isocenter.cli.local_archive import archive_config, archive_options, readable_index
from isocenter.cli.verbosity import Verbosity, say, verbosity_options


@click.group("quarantine")
def command() -> None:
    """See the objects that were set aside, and why."""


@command.command("list")
@archive_options
@click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@verbosity_options
def list_(config: str | None, data: str | None, limit: int, as_json: bool) -> None:
    """List the objects in quarantine, newest first. Works while a node is running."""
    settings = archive_config(config, data)
    with readable_index(settings) as index:
        entries = index.list_quarantine(limit)
    if as_json:
        show_json([entry._asdict() for entry in entries])
        return
    if not entries:
        say("Nothing is in quarantine.", Verbosity.NORMAL)
        return
    show_table(
        ("Received", "From", "Size", "Reason", "SOP Instance UID", "File"),
        [
            (
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.received_at)),
                entry.source_ae,
                megabytes(entry.length),
                entry.reason,
                entry.sop_instance_uid,
                entry.path,
            )
            for entry in entries
        ],
    )
