"""From an identifier to matches."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.query import data_sets
from isocenter.archive.query.computed import COLUMNS
from isocenter.archive.query.criteria import STANDARD, Rules
from isocenter.archive.query.headers import HeaderReader, locate_data_sets
from isocenter.archive.query.keys import Keys, sort_keys
from isocenter.archive.query.model import Model, check_hierarchy, query_level
from isocenter.archive.query.statements import Question, Rows, execute
from isocenter.archive.query.timezones import adjusted
from isocenter.encoding.elements import Elements, RawElement

_FIRST_ROWS = 8  # a first answer must not wait for many
_MOST_ROWS = 256

_STEPS_AT_ONCE = 20_000  # of SQLite's machine, about a millisecond

_NOTHING = b""


class Queryable(Protocol):
    """What the engine needs of an index."""

    def connect(self) -> Connection:
        """Return a connection for one query."""


class _Progress:
    """What a search and whoever takes its answers tell each other."""

    stopped = ""
    given_up = False


class Matches(Iterator[Elements]):
    """The answers to a query, read from the database as they are taken.

    They show the archive at the moment of the first one, whatever is stored meanwhile. Closing,
    or coming to the end, gives the connection back; a query left open holds the database's log
    from shrinking. May be used from several threads, one at a time.
    """

    def __init__(
        self,
        answers: Generator[Elements, None, None],
        unsupported: frozenset[int],
        progress: _Progress,
    ) -> None:
        self.unsupported = unsupported
        """Keys that were neither matched nor will be returned (PS3.4 C.4.1.1.4, status FF01)."""
        self._answers = answers
        self._progress = progress

    @property
    def stopped(self) -> str:
        """Why the answers ended before all were found, as a clause; empty where they did not."""
        return self._progress.stopped

    def __next__(self) -> Elements:
        return next(self._answers)

    def give_up(self) -> None:
        """Have the search for the next match end soon; from any thread, at any time."""
        self._progress.given_up = True

    def close(self) -> None:
        """Stop here."""
        self._answers.close()


def find(
    index: Queryable,
    model: Model,
    level: str,
    identifier: Elements,
    *,
    rules: Rules = STANDARD,
    relational: bool = False,
    limit: int | None = None,
    headers: HeaderReader | None = None,
    header_limit: int | None = None,
) -> Matches:
    """Return the entities at `level` that match `identifier` (PS3.4 C.4.1).

    The identifier and the matches are neutral `Elements` (`encoding.recoding`); a key without a
    value only asks for it. Each match has the keys that are supported, empty where the entity has
    no value. Attributes of higher levels may be keys as well. `relational` lifts the rule that
    unique keys of the levels above must be given (PS3.4 C.4.1.2.2.1).

    Keys that the index does not keep are answered from the stored instances by `headers`, which is
    closed with the matches; without it they are unsupported. After `header_limit` of them the
    matches end, and `Matches.stopped` says so; it also says where headers could not be read, for
    what matches by them is missing then.

    Raises:
        InvalidQuery: the level does not exist, or a key cannot mean anything.
        IndexUnavailable: later, while matches are taken: the database cannot be read.
    """
    at = query_level(model, level)
    keys = sort_keys(at, identifier, rules, headers=headers is not None)
    if not relational:
        check_hierarchy(model, at, keys.criteria)
    from_index = tuple(tag for tag in keys.extra if tag in COLUMNS)
    question = Question(
        at, keys.returned + from_index, keys.criteria, keys.intervals, bool(keys.header)
    )
    progress = _Progress()
    answers = _indexed(progress, index, question)
    if keys.header and headers is not None:
        answers = _with_headers(progress, index, question, keys, headers, header_limit)
    if keys.checked or keys.zone is not None:
        holds = data_sets.condition(keys.checked, rules)
        answers = _checked(answers, keys, rules, holds)
    if limit is not None:
        answers = _limited(answers, limit)
    return Matches(answers, keys.unsupported, progress)


def _limited(
    answers: Generator[Elements, None, None], limit: int
) -> Generator[Elements, None, None]:
    try:
        yield from islice(answers, limit)
    finally:
        answers.close()


def _checked(
    answers: Generator[Elements, None, None],
    keys: Keys,
    rules: Rules,
    holds: data_sets.Condition,
) -> Generator[Elements, None, None]:
    """Those answers that meet what the index could not decide, with what was asked for."""
    try:
        for elements in answers:
            answer = elements if keys.zone is None else adjusted(elements, keys.zone)
            if holds(answer):
                asked = {tag: answer[tag] for tag in keys.returned}
                yield asked | data_sets.project(keys.header, answer, rules)
    finally:
        answers.close()


def _indexed(
    progress: _Progress, index: Queryable, question: Question
) -> Generator[Elements, None, None]:
    to_elements = _row_reader(question.returned)
    with (
        _reading(index, progress) as connection,
        closing(execute(connection, question)) as result,
    ):
        for rows in _batches(result):
            for row in rows:
                if progress.given_up:
                    return
                yield to_elements(row)


def _with_headers(
    progress: _Progress,
    index: Queryable,
    question: Question,
    keys: Keys,
    headers: HeaderReader,
    limit: int | None,
) -> Generator[Elements, None, None]:
    """The same, each with the wanted attributes of its header."""
    to_elements = _row_reader(question.returned)
    wanted = frozenset(keys.header) | {tag for tag in keys.extra if tag not in COLUMNS}
    read = 0
    with (
        closing(headers),
        _reading(index, progress) as connection,
        closing(execute(connection, question)) as result,
    ):
        for rows in _batches(result):
            places = locate_data_sets(connection, [row[-1] for row in rows])
            for row in rows:
                if progress.given_up:
                    return
                if read == limit:
                    progress.stopped = f"after reading {read} stored headers"
                    return
                read += 1
                place = places.get(row[-1])
                found = {} if place is None else headers.read(place, wanted)
                yield to_elements(row) | found
        if headers.unreadable and data_sets.asks_for_anything(keys.header):
            progress.stopped = f"short of {headers.unreadable} unreadable stored headers"


@contextmanager
def _reading(index: Queryable, progress: _Progress) -> Iterator[Connection]:
    """A connection; that it cannot be read from is IndexUnavailable, without the query's values.

    Giving up ends the statement that runs on it, and with it the matches.
    """
    with index.connect() as connection, _ends_when(progress, connection):
        driver: Any = connection.dialect.loaded_dbapi
        try:
            yield connection
        except (DBAPIError, driver.Error) as error:
            if not progress.given_up:
                cause = error.orig if isinstance(error, DBAPIError) else error
                raise IndexUnavailable(f"The index could not be read: {cause}.") from error


@contextmanager
def _ends_when(progress: _Progress, connection: Connection) -> Iterator[None]:
    """SQLite looks up now and then whether anybody still waits for what it has not found yet."""
    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(lambda: progress.given_up, _STEPS_AT_ONCE)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


def _batches(result: Rows) -> Iterator[Sequence[Sequence[Any]]]:
    size = _FIRST_ROWS
    while rows := result.fetchmany(size):
        yield rows
        size = min(2 * size, _MOST_ROWS)


def _row_reader(returned: tuple[int, ...]) -> Callable[[Sequence[Any]], Elements]:
    columns = [(tag, COLUMNS[tag].vr, COLUMNS[tag].to_bytes) for tag in returned]

    def to_elements(row: Sequence[Any]) -> Elements:
        return {
            tag: RawElement(vr, _NOTHING if value is None else to_bytes(value))
            for (tag, vr, to_bytes), value in zip(columns, row, strict=False)
        }

    return to_elements
