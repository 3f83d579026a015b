"""The options of `isocenter worklist`: the attributes of a new item, and which items are meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from isocenter.archive.workflow.worklist_filter import WorklistFilter
    from isocenter.encoding.elements import Elements

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

# As in worklist_item.STATUSES; a test holds the two together.
STATUSES = ("SCHEDULED", "ARRIVED", "READY", "STARTED", "DEPARTED", "COMPLETED", "DISCONTINUED")


def day(value: str) -> int:
    """A date as 20240131 or 2024-01-31, or `today`, as the number 20240131."""
    from isocenter.archive.index.values import date_number

    number = date_number(time.strftime("%Y%m%d") if value == "today" else value)
    if number is None:
        raise click.BadParameter(f"{value!r} is no date; write it as 20240131 or today.")
    return number


# Each option with the keyword of its attribute and the help text.
_ATTRIBUTES: tuple[tuple[str, str, str], ...] = (
    ("--patient-name", "PatientName", "Patient's Name, as DOE^JANE."),
    ("--patient-id", "PatientID", "Patient ID."),
    ("--sex", "PatientSex", "Patient's Sex: F, M or O."),
    ("--accession", "AccessionNumber", "Accession Number."),
    ("--modality", "Modality", "Modality, as CT."),
    ("--station-aet", "ScheduledStationAETitle", "AE title of the modality."),
    ("--time", "ScheduledProcedureStepStartTime", "Start time, as 0930 (default: midnight)."),
    ("--description", "ScheduledProcedureStepDescription", "What is to be done."),
    ("--step-id", "ScheduledProcedureStepID", "Step ID (default: a new one)."),
    ("--procedure-id", "RequestedProcedureID", "Procedure ID (default: the accession number)."),
    ("--study-uid", "StudyInstanceUID", "Study Instance UID (default: a new one)."),
    ("--performing-physician", "ScheduledPerformingPhysicianName", "Who will perform it."),
    ("--referring-physician", "ReferringPhysicianName", "Who referred the patient."),
)


def item_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the attributes of an item and -k; the command gets a neutral `data_set`."""

    @wraps(function)
    def command(*, date: int, birth_date: int | None, keys: Sequence[str], **arguments: Any) -> Any:
        values = {keyword: arguments.pop(keyword) for _, keyword, _ in _ATTRIBUTES}
        values["ScheduledProcedureStepStartDate"] = str(date)
        values["PatientBirthDate"] = str(birth_date or "")
        data_set = _data_set({name: value for name, value in values.items() if value}, keys)
        return function(data_set=data_set, **arguments)

    decorated: Callable[..., Any] = command
    for decorate in reversed(
        (
            *(click.option(name, keyword, help=text) for name, keyword, text in _ATTRIBUTES),
            click.option("--birth-date", type=day, help="Patient's Birth Date, as 19700131."),
            click.option(
                "--date", type=day, default="today", show_default=True, help="Start date."
            ),
            click.option(
                "-k",
                "--key",
                "keys",
                multiple=True,
                metavar="KEY=VALUE",
                help="Any other attribute: PatientWeight=70, 0038,0300=Ward 3, or a path into a "
                "sequence. Those of a scheduled step are put into its sequence.",
            ),
        )
    ):
        decorated = decorate(decorated)
    return decorated


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what to choose items by; the command gets a `where`."""

    @wraps(function)
    def command(
        *, date: int | None, first_date: int | None, before: int | None, **arguments: Any
    ) -> Any:
        from isocenter.archive.workflow.worklist_filter import WorklistFilter

        chosen: dict[str, Any] = {name: arguments.pop(name) or "" for name, _, _ in _FILTERS}
        where = WorklistFilter(
            **chosen,
            status=frozenset(arguments.pop("status")),
            first_date=date or first_date,
            last_date=date or (before - 1 if before else None),
        )
        return function(where=where, **arguments)

    decorated: Callable[..., Any] = command
    for decorate in reversed(
        (
            click.option("--date", type=day, help="Scheduled on this date (or `today`)."),
            click.option("--from", "first_date", type=day, help="Scheduled on this date or later."),
            click.option("--before", type=day, help="Scheduled before this date."),
            *(click.option(option, name, help=text) for name, option, text in _FILTERS),
            click.option(
                "--status",
                multiple=True,
                type=click.Choice(STATUSES, case_sensitive=False),
                help="In this status; may be given several times.",
            ),
        )
    ):
        decorated = decorate(decorated)
    return decorated


_FILTERS: tuple[tuple[str, str, str], ...] = (
    ("scheduled_station_ae_title", "--station-aet", "For this modality's AE title."),
    ("modality", "--modality", "For this kind of modality."),
    ("patient_id", "--patient-id", "Of this patient."),
    ("accession_number", "--accession", "With this accession number."),
    ("study_instance_uid", "--study-uid", "Of this study."),
    ("scheduled_procedure_step_id", "--step-id", "With this step ID."),
)


def is_everything(where: WorklistFilter) -> bool:
    """Whether nothing was chosen."""
    from isocenter.archive.workflow.worklist_filter import EVERYTHING

    return where == EVERYTHING


def _data_set(values: dict[str, str], keys: Sequence[str]) -> Elements:
    from isocenter.archive.workflow.attributes import SCHEDULED_STEP_SEQUENCE
    from isocenter.archive.workflow.worklist_item import STEP_ATTRIBUTES, scheduled_step
    from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
    from isocenter.encoding.character_sets import UTF_8
    from isocenter.encoding.elements import RawElement
    from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, neutral_elements
    from isocenter.services.query_identifier import build_identifier
    from isocenter.services.query_keys import Step, parse_key

    parsed = [parse_key(key) for key in keys]
    placed = [
        key._replace(within=(Step(SCHEDULED_STEP_SEQUENCE, 0),))
        if key.tag in STEP_ATTRIBUTES and not key.within
        else key
        for key in parsed
    ]
    base = scheduled_step(**values)
    base[SPECIFIC_CHARACTER_SET] = RawElement("CS", UTF_8.encode("ascii"))
    return neutral_elements(build_identifier(placed, base), EXPLICIT_VR_LITTLE_ENDIAN)
