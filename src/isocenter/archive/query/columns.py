"""The stored attributes as SQL: how each is selected, written and matched."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Table, false, or_, select

from isocenter.archive.index.attributes import TIMEZONE_OFFSET_FROM_UTC, IndexAttribute, Level
from isocenter.archive.index.schema import instance, patient, person, series, study, term
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.query.criteria import AnyOf, Between, Criterion
from isocenter.archive.query.patterns import SQLiteText, TextMatching
from isocenter.archive.query.person_names import patient_named, person_named

TABLES: dict[Level, Table] = {
    Level.PATIENT: patient,
    Level.STUDY: study,
    Level.SERIES: series,
    Level.IMAGE: instance,
}

_TEXT: TextMatching = SQLiteText()

Condition = Callable[[Criterion], ColumnElement[bool]]


class QueryColumn(NamedTuple):
    """An attribute of an answer: its level, how to select it, write it and match it.

    Without `to_text` the value is text already. Without a `condition` the attribute is returned,
    but no key on it is heeded.
    """

    level: Level
    vr: str
    expression: ColumnElement[Any]
    to_text: Callable[[Any], str] | None
    condition: Condition | None


def stored_column(attribute: IndexAttribute) -> QueryColumn:
    """Return how to query a column of the index."""
    held = TABLES[attribute.level].c[attribute.column]
    vr = attribute.vr
    if attribute.column == "sop_class":
        named = _referred(term.c.value, term.c.id, held)
        return QueryColumn(attribute.level, vr, named, None, lambda c: _term_in(held, c))
    if vr == "UI":
        return QueryColumn(attribute.level, vr, held, unpack_uid, lambda c: _uid_in(held, c))
    if vr == "PN":
        if held is patient.c.name:
            return QueryColumn(attribute.level, vr, held, None, _patient_named)
        named = _referred(person.c.name, person.c.id, held)
        return QueryColumn(attribute.level, vr, named, None, lambda c: _person_named(held, c))
    if attribute.tag == TIMEZONE_OFFSET_FROM_UTC:  # says how to read the other keys' times
        return QueryColumn(attribute.level, vr, held, None, None)
    return QueryColumn(attribute.level, vr, held, _TO_TEXT.get(vr), lambda c: compare(held, c))


def _date_text(number: int) -> str:
    return f"{number:08d}"


_TO_TEXT: dict[str, Callable[[Any], str]] = {"DA": _date_text, "IS": str, "US": str}


def compare(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    """Whether the column's value is what `criterion` asks for."""
    if isinstance(criterion, Between):
        return _within(held, criterion)
    patterns = [_TEXT.pattern(held, pattern) for pattern in criterion.patterns]
    return or_(false(), _equals(held, criterion.values), *patterns)


def _within(held: ColumnElement[Any], criterion: Between) -> ColumnElement[bool]:
    if criterion.low is None:
        return held <= criterion.high
    if criterion.high is None:
        return held >= criterion.low
    return held.between(criterion.low, criterion.high)


def _equals(held: ColumnElement[Any], values: tuple[Any, ...]) -> ColumnElement[bool]:
    if not values:
        return false()
    return held == values[0] if len(values) == 1 else held.in_(values)


def _uid_in(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    values = criterion.values if isinstance(criterion, AnyOf) else ()
    return _equals(held, tuple(pack_uid(str(value)) for value in values))


def _term_in(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    return held.in_(select(term.c.id).where(compare(term.c.value, criterion)))


def _patient_named(criterion: Criterion) -> ColumnElement[bool]:
    return patient_named(criterion) if isinstance(criterion, AnyOf) else false()


def _person_named(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    return person_named(held, criterion) if isinstance(criterion, AnyOf) else false()


def _referred(
    value: ColumnElement[Any], key: ColumnElement[Any], reference: ColumnElement[Any]
) -> ColumnElement[Any]:
    return select(value).where(key == reference).scalar_subquery()
