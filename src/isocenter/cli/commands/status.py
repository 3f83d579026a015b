"""`isocenter status`."""

from __future__ import annotations

import click

from isocenter.cli.console import megabytes, show_json
from isocenter.cli.local_archive import (
    archive_config,
    archive_options,
    readable_index,
    require_archive,
)
from isocenter.cli.validation_view import show_validation
from isocenter.cli.verbosity import verbosity_options


@click.command("status")
@archive_options
@click.option(
    "--validation", is_flag=True, help="List the series in which validation found something."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@verbosity_options
def command(config: str | None, data: str | None, validation: bool, as_json: bool) -> None:
    """Show what the local archive holds. Works while a node is running."""
    settings = archive_config(config, data)
    if validation:
        require_archive(settings)
        show_validation(settings, as_json)
        return
    with readable_index(settings) as index:
        statistics = index.statistics()
    folder = settings.node.data_directory.absolute()
    if as_json:
        show_json({"data_directory": str(folder), **statistics._asdict()})
        return
    click.echo(f"Archive in {folder}")
    for name in ("patients", "studies", "series", "instances"):
        click.echo(f"  {name:<12} {getattr(statistics, name):>12,}")
    click.echo(
        f"  {'packs':<12} {statistics.packs:>12,}  ({statistics.unsealed_packs:,} being written, "
        f"{megabytes(statistics.sealed_bytes)} in the others)"
    )
    click.echo(f"  {'quarantined':<12} {statistics.quarantined:>12,}")
