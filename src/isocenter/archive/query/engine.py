"""From an identifier to matches."""

import time
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
from isocenter.archive.query.watch import Clock, Watch
from isocenter.encoding.elements import Elements, RawElement
from isocenter.security.access import Scope

_FIRST_ROWS = 8  # a first answer must not wait for many
_MOST_ROWS = 256

_NOTHING = b""


class Queryable(Protocol):
    """What the engine needs of an index."""

    def connect(self) -> Connection:
        """Return a connection for one query."""

    def connect_labelled(self) -> Connection:
        """Return one that sees the labels of studies as well."""


class _Progress:
    """What a search and whoever takes its answers tell each other."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.stopped = ""


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
        watch = self._progress.watch
        if not watch.is_limited:
            return next(self._answers)
        watch.begin()
        try:
            return next(self._answers)
        finally:
            watch.pause()

    def give_up(self) -> None:
        """Have the search for the next match end soon; from any thread, at any time."""
        self._progress.watch.give_up()

    def close(self) -> None:
        """Stop here."""
        self._answers.close()


def find(
    index: Queryable,
    model: Model,
    level: str,
    identifier: Elements,
    *,
    scope: Scope,
    rules: Rules = STANDARD,
    relational: bool = False,
    limit: int | None = None,
    headers: HeaderReader | None = None,
    header_limit: int | None = None,
    time_limit: float | None = None,
    clock: Clock = time.monotonic,
) -> Matches:
    """Return the entities at `level` that match `identifier` (PS3.4 C.4.1).

    The identifier and the matches are neutral `Elements` (`encoding.recoding`); a key without a
    value only asks for it. Each match has the keys that are supported, empty where the entity has
    no value. Attributes of higher levels may be keys as well. `relational` lifts the rule that
    unique keys of the levels above must be given (PS3.4 C.4.1.2.2.1).

    Nothing outside of `scope` is found, counted, or spoken for by its stored headers: for whoever
    asks, the archive has those studies only.

    Keys that the index does not keep are answered from the stored instances by `headers`, which is
    closed with the matches; without it they are unsupported. After `header_limit` of them the
    matches end, and `Matches.stopped` says so; it also says where headers could not be read, for
    what matches by them is missing then. After `time_limit` seconds of work, those in which nobody
    asked for the next match not counted, they end likewise.

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
        at,
        keys.returned + from_index,
        keys.criteria,
        keys.intervals,
        bool(keys.header),
        None if scope.labels is None else tuple(sorted(scope.labels)),
    )
    progress = _Progress(Watch(time_limit, clock))
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
        _reading(index, question, progress) as connection,
        closing(execute(connection, question)) as result,
    ):
        watch = progress.watch
        for rows in _batches(result):
            for row in rows:
                if watch.given_up:
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
        _reading(index, question, progress) as connection,
        closing(execute(connection, question)) as result,
    ):
        for rows in _batches(result):
            places = locate_data_sets(connection, [row[-1] for row in rows])
            for row in rows:
                if progress.watch.over:
                    _say_why(progress)
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
def _reading(index: Queryable, question: Question, progress: _Progress) -> Iterator[Connection]:
    """A connection; that it cannot be read from is IndexUnavailable, without the query's values.

    Giving up, or the end of the time, ends the statement that runs on it, and with it the matches.
    """
    connect = index.connect if question.labels is None else index.connect_labelled
    watch = progress.watch
    with connect() as connection, watch.over_statements(connection):
        driver: Any = connection.dialect.loaded_dbapi
        try:
            yield connection
        except (DBAPIError, driver.Error) as error:
            if not watch.over:
                cause = error.orig if isinstance(error, DBAPIError) else error
                raise IndexUnavailable(f"The index could not be read: {cause}.") from error
            _say_why(progress)


def _say_why(progress: _Progress) -> None:
    """Nobody asks why the matches end that nobody waits for."""
    if not progress.watch.given_up:
        progress.stopped = f"after {progress.watch.limit} of search"


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
