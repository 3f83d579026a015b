"""`isocenter import`."""

from __future__ import annotations

from pathlib import Path

import click

from isocenter.cli.console import plural, progress, show_json
from isocenter.cli.file_problems import input_exit_code, show_problems
from isocenter.cli.import_audit import audited_import
from isocenter.cli.local_archive import archive_config, archive_options, writable_archive
from isocenter.cli.verbosity import verbosity_options


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, every refused file in it.")
@verbosity_options
def command(paths: tuple[str, ...], config: str | None, data: str | None, as_json: bool) -> int:
    """Take DICOM files, and what directories hold at any depth, into the local archive.

    The files are copied and stay as they are. What is in the archive already is skipped, so an
    import that was interrupted is resumed by running it again. No node may be running on the
    same data; to a running node send with `isocenter store`.
    """
    settings = archive_config(config, data)
    from isocenter.archive.importer import import_paths

    files = [Path(path) for path in paths]
    with (
        writable_archive(settings) as archive,
        audited_import(settings, files) as audit,
        progress("Importing") as bar,
    ):
        told = None if audit is None else audit.count
        report = import_paths(archive, files, on_progress=bar.update, on_outcome=told)
    kept = report.stored + report.duplicate + report.quarantined
    if as_json:
        show_json(
            {
                "stored": report.stored,
                "duplicate": report.duplicate,
                "quarantined": report.quarantined,
                "refused": [{"path": str(p), "reason": reason} for p, reason in report.refused],
            }
        )
    else:
        show_problems(report.refused, "Refused")
        click.echo(
            f"{plural(report.stored, 'instance')} stored, {report.duplicate:,} already there, "
            f"{report.quarantined:,} quarantined, {len(report.refused):,} refused."
        )
    return input_exit_code(kept, report.refused, paths)
