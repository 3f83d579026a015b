"""Worklist items and performed procedure steps as rows of a table, and as JSON."""

from __future__ import annotations

from typing import Any

from isocenter.archive.workflow.attributes import (
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    PERFORMED_END_DATE,
    PERFORMED_END_TIME,
    PERFORMED_SERIES_SEQUENCE,
    PERFORMED_START_DATE,
    PERFORMED_START_TIME,
    PERFORMED_STATION_AE_TITLE,
    REFERENCED_IMAGE_SEQUENCE,
    REFERENCED_NON_IMAGE_SEQUENCE,
    items,
    text,
)
from isocenter.archive.workflow.performed_steps import PerformedStep, scheduled_steps
from isocenter.archive.workflow.worklist_item import WorklistItem
from isocenter.encoding.dicom_json import to_json
from isocenter.encoding.elements import Elements

ITEM_HEADINGS = (
    *("Scheduled", "Station", "Modality", "Patient ID", "Patient's Name", "Accession"),
    *("Step ID", "Status", "Description", "Study Instance UID"),
)

STEP_HEADINGS = (
    *("Started", "Ended", "Station", "Modality", "Status", "Patient ID", "Patient's Name"),
    *("Step ID", "Series", "Objects", "Study Instance UID", "SOP Instance UID"),
)


def item_row(item: WorklistItem) -> tuple[str, ...]:
    """The cells under ITEM_HEADINGS."""
    return (
        moment(str(item.scheduled_date), item.scheduled_time),
        item.scheduled_station_ae_title,
        item.modality,
        item.patient_id,
        item.patient_name,
        item.accession_number,
        item.scheduled_procedure_step_id,
        item.status,
        item.description,
        item.study_instance_uid,
    )


def step_row(step: PerformedStep) -> tuple[str, ...]:
    """The cells under STEP_HEADINGS."""
    data_set = step.data_set
    series = items(data_set, PERFORMED_SERIES_SEQUENCE)
    scheduled = scheduled_steps(data_set)
    return (
        moment(text(data_set, PERFORMED_START_DATE), text(data_set, PERFORMED_START_TIME)),
        moment(text(data_set, PERFORMED_END_DATE), text(data_set, PERFORMED_END_TIME)),
        text(data_set, PERFORMED_STATION_AE_TITLE),
        text(data_set, MODALITY),
        step.status,
        text(data_set, PATIENT_ID),
        text(data_set, PATIENT_NAME),
        ", ".join(each.scheduled_procedure_step_id for each in scheduled),
        str(len(series)),
        str(sum(map(_objects, series))),
        ", ".join(dict.fromkeys(each.study_instance_uid for each in scheduled)),
        step.sop_instance_uid,
    )


def step_json(step: PerformedStep) -> dict[str, Any]:
    """A step in the DICOM JSON Model, with its SOP Instance UID."""
    sop_instance = {"vr": "UI", "Value": [step.sop_instance_uid]}
    return {"00080018": sop_instance, **to_json(step.data_set)}


def moment(date: str, time: str) -> str:
    """A date and a time as people read them: "2024-01-31 09:30"."""
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}" if len(date) == 8 else date
    clock = time.replace(":", "")
    return f"{day} {clock[:2]}:{clock[2:4]}" if len(clock) >= 4 else day


def _objects(series: Elements) -> int:
    images = items(series, REFERENCED_IMAGE_SEQUENCE)
    return len(images) + len(items(series, REFERENCED_NON_IMAGE_SEQUENCE))
