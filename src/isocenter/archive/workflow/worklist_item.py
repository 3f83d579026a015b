"""One item of the modality worklist: what PS3.4 Table K.6-1 demands, made whole or refused."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from isocenter.archive.index.values import date_number, padded_time
from isocenter.archive.workflow.attributes import (
    ACCESSION_NUMBER,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    REQUESTED_PROCEDURE_DESCRIPTION,
    REQUESTED_PROCEDURE_ID,
    SCHEDULED_START_DATE,
    SCHEDULED_START_TIME,
    SCHEDULED_STATION_AE_TITLE,
    SCHEDULED_STEP_DESCRIPTION,
    SCHEDULED_STEP_ID,
    SCHEDULED_STEP_SEQUENCE,
    SCHEDULED_STEP_STATUS,
    STUDY_INSTANCE_UID,
    items,
    put,
    text,
)
from isocenter.dictionary.elements import format_tag, implicit_vr, lookup_element, parse_tag
from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.errors import IsocenterError

SCHEDULED, STARTED = "SCHEDULED", "STARTED"
STATUSES = (SCHEDULED, "ARRIVED", "READY", STARTED, "DEPARTED", "COMPLETED", "DISCONTINUED")
"""PS3.3 C.4.10, and after them how a performed step ends (C.4.14)."""

LARGEST_ITEM = 64 * 1024
"""Bytes of an item, encoded; one with all optional attributes has some two thousand."""

MOST_STEPS = 100
"""Items in the Scheduled Procedure Step Sequence of one data set."""

STEP_ATTRIBUTES = frozenset(
    {MODALITY, 0x00321070, *range(0x00400001, 0x0040000D), 0x00400010, 0x00400011, 0x00400012}
    | {SCHEDULED_STEP_STATUS, 0x00400400}
)
"""What belongs in an item of the Scheduled Procedure Step Sequence (PS3.4 Table K.6-1)."""

_SHORT_STRING = 16  # characters, PS3.5 6.2 for SH


class InvalidWorklistItem(IsocenterError):
    """A data set that cannot be an item of the worklist."""


class WorklistItem(NamedTuple):
    """One scheduled procedure step, with the attributes by which it is looked up.

    `data_set` is neutral (`encoding.recoding`); its Scheduled Procedure Step Sequence has one item.
    """

    study_instance_uid: str
    scheduled_procedure_step_id: str
    requested_procedure_id: str
    scheduled_station_ae_title: str
    modality: str
    scheduled_date: int
    scheduled_time: str
    patient_id: str
    accession_number: str
    status: str
    data_set: Elements

    @property
    def patient_name(self) -> str:
        """The Patient's Name, all component groups."""
        return text(self.data_set, PATIENT_NAME)

    @property
    def description(self) -> str:
        """What is to be done: the step's description, else the requested procedure's."""
        (step,) = items(self.data_set, SCHEDULED_STEP_SEQUENCE)
        return text(step, SCHEDULED_STEP_DESCRIPTION) or text(
            self.data_set, REQUESTED_PROCEDURE_DESCRIPTION
        )


def scheduled_step(**values: str) -> Elements:
    """A neutral data set that schedules one step, from text values by keyword of PS3.6.

    `scheduled_step(PatientName="DOE^JANE", PatientID="4711", Modality="CT", ...)`: what belongs in
    the Scheduled Procedure Step Sequence goes there (PS3.4 Table K.6-1). Raises DictionaryError
    for a keyword that PS3.6 does not know.
    """
    whole: Elements = {}
    step: Elements = {}
    for keyword, value in values.items():
        tag = parse_tag(keyword)
        put(step if tag in STEP_ATTRIBUTES else whole, tag, implicit_vr(tag), value)
    whole[SCHEDULED_STEP_SEQUENCE] = RawElement("SQ", [step])
    return whole


