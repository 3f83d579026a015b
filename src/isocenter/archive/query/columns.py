"""The stored attributes as SQL: how each is selected, written and matched."""

from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, String, Table, and_, false, or_, select

from isocenter.archive.index.attributes import TIMEZONE_OFFSET_FROM_UTC, IndexAttribute, Level
from isocenter.archive.index.schema import instance, patient, person, series, study, term
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.query.criteria import AnyOf, Between, Criterion
from isocenter.archive.query.date_times import Interval
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

    `to_bytes` makes a neutral value of what the database holds. Without a `condition` the
    attribute is returned, but no key on it is heeded. `to_bound` is what a condition does to a
    value before the database sees it.
    """

    level: Level
    vr: str
    expression: ColumnElement[Any]
    to_bytes: Callable[[Any], bytes]
    condition: Condition | None
    to_bound: Callable[[Any], Any] | None = None


def stored_column(attribute: IndexAttribute) -> QueryColumn:
    """Return how to query a column of the index."""
    held = TABLES[attribute.level].c[attribute.column]
    vr = attribute.vr
    to_bytes = _TO_BYTES.get(vr, str.encode)
    if attribute.column == "sop_class":
        named = _referred(term.c.value, term.c.id, held)
        return QueryColumn(attribute.level, vr, named, str.encode, lambda c: _term_in(held, c))
    if vr == "UI":
        condition = _or_empty(held, lambda c: _uid_in(held, c))
        return QueryColumn(attribute.level, vr, held, to_bytes, condition, pack_uid)
    if vr == "PN":
        return _name_column(attribute, held)
    if attribute.tag == TIMEZONE_OFFSET_FROM_UTC:  # says how to read the other keys' times
        return QueryColumn(attribute.level, vr, held, to_bytes, None)
    condition = _or_empty(held, lambda c: compare(held, c))
    return QueryColumn(attribute.level, vr, held, to_bytes, condition)


def _name_column(attribute: IndexAttribute, held: ColumnElement[Any]) -> QueryColumn:
    if held is patient.c.name:
        condition = _or_empty(held, _patient_named)
        return QueryColumn(attribute.level, "PN", held, str.encode, condition)
    named = _referred(person.c.name, person.c.id, held)
    condition = _or_empty(held, lambda c: _person_named(held, c))
    return QueryColumn(attribute.level, "PN", named, str.encode, condition)


def _date_bytes(number: int) -> bytes:
    return b"%08d" % number


def _integer_bytes(number: int) -> bytes:
    return b"%d" % number


def _uid_bytes(packed: bytes) -> bytes:
    return unpack_uid(packed).encode()


_TO_BYTES: dict[str, Callable[[Any], bytes]] = {
    "DA": _date_bytes,
    "IS": _integer_bytes,
    "UI": _uid_bytes,
    "US": Struct("<H").pack,
}


def compare(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    """Whether the column's value is what `criterion` asks for."""
    if isinstance(criterion, Between):
        return _within(held, criterion)
    patterns = [_TEXT.pattern(held, pattern) for pattern in criterion.patterns]
    return or_(false(), _equals(held, criterion.values), *patterns)


def in_interval(
    date: ColumnElement[Any], time: ColumnElement[Any], span: Interval
) -> ColumnElement[bool]:
    """Whether a date and its time are a point of `span`; see `Interval.holds`."""
    conditions: list[ColumnElement[bool]] = []
    if span.low is not None:
        day, begin = span.low
        # The plain comparison is what an index on the date can be used for.
        conditions += [date >= day, or_(date > day, time.is_(None), time >= begin)]
    if span.high is not None:
        day, end = span.high
        conditions += [date <= day, or_(date < day, time.is_(None), time <= end)]
    return and_(*conditions)


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


def _or_empty(held: ColumnElement[Any], condition: Condition) -> Condition:
    """The same condition, heeding that a criterion may ask for entities without a value."""

    def allowing(criterion: Criterion) -> ColumnElement[bool]:
        if not (isinstance(criterion, AnyOf) and criterion.empty):
            return condition(criterion)
        missing = held.is_(None)
        empty = or_(missing, held == "") if isinstance(held.type, String) else missing
        return or_(empty, condition(criterion))

    return allowing


def _uid_in(held: ColumnElement[Any], criterion: Criterion) -> ColumnElement[bool]:
    values = criterion.values if isinstance(criterion, AnyOf) else ()
    return _equals(held, tuple(pack_uid(v) if isinstance(v, str) else v for v in values))


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
