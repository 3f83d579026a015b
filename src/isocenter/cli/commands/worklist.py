"""`isocenter worklist add`, `import`, `list`, `remove` and `steps`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli import exit_codes
from isocenter.cli.console import plural, show_json, show_table
from isocenter.cli.failures import CommandFailed
from isocenter.cli.file_problems import Problem, input_exit_code, show_problems
from isocenter.cli.local_archive import archive_options
from isocenter.cli.local_workflow import local_workflow
from isocenter.cli.verbosity import Verbosity, say, verbosity_options
from isocenter.cli.worklist_options import filter_options, is_everything, item_options

if TYPE_CHECKING:
    from isocenter.archive.workflow.worklist import Change, Worklist
    from isocenter.archive.workflow.worklist_filter import WorklistFilter
    from isocenter.encoding.elements import Elements

_limit = click.option(
    "--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON array.")


@click.group("worklist")
def command() -> None:
    """See and change what modalities find on their worklist.

    All of these work while a node is running; modalities see a change with their next query.
    """


@command.command("add")
@item_options
@archive_options
@click.option("--json", "as_json", is_flag=True, help="The new item, in a JSON array.")
@verbosity_options
def add(data_set: Elements, config: str | None, data: str | None, as_json: bool) -> None:
    """Schedule one procedure step.

    A patient's name and ID, the modality and its AE title are needed. With an accession number
    that the patient has on the worklist already, the step goes into the same study.
    """
    from isocenter.archive.workflow.worklist import Worklist
    from isocenter.encoding.dicom_json import to_json

    with local_workflow(config, data) as workflow:
        items = Worklist(workflow).add(data_set)
    if as_json:
        show_json([to_json(item.data_set) for item in items])
        return
    for item in items:
        click.echo(
            f"Scheduled step {item.scheduled_procedure_step_id} of study {item.study_instance_uid}."
        )


@command.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@archive_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, every refused file in it.")
@verbosity_options
def import_(paths: tuple[str, ...], config: str | None, data: str | None, as_json: bool) -> int:
    """Take items from files: DICOM JSON, or worklist files as wlmscpfs has them.

    Of folders, *.wl, *.json and *.dcm at any depth are taken. A step that is on the worklist
    already takes the attributes of the file and keeps its status, unless the file states one. Of
    a file with an unusable item, nothing is taken.
    """
    from isocenter.archive.workflow.worklist import Change, Worklist

    with local_workflow(config, data) as workflow:
        changes, problems = _import(Worklist(workflow), paths)
    if as_json:
        counts = {change.value: changes[change] for change in Change}
        refused = [{"path": str(path), "reason": reason} for path, reason in problems]
        show_json({**counts, "refused": refused})
    else:
        show_problems(problems, "Refused")
        click.echo(
            f"{plural(changes[Change.ADDED], 'item')} added, {changes[Change.UPDATED]:,} updated, "
            f"{changes[Change.UNCHANGED]:,} unchanged, {plural(len(problems), 'file')} refused."
        )
    return input_exit_code(changes.total(), problems, paths)


def _import(worklist: Worklist, paths: Sequence[str]) -> tuple[Counter[Change], list[Problem]]:
    from isocenter.archive.workflow.worklist_files import read_worklist_file, worklist_files
    from isocenter.archive.workflow.worklist_item import InvalidWorklistItem
    from isocenter.encoding.errors import EncodingError

    changes: Counter[Change] = Counter()
    problems: list[Problem] = []
    for path in worklist_files(map(Path, paths)):
        try:
            data_sets = read_worklist_file(path)
            changes.update(change for _, change in worklist.put(*data_sets))
        except OSError as error:
            problems.append((path, (error.strerror or "unreadable").lower()))
        except (EncodingError, InvalidWorklistItem) as error:
            problems.append((path, str(error)))
    return changes, problems


@command.command("list")
@filter_options
@archive_options
@_limit
@_json
@verbosity_options
def list_(
    where: WorklistFilter, config: str | None, data: str | None, limit: int, as_json: bool
) -> None:
    """List the items, by date and time."""
    from isocenter.archive.workflow.worklist import Worklist
    from isocenter.encoding.dicom_json import to_json

    with local_workflow(config, data) as workflow:
        items = list(Worklist(workflow).items(where, limit=limit + 1))
    if as_json:
        show_json([to_json(item.data_set) for item in items[:limit]])
    elif items:
        from isocenter.cli.worklist_view import ITEM_HEADINGS, item_row

        show_table(ITEM_HEADINGS, [item_row(item) for item in items[:limit]])
    else:
        say("Nothing is on the worklist.", Verbosity.NORMAL)
    _tell_more(len(items) > limit, limit)


@command.command("remove")
@filter_options
@archive_options
@verbosity_options
def remove(where: WorklistFilter, config: str | None, data: str | None) -> None:
    """Remove the items that the options choose, for instance `--before today`."""
    from isocenter.archive.workflow.worklist import Worklist

    if is_everything(where):
        raise CommandFailed(
            "Say what to remove, for instance --before today or --study-uid 1.2.3.",
            exit_codes.SYNTAX,
        )
    with local_workflow(config, data) as workflow:
        removed = Worklist(workflow).remove(where)
    click.echo(f"{plural(removed, 'item')} removed.")


@command.command("steps")
@click.option("--study-uid", default="", help="Of this study.")
@click.option(
    "--status",
    type=click.Choice(["IN PROGRESS", "COMPLETED", "DISCONTINUED"], case_sensitive=False),
    help="In this status.",
)
@archive_options
@_limit
@_json
@verbosity_options
def steps(
    study_uid: str,
    status: str | None,
    config: str | None,
    data: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the performed procedure steps (MPPS) that modalities told of, the newest first."""
    from isocenter.archive.workflow.performed_steps import PerformedSteps
    from isocenter.cli.worklist_view import STEP_HEADINGS, step_json, step_row

    with local_workflow(config, data) as workflow:
        kept = PerformedSteps(workflow)
        shown = kept.steps(study_instance_uid=study_uid, status=status or "", limit=limit + 1)
    if as_json:
        show_json([step_json(step) for step in shown[:limit]])
    elif shown:
        show_table(STEP_HEADINGS, [step_row(step) for step in shown[:limit]])
    else:
        say("No modality has told of a performed procedure step.", Verbosity.NORMAL)
    _tell_more(len(shown) > limit, limit)


def _tell_more(there_are: bool, limit: int) -> None:
    if there_are:
        say(f"There are more than these {limit:,}; see --limit.", Verbosity.NORMAL)
