"""Attributes that no header holds: the archive counts them when asked (PS3.4 C.3.4, C.6.1.1)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, literal, not_, or_, select

from isocenter.archive.index.attributes import ATTRIBUTES, Level
from isocenter.archive.index.schema import instance, patient, series, study, term
from isocenter.archive.query.columns import Condition, QueryColumn, compare, stored_column
from isocenter.archive.query.criteria import AnyOf, Criterion
from isocenter.archive.query.visibility import Sees

# Under their own names, because the query itself may be about series or instances.
_study = study.alias("counted_study")
_series = series.alias("counted_series")
_instance = instance.alias("counted_instance")


def _joined(values: Select[Any], parent: Table) -> ColumnElement[Any]:
    """The distinct values with backslashes between, as of a multi-valued element."""
    value = values.selected_columns[0]
    distinct = values.where(value.is_not(None)).distinct().correlate(parent).subquery()
    return select(func.aggregate_strings(distinct.c[0], "\\")).scalar_subquery()


def _counted(rows: Select[Any], parent: Table) -> ColumnElement[Any]:
    return rows.with_only_columns(func.count()).correlate(parent).scalar_subquery()


_modalities = select(_series.c.modality).where(_series.c.study == study.c.id)
_classes = (
    select(term.c.value)
    .join_from(_series, _instance, _instance.c.series == _series.c.id)
    .join(term, term.c.id == _instance.c.sop_class)
    .where(_series.c.study == study.c.id)
)
_of_patient = _study.c.patient == patient.c.id
_studies_of_patient = select(_study.c.id).where(_of_patient)
_series_of_patient = (
    select(_series.c.id)
    .join_from(_study, _series, _series.c.study == _study.c.id)
    .where(_of_patient)
)
_instances_of_patient = (
    select(_instance.c.id)
    .join_from(_study, _series, _series.c.study == _study.c.id)
    .join(_instance, _instance.c.series == _series.c.id)
    .where(_of_patient)
)
_series_of_study = select(_series.c.id).where(_series.c.study == study.c.id)
_instances_of_study = (
    select(_instance.c.id)
    .join_from(_series, _instance, _instance.c.series == _series.c.id)
    .where(_series.c.study == study.c.id)
)
_instances_of_series = select(_instance.c.id).where(_instance.c.series == series.c.id)


def _has_modality(criterion: Criterion) -> ColumnElement[bool]:
    found = _modalities.where(compare(_series.c.modality, criterion)).correlate(study).exists()
    if not (isinstance(criterion, AnyOf) and criterion.empty):
        return found
    known = _modalities.where(_series.c.modality.is_not(None)).correlate(study).exists()
    return or_(found, not_(known))


def _has_class(criterion: Criterion) -> ColumnElement[bool]:
    return _classes.where(compare(term.c.value, criterion)).correlate(study).exists()


def _count_column(level: Level, count: ColumnElement[Any]) -> QueryColumn:
    return QueryColumn(level, "IS", count, lambda number: b"%d" % number, None)


_PATIENT_COUNTS = {
    0x00201200: _studies_of_patient,
    0x00201202: _series_of_patient,
    0x00201204: _instances_of_patient,
}


def patient_counts(sees: Sees) -> Mapping[int, ColumnElement[Any]]:
    """What a patient has, by tag, as somebody sees it who does not see every study."""
    return {
        tag: _counted(rows.where(sees(_study)), patient) for tag, rows in _PATIENT_COUNTS.items()
    }


def _text_column(
    level: Level, vr: str, expression: ColumnElement[Any], condition: Condition | None = None
) -> QueryColumn:
    return QueryColumn(level, vr, expression, str.encode, condition)


COLUMNS: dict[int, QueryColumn] = {
    **{attribute.tag: stored_column(attribute) for attribute in ATTRIBUTES},
    **{
        tag: _count_column(Level.PATIENT, _counted(rows, patient))
        for tag, rows in _PATIENT_COUNTS.items()
    },
    0x00201206: _count_column(Level.STUDY, _counted(_series_of_study, study)),
    0x00201208: _count_column(Level.STUDY, _counted(_instances_of_study, study)),
    0x00201209: _count_column(Level.SERIES, _counted(_instances_of_series, series)),
    0x00080061: _text_column(Level.STUDY, "CS", _joined(_modalities, study), _has_modality),
    0x00080062: _text_column(Level.STUDY, "UI", _joined(_classes, study), _has_class),
    0x00080056: _text_column(Level.PATIENT, "CS", literal("ONLINE")),  # InstanceAvailability
}
"""Everything that a query may name, by tag."""
