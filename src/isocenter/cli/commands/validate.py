"""`isocenter validate`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import harmless, plural, progress, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import archive_options
from isocenter.cli.validation_input import Input, find_inputs
from isocenter.cli.verbosity import verbosity_options

if TYPE_CHECKING:
    from isocenter.objects.findings import Severity
    from isocenter.objects.study import StudyFinding
    from isocenter.objects.validator import InstanceReport

SHOWN_PER_INSTANCE = 100


@click.command("validate")
@click.argument("subjects", nargs=-1, required=True, metavar="FILE|DIR|STUDY_UID...")
@click.option(
    "--severity",
    type=click.Choice(["error", "warning", "note"]),
    default="warning",
    show_default=True,
    help="The least grave findings to show.",
)
@click.option("--summary", is_flag=True, help="Count the findings of each check only.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--sarif", "sarif", metavar="FILE", help="Write SARIF 2.1.0 to FILE (- for stdout).")
@archive_options
@verbosity_options
def command(
    subjects: tuple[str, ...],
    severity: str,
    summary: bool,
    as_json: bool,
    sarif: str | None,
    config: str | None,
    data: str | None,
) -> int:
    """Hold objects against the standard: encoding, modules, types, conditions, values, references.

    A FILE or DIR is read from the disk; a STUDY_UID is a study of the local archive. Every finding
    has a check's name, a severity, the path of the attribute and the standard's section. Nothing
    is changed. The exit code is 22 when there are errors.
    """
    from isocenter.objects.findings import Severity
    from isocenter.objects.study import StudyChecker
    from isocenter.objects.validator import validate_file

    lowest = Severity[severity.upper()]
    checker = StudyChecker()
    reports: list[InstanceReport] = []
    across: list[StudyFinding] = []
    with progress("Validating") as bar:
        for one in _inputs(subjects, config, data):
            with one.content() as content:
                report = validate_file(content, one.name)
            across += checker.compare(report)
            # What is compared is the checker's now; a hundred thousand reports must stay small.
            reports.append(report._replace(facts={}))
            bar.update(len(reports))
    if not reports:
        raise CommandFailed("There is no file to validate.", exit_codes.NO_INPUT)
    if sarif is not None:
        _write_sarif(sarif, reports, across, lowest)
    if as_json:
        from isocenter.objects.reports import validation_json

        show_json(validation_json(reports, across, lowest))
    elif sarif != "-":
        _show(reports, across, lowest, summary)
    errors = sum(report.errors for report in reports) + sum(
        one.finding.severity is Severity.ERROR for one in across
    )
    return exit_codes.INVALID_INPUT if errors else exit_codes.SUCCESS


def _inputs(subjects: tuple[str, ...], config: str | None, data: str | None) -> Iterator[Input]:
    for subject in subjects:
        yield from find_inputs(subject, config, data)


def _write_sarif(
    target: str,
    reports: list[InstanceReport],
    across: list[StudyFinding],
    lowest: Severity,
) -> None:
    import isocenter
    from isocenter.objects.reports import validation_sarif

    text = json.dumps(
        validation_sarif(reports, across, isocenter.__version__, lowest),
        indent=1,
        ensure_ascii=False,
    )
    if target == "-":
        click.echo(text)
        return
    try:
        Path(target).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"{target} cannot be written: {error.strerror}.", exit_codes.UNWRITABLE_OUTPUT
        ) from error


def _show(
    reports: list[InstanceReport],
    across: list[StudyFinding],
    lowest: Severity,
    summary: bool,
) -> None:
    counts = Counter(
        finding.severity for report in reports for finding in report.findings
    ) + Counter(one.finding.severity for one in across)
    if summary:
        _show_summary(reports, across, lowest)
    else:
        for report in reports:
            _show_report(report, lowest)
        if across:
            click.echo("Across instances")
            for one in across:
                click.echo(harmless(f"  {one.source}: {one.finding.check}: {one.finding.text}"))
    clean = sum(not report.errors for report in reports)
    names = {level.name.lower(): counts.get(level, 0) for level in counts}
    click.echo(
        f"{plural(len(reports), 'instance')}, {clean:,} without errors; "
        f"{plural(names.get('error', 0), 'error')}, {plural(names.get('warning', 0), 'warning')}, "
        f"{plural(names.get('note', 0), 'note')}."
    )


def _show_report(report: InstanceReport, lowest: Severity) -> None:
    shown = [finding for finding in report.findings if finding.severity >= lowest]
    if not shown:
        return
    click.echo(harmless(f"{report.source} ({report.iod or 'no IOD'})"))
    for finding in shown[:SHOWN_PER_INSTANCE]:
        level = finding.severity.name.lower()
        click.echo(
            harmless(f"  {level:<8} {finding.check:<18} {finding.text} [{finding.reference}]")
        )
        deeper = "." in finding.path
        if deeper:
            click.echo(harmless(f"  {'':<8} {'':<18} at {finding.path}"))
    if len(shown) > SHOWN_PER_INSTANCE:
        click.echo(f"  ... and {len(shown) - SHOWN_PER_INSTANCE:,} more (--json lists them)")


def _show_summary(
    reports: list[InstanceReport], across: list[StudyFinding], lowest: Severity
) -> None:
    from isocenter.objects.findings import CHECKS

    total: Counter[str] = Counter()
    instances: Counter[str] = Counter()
    for report in reports:
        checks = [finding.check for finding in report.findings if finding.severity >= lowest]
        total.update(checks)
        instances.update(set(checks))
    for one in across:
        total[one.finding.check] += 1
        instances[one.finding.check] += 1
    if total:
        show_table(
            ("Check", "Instances", "Findings", "Meaning"),
            [
                (check, f"{instances[check]:,}", f"{count:,}", CHECKS[check].summary)
                for check, count in total.most_common()
            ],
        )
