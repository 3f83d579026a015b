"""`isocenter verify`."""

from __future__ import annotations

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import megabytes, plural, progress, show_json
from isocenter.cli.local_archive import (
    archive_config,
    archive_options,
    readable_index,
    show_pack_problems,
)
from isocenter.cli.verbosity import verbosity_options


@click.command("verify")
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbosity_options
def command(config: str | None, data: str | None, as_json: bool) -> int:
    """Read every stored instance back and compare its digest with the one taken on arrival.

    Works while a node is running. Nothing is changed.
    """
    settings = archive_config(config, data)
    from isocenter.archive.maintenance import verify

    with readable_index(settings), progress("Reading back") as bar:
        report = verify(settings.node.data_directory, on_progress=bar.update)
    if as_json:
        problems = [problem._asdict() for problem in report.problems]
        show_json({**report._asdict(), "problems": problems})
    else:
        show_pack_problems(report.problems)
        click.echo(
            f"{plural(report.instances, 'instance')}, {megabytes(report.bytes)} read back; "
            f"{plural(len(report.problems), 'problem')}."
        )
    return exit_codes.DAMAGED_ARCHIVE if report.problems else exit_codes.SUCCESS
