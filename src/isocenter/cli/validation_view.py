"""`isocenter status --validation`: what was found in series that came in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from isocenter.cli.console import harmless, plural, show_json
from isocenter.cli.verbosity import Verbosity, say

if TYPE_CHECKING:
    from isocenter.archive.workflow.validations import Judged, Totals
    from isocenter.server.config import Config

SHOWN_KINDS = 10


def show_validation(config: Config, as_json: bool) -> None:
    """Totals, and each series with errors or warnings. Raises WorkflowUnavailable."""
    totals, found = _read(config)
    if as_json:
        show_json(
            {**totals._asdict(), "series_with_findings": [_series_json(one) for one in found]}
        )
        return
    click.echo(
        f"{plural(totals.instances, 'instance')} of {totals.series:,} series judged, "
        f"{totals.waiting:,} series waiting; {plural(totals.erroneous, 'instance')} with errors."
    )
    if not found:
        say("Nothing was found.", Verbosity.NORMAL)
    for one in found:
        verdict = one.verdict
        click.echo(
            f"Series {one.series_instance_uid} of study {one.study_instance_uid}: "
            f"{verdict.erroneous:,} of {plural(verdict.instances, 'instance')} with errors"
        )
        for kind in verdict.kinds[:SHOWN_KINDS]:
            if kind.severity != "note":
                times = f"{kind.occurrences:,} x"
                click.echo(
                    harmless(f"  {kind.severity:<8} {times:>8} {kind.check:<18} {kind.text}")
                )


def _read(config: Config) -> tuple[Totals, list[Judged]]:
    from isocenter.archive.workflow.jobs import Jobs
    from isocenter.archive.workflow.validations import Validations
    from isocenter.server.running import open_workflow

    with open_workflow(config) as workflow:
        validations = Validations(workflow, Jobs(workflow))
        return validations.totals(), validations.list()


def _series_json(one: Judged) -> dict[str, object]:
    verdict = one.verdict._asdict()
    verdict["kinds"] = [kind._asdict() for kind in one.verdict.kinds]
    return {
        "study_instance_uid": one.study_instance_uid,
        "series_instance_uid": one.series_instance_uid,
        **verdict,
        "changed_at": datetime.fromtimestamp(one.changed_at).astimezone().isoformat(),
    }
