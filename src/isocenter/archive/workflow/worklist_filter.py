"""Which items of the worklist are meant: by the attributes that have a column of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, true

from isocenter.archive.index.values import date_number
from isocenter.archive.workflow.attributes import (
    ACCESSION_NUMBER,
    MODALITY,
    PATIENT_ID,
    REQUESTED_PROCEDURE_ID,
    SCHEDULED_START_DATE,
    SCHEDULED_STATION_AE_TITLE,
    SCHEDULED_STEP_ID,
    SCHEDULED_STEP_SEQUENCE,
    STUDY_INSTANCE_UID,
    items,
    text,
)
from isocenter.archive.workflow.schema import worklist_item
from isocenter.encoding.elements import Elements

_columns = worklist_item.c

_IN_ITEM = {
    PATIENT_ID: _columns.patient_id,
    ACCESSION_NUMBER: _columns.accession_number,
    STUDY_INSTANCE_UID: _columns.study_instance_uid,
    REQUESTED_PROCEDURE_ID: _columns.requested_procedure_id,
}
_IN_STEP = {
    MODALITY: _columns.modality,
    SCHEDULED_STATION_AE_TITLE: _columns.scheduled_station_ae_title,
    SCHEDULED_STEP_ID: _columns.scheduled_procedure_step_id,
}
_SEVERAL = "\\"
_NO_SINGLE_VALUE = frozenset('*?"' + _SEVERAL)


@dataclass(frozen=True, slots=True)
class WorklistFilter:
    """What an item must have; what is empty or None is not asked for. Dates are 20240131."""

    patient_id: str = ""
    accession_number: str = ""
    study_instance_uid: str = ""
    requested_procedure_id: str = ""
    scheduled_procedure_step_id: str = ""
    scheduled_station_ae_title: str = ""
    modality: str = ""
    status: frozenset[str] = frozenset()
    not_status: frozenset[str] = frozenset()
    first_date: int | None = None
    last_date: int | None = None

    def condition(self) -> ColumnElement[bool]:
        """The filter as a condition on rows of `worklist_item`."""
        exact = {
            name: value
            for name in (column.name for column in (*_IN_ITEM.values(), *_IN_STEP.values()))
            if (value := getattr(self, name))
        }
        conditions = [_equals(_columns[name], value) for name, value in exact.items()]
        if self.status:
            conditions.append(_columns.status.in_(self.status))
        if self.not_status:
            conditions.append(_columns.status.not_in(self.not_status))
        return and_(true(), *conditions, *_dates(self.first_date, self.last_date))


EVERYTHING = WorklistFilter()


def candidates(identifier: Elements, hidden: frozenset[str]) -> WorklistFilter:
    """The filter that lets at least all items through which match a neutral identifier.

    Only keys that are a single value, or a range of dates, narrow the search.
    """
    values: dict[str, Any] = {
        column.name: value
        for tag, column in _IN_ITEM.items()
        if (value := _single_value(identifier, tag))
    }
    first = last = None
    for step in items(identifier, SCHEDULED_STEP_SEQUENCE)[:1]:
        values |= {
            column.name: value
            for tag, column in _IN_STEP.items()
            if (value := _single_value(step, tag))
        }
        first, last = _date_range(text(step, SCHEDULED_START_DATE))
    return WorklistFilter(**values, not_status=hidden, first_date=first, last_date=last)


def _single_value(data_set: Elements, tag: int) -> str:
    value = text(data_set, tag)
    return "" if _NO_SINGLE_VALUE & set(value) else value


def _date_range(value: str) -> tuple[int | None, int | None]:
    first, dash, last = value.partition("-")
    return date_number(first), date_number(last if dash else first)


def _equals(column: ColumnElement[Any], value: str) -> ColumnElement[bool]:
    if column.name == _columns.scheduled_station_ae_title.name:  # a step may have several
        return or_(column == value, column.contains(_SEVERAL))
    return column == value


def _dates(first: int | None, last: int | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if first is not None:
        conditions.append(_columns.scheduled_date >= first)
    if last is not None:
        conditions.append(_columns.scheduled_date <= last)
    return conditions