def complete_items(data_set: Elements) -> list[WorklistItem]:
    """The items that a neutral data set schedules, one for each of its scheduled procedure steps.

    Study Instance UID, Requested Procedure ID (the Accession Number, if that is short enough) and
    Scheduled Procedure Step ID are made where they are missing, a start time becomes midnight.

    Raises:
        InvalidWorklistItem: another attribute of type 1 is missing, or has no valid value.
    """
    whole = dict(data_set)
    steps = items(whole, SCHEDULED_STEP_SEQUENCE)
    if not 0 < len(steps) <= MOST_STEPS:
        raise InvalidWorklistItem(
            f"A worklist item has 1 to {MOST_STEPS} items in its Scheduled Procedure Step Sequence "
            f"(0040,0100), not {len(steps)}."
        )
    for tag in (PATIENT_NAME, PATIENT_ID):
        _require(whole, tag)
    if not text(whole, STUDY_INSTANCE_UID):
        put(whole, STUDY_INSTANCE_UID, "UI", f"2.25.{uuid.uuid4().int}")
    _check_uid(whole, STUDY_INSTANCE_UID)
    if not text(whole, REQUESTED_PROCEDURE_ID):
        accession_number = text(whole, ACCESSION_NUMBER)
        usable = accession_number and len(accession_number) <= _SHORT_STRING
        put(whole, REQUESTED_PROCEDURE_ID, "SH", accession_number if usable else _new_id("RP"))
    return [_item(whole, step) for step in steps]


def restored_item(data_set: Elements) -> WorklistItem:
    """The item that a stored data set is."""
    (step,) = items(data_set, SCHEDULED_STEP_SEQUENCE)
    return WorklistItem(
        text(data_set, STUDY_INSTANCE_UID),
        text(step, SCHEDULED_STEP_ID),
        text(data_set, REQUESTED_PROCEDURE_ID),
        text(step, SCHEDULED_STATION_AE_TITLE),
        text(step, MODALITY),
        date_number(text(step, SCHEDULED_START_DATE)) or 0,
        padded_time(text(step, SCHEDULED_START_TIME)) or "",
        text(data_set, PATIENT_ID),
        text(data_set, ACCESSION_NUMBER),
        text(step, SCHEDULED_STEP_STATUS),
        data_set,
    )


def states_status(data_set: Elements) -> bool:
    """Whether any step of a data set comes with a status of its own."""
    steps = items(data_set, SCHEDULED_STEP_SEQUENCE)
    return any(text(step, SCHEDULED_STEP_STATUS) for step in steps)


def with_status(data_set: Elements, status: str) -> Elements:
    """The data set of an item, its step in another status."""
    (step,) = items(data_set, SCHEDULED_STEP_SEQUENCE)
    changed = dict(step)
    put(changed, SCHEDULED_STEP_STATUS, "CS", status)
    return data_set | {SCHEDULED_STEP_SEQUENCE: RawElement("SQ", [changed])}


def _item(whole: Elements, step: Elements) -> WorklistItem:
    step = dict(step)
    for tag in (SCHEDULED_STATION_AE_TITLE, SCHEDULED_START_DATE, MODALITY):
        _require(step, tag)
    if not text(step, SCHEDULED_START_TIME):
        put(step, SCHEDULED_START_TIME, "TM", "000000")
    _check_moments(whole)
    _check_moments(step)
    if not text(step, SCHEDULED_STEP_ID):
        put(step, SCHEDULED_STEP_ID, "SH", _new_id("SPS"))
    if (status := text(step, SCHEDULED_STEP_STATUS).upper() or SCHEDULED) not in STATUSES:
        raise _invalid(SCHEDULED_STEP_STATUS, f"is none of {', '.join(STATUSES)}")
    put(step, SCHEDULED_STEP_STATUS, "CS", status)
    item = whole | {SCHEDULED_STEP_SEQUENCE: RawElement("SQ", [step])}
    if len(encode_elements(item, IMPLICIT_VR_LITTLE_ENDIAN)) > LARGEST_ITEM:
        raise InvalidWorklistItem(f"A worklist item has at most {LARGEST_ITEM // 1024} KiB.")
    return restored_item(item)


def _require(data_set: Elements, tag: int) -> None:
    if not text(data_set, tag):
        raise _invalid(tag, "is missing")


def _check_moments(data_set: Elements) -> None:
    for tag, (vr, _) in data_set.items():
        if vr not in ("DA", "TM") or not (value := text(data_set, tag)):
            continue
        if vr == "DA" and date_number(value) is None:
            raise _invalid(tag, "is no date like 20240131")
        if vr == "TM" and padded_time(value) is None:
            raise _invalid(tag, "is no time like 0930")


def _check_uid(data_set: Elements, tag: int) -> None:
    if not is_valid_uid(text(data_set, tag)):
        raise _invalid(tag, "is no valid UID")


def _new_id(prefix: str) -> str:
    return (prefix + uuid.uuid4().hex.upper())[: _SHORT_STRING - 1]


def _invalid(tag: int, what: str) -> InvalidWorklistItem:
    entry = lookup_element(tag)
    name = entry.name if entry else ""
    return InvalidWorklistItem(f"{name} {format_tag(tag)} of a worklist item {what}.")
