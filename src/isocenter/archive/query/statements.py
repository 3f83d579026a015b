"""From understood keys to SQL.

The queries of a workstation are a few shapes asked again and again with other values. For those
whose values all are plain ones, the SQL is written once for each shape: to build and compile a
statement costs several times what SQLite needs to answer it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Connection, Dialect, Select, bindparam, select

from isocenter.archive.index.attributes import Level
from isocenter.archive.index.schema import study
from isocenter.archive.query.columns import TABLES, QueryColumn, in_interval
from isocenter.archive.query.computed import COLUMNS, patient_counts
from isocenter.archive.query.criteria import AnyOf, Between, Criterion
from isocenter.archive.query.date_times import Interval
from isocenter.archive.query.headers import first_instance
from isocenter.archive.query.patterns import teach_names
from isocenter.archive.query.visibility import (
    Sees,
    label_parameters,
    label_values,
    patient_is_seen,
    seeing,
)

_SHAPES = 512

_LONGEST_REMEMBERED = 8
"""Values and patterns of a statement that SQLAlchemy may remember. It keeps many statements, each
with the values that came with it first; a hundred names take three megabytes."""


class Question(NamedTuple):
    """What is asked of the database."""

    at: Level
    returned: tuple[int, ...]
    """The tags whose values each row has, in this order."""
    criteria: Mapping[int, Criterion]
    intervals: Mapping[tuple[int, int], Interval]
    """What is asked of pairs of a date and its time."""
    first_instance: bool
    """Whether each row ends with the number of the entity's first instance."""
    labels: tuple[str, ...] | None
    """Only of studies with one of these; None for all studies."""


class Rows(Protocol):
    """The answer of a database: SQLAlchemy's result or, for statements known by heart, a cursor."""

    def fetchmany(self, size: int, /) -> Sequence[Sequence[Any]]:
        """The next rows, none at the end."""

    def close(self) -> None:
        """Read no more."""


def execute(connection: Connection, question: Question) -> Rows:
    """Run the statement that answers `question`.

    Raises DBAPIError, and what the database's own driver raises.
    """
    if any(isinstance(c, AnyOf) and c.fuzzy for c in question.criteria.values()):
        teach_names(connection)
    shapes = [_shape(tag, criterion) for tag, criterion in question.criteria.items()]
    if question.intervals or None in shapes:
        sees = None if question.labels is None else seeing(question.labels)
        if _length(question.criteria) > _LONGEST_REMEMBERED:
            connection = connection.execution_options(compiled_cache=None)
        return connection.execute(_select(question, sees))
    labels = question.labels
    shape = (question.at, question.returned, tuple(shapes), question.first_instance)
    sql, parameters = _compiled(connection.dialect, *shape, None if labels is None else len(labels))
    values: dict[str, Any] = {} if labels is None else {**label_values(labels)}
    for tag, criterion in question.criteria.items():
        values |= _values(tag, criterion)
    bound = tuple(values[name] if constant is None else constant for name, constant in parameters)
    # SQLAlchemy's part in running a statement costs more than SQLite's.
    cursor = connection.connection.cursor()
    cursor.execute(sql, bound)
    return cursor


def _length(criteria: Mapping[int, Criterion]) -> int:
    lists = (c for c in criteria.values() if isinstance(c, AnyOf))
    return sum(len(c.values) + len(c.patterns) for c in lists)


def _select(question: Question, sees: Sees | None) -> Select[Any]:
    base = TABLES[question.at]
    counts = {} if sees is None else patient_counts(sees)
    expressions: list[ColumnElement[Any]] = [
        counts.get(tag, COLUMNS[tag].expression).label(f"tag_{tag:08x}")
        for tag in question.returned
    ]
    if question.first_instance:
        expressions.append(first_instance(question.at, sees).label("first_instance"))
    statement = select(*(expressions or [base.c.id])).select_from(base)
    levels = [COLUMNS[tag].level for tag in (*question.returned, *question.criteria)]
    if sees is not None:
        levels.append(min(question.at, Level.STUDY))
    highest = min(levels, default=question.at)
    for upper in sorted((each for each in Level if highest <= each < question.at), reverse=True):
        below, above = TABLES[Level(upper + 1)], TABLES[upper]
        statement = statement.join(above, above.c.id == below.c[above.name])
    for tag, criterion in question.criteria.items():
        condition = COLUMNS[tag].condition
        assert condition is not None  # there are no criteria for those without
        statement = statement.where(condition(criterion))
    for (date, time), span in question.intervals.items():
        statement = statement.where(_in_interval(COLUMNS[date], COLUMNS[time], span))
    if sees is not None:
        at_patients = question.at is Level.PATIENT
        statement = statement.where(patient_is_seen(sees) if at_patients else sees(study))
    return statement


def _in_interval(date: QueryColumn, time: QueryColumn, span: Interval) -> ColumnElement[bool]:
    return in_interval(date.expression, time.expression, span)


_Shape = tuple[int, bool, bool]
"""Tag of a criterion; for a range, whether it has a lower and an upper end; else both False."""


def _shape(tag: int, criterion: Criterion) -> _Shape | None:
    """The shape of a criterion, None for one whose values are part of the SQL."""
    if isinstance(criterion, Between):
        return tag, criterion.low is not None, criterion.high is not None
    plain = len(criterion.values) == 1 and not (criterion.patterns or criterion.empty)
    return (tag, False, False) if plain and COLUMNS[tag].vr != "PN" else None


def _values(tag: int, criterion: Criterion) -> dict[str, Any]:
    if isinstance(criterion, Between):
        return {f"low_{tag:08x}": criterion.low, f"high_{tag:08x}": criterion.high}
    (value,) = criterion.values
    to_bound = COLUMNS[tag].to_bound
    return {f"value_{tag:08x}": value if to_bound is None else to_bound(value)}


def _criterion(shape: _Shape) -> Criterion:
    tag, has_low, has_high = shape
    if not (has_low or has_high):
        value: Any = bindparam(f"value_{tag:08x}", required=False)
        return AnyOf((value,))
    low: Any = bindparam(f"low_{tag:08x}", required=False) if has_low else None
    high: Any = bindparam(f"high_{tag:08x}", required=False) if has_high else None
    return Between(low, high)


@lru_cache(maxsize=_SHAPES)
def _compiled(
    dialect: Dialect,
    at: Level,
    returned: tuple[int, ...],
    shapes: tuple[_Shape, ...],
    first_instance: bool,
    labels: int | None,
) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """SQL, and its parameters in order: their names, and values where these are always the same."""
    criteria = {shape[0]: _criterion(shape) for shape in shapes}
    sees = None if labels is None else seeing(label_parameters(labels))
    statement = _select(Question(at, returned, criteria, {}, first_instance, None), sees)
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    constants = compiled.params
    return str(compiled), tuple((name, constants[name]) for name in compiled.positiontup)
