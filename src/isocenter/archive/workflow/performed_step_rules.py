"""What PS3.4 F.7.2 demands of a Modality Performed Procedure Step, apart from where it is kept.

Attributes of type 1 are demanded. Those of type 2 ("may be empty") are not: many modalities leave
them out, and a step that is refused for it is lost to the department.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from isocenter.archive.index.values import date_number, padded_time
from isocenter.archive.workflow.attributes import (
    MODALITY,
    PERFORMED_END_DATE,
    PERFORMED_END_TIME,
    PERFORMED_SERIES_SEQUENCE,
    PERFORMED_START_DATE,
    PERFORMED_START_TIME,
    PERFORMED_STATION_AE_TITLE,
    PERFORMED_STEP_ID,
    PERFORMED_STEP_STATUS,
    PROTOCOL_NAME,
    SCHEDULED_STEP_ATTRIBUTES_SEQUENCE,
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    items,
    text,
)
from isocenter.dictionary.elements import format_tag, lookup_element
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.elements import Elements
from isocenter.errors import IsocenterError

IN_PROGRESS, COMPLETED, DISCONTINUED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"
STATUSES = (IN_PROGRESS, COMPLETED, DISCONTINUED)

Demands = Mapping[int, Mapping[int, None] | None]
"""Attributes that must have a value; for sequences, the attributes of each item."""

AT_CREATION: Demands = {
    SCHEDULED_STEP_ATTRIBUTES_SEQUENCE: {STUDY_INSTANCE_UID: None},
    PERFORMED_STEP_ID: None,
    PERFORMED_STATION_AE_TITLE: None,
    PERFORMED_START_DATE: None,
    PERFORMED_START_TIME: None,
    PERFORMED_STEP_STATUS: None,
    MODALITY: None,
}
"""PS3.4 Table F.7.2-1, N-CREATE."""

_ENDED: Demands = {PERFORMED_END_DATE: None, PERFORMED_END_TIME: None}
_SERIES: Demands = {PERFORMED_SERIES_SEQUENCE: {SERIES_INSTANCE_UID: None, PROTOCOL_NAME: None}}

AT_THE_END: Mapping[str, Demands] = {
    COMPLETED: {**_ENDED, **_SERIES},
    # By the standard a discontinued step has a series too, if an empty one. A modality that was
    # stopped before its first image often has none to name, and the step must end all the same.
    DISCONTINUED: _ENDED,
}
"""PS3.4 Table F.7.2-1, final state."""

FIXED = frozenset(
    {
        *(0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00081120, 0x00100024),
        *(0x00400253, 0x00400241, 0x00400242, 0x00400243, 0x00400244, 0x00400245),
        *(0x00080060, 0x00200010, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE),
    }
)
"""What N-SET must not change (PS3.4 Table F.7.2-1): whose step it is, and how it began.

To say it again is no change, and what was left empty may still be filled in.
"""


class Fault(Enum):
    """Why a request cannot be granted."""

    MISSING_ATTRIBUTE = "missing attribute"
    MISSING_VALUE = "missing attribute value"
    INVALID_VALUE = "invalid attribute value"
    INVALID_INSTANCE = "invalid SOP instance"
    DUPLICATE = "duplicate SOP instance"
    UNKNOWN = "no such SOP instance"
    FINAL = "may no longer be updated"
    TOO_LARGE = "too large"


class StepRefused(IsocenterError):
    """A step that cannot be created or changed so; `tags` names the attributes at fault."""

    def __init__(self, fault: Fault, message: str, tags: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.fault = fault
        self.tags = tags


def check_new(data_set: Elements) -> None:
    """Raises StepRefused where N-CREATE may not make a step of these attributes."""
    _check_demands(data_set, AT_CREATION)
    if text(data_set, PERFORMED_STEP_STATUS) != IN_PROGRESS:
        raise _invalid(PERFORMED_STEP_STATUS, f"must be {IN_PROGRESS} at first")
    _check_moments(data_set)
    for step in items(data_set, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE):
        _check_uid(step, STUDY_INSTANCE_UID)


def changed_step(step: Elements, modifications: Elements) -> Elements:
    """The step after an N-SET; sequences are replaced as wholes (PS3.4 F.7.2.2.2).

    Raises StepRefused: the step is final, or what it would become breaks the rules.
    """
    if text(step, PERFORMED_STEP_STATUS) != IN_PROGRESS:
        raise StepRefused(Fault.FINAL, "A completed or discontinued step may no longer be updated.")
    changed = tuple(
        tag
        for tag in sorted(FIXED & modifications.keys() & step.keys())
        if modifications[tag] != step[tag] and not _is_empty(step, tag)
    )
    if changed:
        names = ", ".join(map(format_tag, changed))
        raise StepRefused(Fault.INVALID_VALUE, f"N-SET may not change {names}.", changed)
    after = step | modifications
    status = text(after, PERFORMED_STEP_STATUS)
    if status not in STATUSES:
        raise _invalid(PERFORMED_STEP_STATUS, f"is none of {', '.join(STATUSES)}")
    _check_moments(after)
    for series in items(after, PERFORMED_SERIES_SEQUENCE):
        if SERIES_INSTANCE_UID in series:
            _check_uid(series, SERIES_INSTANCE_UID)
    _check_demands(after, AT_THE_END.get(status, {}))
    return after


def _check_demands(data_set: Elements, demands: Demands) -> None:
    missing = tuple(tag for tag in demands if tag not in data_set)
    if missing:
        raise _missing(Fault.MISSING_ATTRIBUTE, missing, "is missing")
    empty = tuple(tag for tag in demands if _is_empty(data_set, tag))
    if empty:
        raise _missing(Fault.MISSING_VALUE, empty, "has no value")
    for tag, inside in demands.items():
        if inside is not None:
            for item in items(data_set, tag):
                _check_demands(item, inside)


def _is_empty(data_set: Elements, tag: int) -> bool:
    value = data_set[tag].value
    return not (value.strip(b" \0") if isinstance(value, bytes) else value)


def _check_moments(data_set: Elements) -> None:
    for tag in (PERFORMED_START_DATE, PERFORMED_END_DATE):
        if (value := text(data_set, tag)) and date_number(value) is None:
            raise _invalid(tag, "is no date")
    for tag in (PERFORMED_START_TIME, PERFORMED_END_TIME):
        if (value := text(data_set, tag)) and padded_time(value) is None:
            raise _invalid(tag, "is no time")


def _check_uid(data_set: Elements, tag: int) -> None:
    if not is_valid_uid(text(data_set, tag)):
        raise _invalid(tag, "is no valid UID")


def _missing(fault: Fault, tags: tuple[int, ...], what: str) -> StepRefused:
    return StepRefused(fault, f"{_name(tags[0])} {what}.", tags)


def _invalid(tag: int, what: str) -> StepRefused:
    return StepRefused(Fault.INVALID_VALUE, f"{_name(tag)} {what}.", (tag,))


def _name(tag: int) -> str:
    entry = lookup_element(tag)
    return f"{entry.name if entry else 'Attribute'} {format_tag(tag)}"
