"""`isocenter reindex`."""

from __future__ import annotations

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import plural, progress, show_json
from isocenter.cli.local_archive import (
    archive_options,
    existing_archive_config,
    show_pack_problems,
)
from isocenter.cli.verbosity import verbosity_options


@click.command("reindex")
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbosity_options
def command(config: str | None, data: str | None, as_json: bool) -> int:
    """Rebuild the index from the packs alone.

    The packs are only read. The old index stays in use until the new one is complete, and is
    kept beside it as index.sqlite.old. No node may be running on the same data.
    """
    settings = existing_archive_config(config, data)
    from isocenter.archive.maintenance import reindex

    with progress("Reading packs") as bar:
        report = reindex(settings.node.data_directory, on_progress=bar.update)
    if as_json:
        problems = [problem._asdict() for problem in report.problems]
        show_json({**report._asdict(), "problems": problems})
    else:
        show_pack_problems(report.problems)
        click.echo(
            f"{plural(report.instances, 'instance')} from {plural(report.records, 'record')} in "
            f"{plural(report.packs, 'pack')} indexed; {plural(len(report.problems), 'problem')}."
        )
    return exit_codes.DAMAGED_ARCHIVE if report.problems else exit_codes.SUCCESS
