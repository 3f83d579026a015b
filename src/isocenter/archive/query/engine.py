"""From an identifier to matches."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Select, select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.index.attributes import TIMEZONE_OFFSET_FROM_UTC, Level
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.query.columns import TABLES, QueryColumn
from isocenter.archive.query.computed import COLUMNS
from isocenter.archive.query.criteria import Criterion, check_size, parse_key
from isocenter.archive.query.model import (
    QUERY_RETRIEVE_LEVEL,
    Model,
    check_hierarchy,
    query_level,
)

# Said in an identifier about the query, not asked of the archive's content.
_NO_KEYS = frozenset(
    {
        0x00080005,  # Specific Character Set
        QUERY_RETRIEVE_LEVEL,
        0x00080053,  # Query/Retrieve View
        0x00080054,  # Retrieve AE Title
        TIMEZONE_OFFSET_FROM_UTC,
        0x00880130,  # Storage Media File-set ID and UID
        0x00880140,
    }
)

_FIRST_ROWS = 8  # a first answer must not wait for many
_MOST_ROWS = 256


Returned = tuple[int, Callable[[Any], str] | None]


class Queryable(Protocol):
    """What the engine needs of an index."""

    def connect(self) -> Connection:
        """Return a connection for one query."""


class Matches(Iterator[dict[int, str]]):
    """The answers to a query, read from the database as they are taken.

    They show the archive at the moment of the first one, whatever is stored meanwhile. Closing,
    or coming to the end, gives the connection back; a query left open holds the database's log
    from shrinking. May be used from several threads, one at a time.
    """

    def __init__(
        self,
        index: Queryable,
        statement: Select[Any],
        returned: Sequence[Returned],
        unsupported: frozenset[int],
    ) -> None:
        self.unsupported = unsupported
        """Keys that were neither matched nor will be returned (PS3.4 C.4.1.1.4, status FF01)."""
        self._matches = _matches(index, statement, returned)

    def __next__(self) -> dict[int, str]:
        return next(self._matches)

    def close(self) -> None:
        """Stop here."""
        self._matches.close()


def find(
    index: Queryable,
    model: Model,
    level: str,
    keys: Mapping[int, str],
    *,
    limit: int | None = None,
    relational: bool = False,
) -> Matches:
    """Return the entities at `level` that match `keys` (PS3.4 C.4.1).

    Keys map tags to decoded text; an empty text only asks for the value. Each match maps the
    keys that the index supports to text, empty where the entity has no value. Attributes of
    higher levels may be keys as well. `relational` lifts the rule that unique keys of the levels
    above must be given (PS3.4 C.4.1.2.2.1).

    Raises:
        InvalidQuery: the level does not exist, or a key cannot mean anything.
        IndexUnavailable: later, while matches are taken: the database cannot be read.
    """
    at = query_level(model, level)
    known = {tag: COLUMNS[tag] for tag in keys if tag in COLUMNS and COLUMNS[tag].level <= at}
    criteria = _criteria(known, keys)
    check_size(criteria)
    if not relational:
        check_hierarchy(model, at, criteria)
    statement = _select(at, known, criteria).limit(limit)
    returned = [(tag, column.to_text) for tag, column in known.items()]
    unmatched = {tag for tag in known if known[tag].condition is None and keys[tag].strip("* \0")}
    left_out = {tag for tag in keys.keys() - known.keys() if tag & 0xFFFF}  # no group lengths
    unsupported = frozenset((left_out | unmatched) - _NO_KEYS)
    return Matches(index, statement, returned, unsupported)


def _criteria(known: Mapping[int, QueryColumn], keys: Mapping[int, str]) -> dict[int, Criterion]:
    criteria = {}
    for tag, column in known.items():
        if column.condition is None:
            continue
        criterion = parse_key(tag, column.vr, keys[tag])
        if criterion is not None:
            criteria[tag] = criterion
    return criteria


def _select(
    at: Level, known: Mapping[int, QueryColumn], criteria: Mapping[int, Criterion]
) -> Select[Any]:
    base = TABLES[at]
    expressions: list[ColumnElement[Any]] = [
        column.expression.label(f"tag_{tag:08x}") for tag, column in known.items()
    ]
    statement = select(*(expressions or [base.c.id])).select_from(base)
    highest = min((column.level for column in known.values()), default=at)
    for upper in sorted((level for level in Level if highest <= level < at), reverse=True):
        below, above = TABLES[Level(upper + 1)], TABLES[upper]
        statement = statement.join(above, above.c.id == below.c[above.name])
    for tag, criterion in criteria.items():
        condition = known[tag].condition
        assert condition is not None  # _criteria left out those without
        statement = statement.where(condition(criterion))
    return statement


def _matches(
    index: Queryable, statement: Select[Any], returned: Sequence[Returned]
) -> Generator[dict[int, str], None, None]:
    size = _FIRST_ROWS
    try:
        with index.connect() as connection, connection.execute(statement) as result:
            while rows := result.fetchmany(size):
                for row in rows:
                    yield {
                        tag: "" if value is None else to_text(value) if to_text else value
                        for (tag, to_text), value in zip(returned, row, strict=False)
                    }
                size = min(2 * size, _MOST_ROWS)
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
