"""What a retrieve asks for, as places in packs: one selection for C-GET, C-MOVE and WADO-RS.

A selection remembers only the number of each instance's row, 8 bytes, in the order in which the
bytes lie in the packs; where they lie is looked up batch by batch while they are sent. So a
selection of 100,000 instances takes less than a megabyte, and no transaction stays open over a
transfer that may last for hours.
"""

import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.index.attributes import (
    ATTRIBUTE_BY_TAG,
    ISSUER_OF_PATIENT_ID,
    PATIENT_ID,
    Level,
)
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.schema import instance, pack, series, study, term
from isocenter.archive.index.uids import unpack_uid
from isocenter.archive.query.columns import TABLES, stored_column
from isocenter.archive.query.criteria import AnyOf, check_size, parse_key
from isocenter.archive.query.engine import Queryable
from isocenter.archive.query.errors import InvalidQuery, SearchTookTooLong
from isocenter.archive.query.model import UNIQUE_KEY, Model, query_level
from isocenter.archive.query.visibility import seeing
from isocenter.archive.query.watch import Clock, Watch
from isocenter.archive.study_counts import StudyCount, describe_counts
from isocenter.dictionary.elements import format_tag
from isocenter.security.access import Scope

BATCH = 500
"""Instances looked up at a time."""


class StoredInstance(NamedTuple):
    """An instance and where it lies: `offset` and `length` bound its Part 10 file in `pack`.

    `pack` is a path relative to the pack root; `dataset_offset` counts from `offset`. `study` is
    the number of its study (`StudyCount`).
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    pack: str
    offset: int
    dataset_offset: int
    length: int
    study: int

    @property
    def dataset_length(self) -> int:
        """Bytes of the data set."""
        return self.length - self.dataset_offset


class Selection:
    """The instances that a retrieve is about, as they were when it was asked for.

    Iterating reads the index, in the order of the packs; an instance that has been removed since
    is left out. `kinds` are the pairs of SOP class and transfer syntax that occur, `studies` what
    is selected of each study.
    """

    def __init__(
        self,
        index: Queryable,
        numbers: "array[int]",
        kinds: Sequence[tuple[str, str]],
        studies: Sequence[StudyCount],
    ) -> None:
        self._index = index
        self._numbers = numbers
        self.kinds = tuple(kinds)
        self.studies = studies

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[StoredInstance]:
        """Raises IndexUnavailable when the database cannot be read."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[Sequence[StoredInstance]]:
        """The same in groups of up to `BATCH`, each with one look into the index."""
        numbers = iter(self._numbers)
        while batch := list(islice(numbers, BATCH)):
            yield _locate(self._index, batch)


def select_instances(
    index: Queryable,
    model: Model,
    level: str,
    keys: Mapping[int, str],
    *,
    scope: Scope,
    time_limit: float | None = None,
    clock: Clock = time.monotonic,
) -> Selection:
    """Return the instances that an identifier of C-GET or C-MOVE names (PS3.4 C.4.2.2.1, C.4.3.2).

    `keys` map tags to decoded text. Only unique keys count, and the issuer of a Patient ID: that
    of the level must be given, as one value or (UIDs) as a list; those above it, where given, as
    one value; those below it must be empty, for they would narrow what the level says is wanted.
    What is outside of `scope` is not there. The database may work for `time_limit` seconds.

    Raises:
        InvalidQuery: the level does not exist in the model, or a key breaks these rules.
        IndexUnavailable: the database cannot be read.
        SearchTookTooLong: it would have to work for longer.
    """
    at = query_level(model, level)
    criteria = _criteria(model, at, keys)
    check_size(criteria)
    connect = index.connect if scope.labels is None else index.connect_labelled
    watch = Watch(time_limit, clock)
    watch.begin()
    try:
        with connect() as connection, watch.over_statements(connection):
            statement = _select(criteria, scope)
            rows = connection.execution_options(yield_per=10_000).execute(statement)
            numbers = array("q")
            counts: Counter[tuple[int, int, int]] = Counter()
            for number, *kind in rows:
                numbers.append(number)
                counts[tuple(kind)] += 1
            terms = {number for _, *kind in counts for number in kind}
            named = select(term.c.id, term.c.value).where(term.c.id.in_(terms))
            names = {row.id: row.value for row in connection.execute(named)}
            kinds = {(names[first], names[second]): None for _, first, second in counts}
            by_study: Counter[tuple[int, str]] = Counter()
            for (study, sop_class, _), count in counts.items():
                by_study[study, names[sop_class]] += count
            studies = describe_counts(connection, by_study)
    except DBAPIError as error:
        if watch.timed_out:
            raise SearchTookTooLong(
                f"The search for instances took longer than {watch.limit}; ask for fewer."
            ) from error
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
    return Selection(index, numbers, list(kinds), studies)


def _criteria(model: Model, at: Level, keys: Mapping[int, str]) -> dict[int, AnyOf]:
    root = Level.STUDY if model == "STUDY" else Level.PATIENT
    criteria: dict[int, AnyOf] = {}
    for level in Level:
        tag = UNIQUE_KEY[level]
        values = [value for part in keys.get(tag, "").split("\\") if (value := part.strip(" \0"))]
        if not values:
            if level is at:
                raise _broken(tag, f"is needed to retrieve at {at.name} level")
            continue
        if level > at:
            raise _broken(tag, f"must be empty in a retrieve at {at.name} level")
        if len(values) > 1 and (level < at or level is Level.PATIENT):
            raise _broken(tag, "must be a single value")
        if level >= root:
            criteria[tag] = _exactly(tag, values)
    issuer = keys.get(ISSUER_OF_PATIENT_ID, "").strip(" \0")
    if issuer and PATIENT_ID in criteria:
        criteria[ISSUER_OF_PATIENT_ID] = _exactly(ISSUER_OF_PATIENT_ID, [issuer])
    return criteria


def _exactly(tag: int, values: list[str]) -> AnyOf:
    """The criterion of plain values: a retrieve knows no wildcards (PS3.4 C.4.2.2.1)."""
    if any("*" in value or "?" in value for value in values):
        raise _broken(tag, "must not hold wildcards in a retrieve")
    criterion = parse_key(tag, ATTRIBUTE_BY_TAG[tag].vr, "\\".join(values))
    assert isinstance(criterion, AnyOf)
    return criterion


def _broken(tag: int, rule: str) -> InvalidQuery:
    return InvalidQuery(f"{ATTRIBUTE_BY_TAG[tag].keyword} {format_tag(tag)} {rule}.", tag)


def _select(criteria: Mapping[int, AnyOf], scope: Scope) -> Select[Any]:
    statement = select(
        instance.c.id, series.c.study, instance.c.sop_class, instance.c.transfer_syntax
    )
    highest = min(Level.SERIES, *(ATTRIBUTE_BY_TAG[tag].level for tag in criteria))
    if scope.labels is not None:
        highest = min(highest, Level.STUDY)
        statement = statement.where(seeing(sorted(scope.labels))(study))
    for upper in sorted((level for level in Level if highest <= level < Level.IMAGE), reverse=True):
        below, above = TABLES[Level(upper + 1)], TABLES[upper]
        statement = statement.join(above, above.c.id == below.c[above.name])
    conditions: list[ColumnElement[bool]] = []
    for tag, criterion in criteria.items():
        condition = stored_column(ATTRIBUTE_BY_TAG[tag]).condition
        assert condition is not None  # unique keys can all be matched
        conditions.append(condition(criterion))
    return statement.where(*conditions).order_by(instance.c.pack, instance.c.offset)


_sop_class, _transfer_syntax = term.alias("sop_class"), term.alias("transfer_syntax")
_PLACES = (
    select(
        _sop_class.c.value,
        instance.c.uid,
        _transfer_syntax.c.value,
        pack.c.path,
        instance.c.offset,
        instance.c.dataset_offset,
        instance.c.length,
        series.c.study,
    )
    .join_from(instance, pack)
    .join(series, series.c.id == instance.c.series)
    .join(_sop_class, _sop_class.c.id == instance.c.sop_class)
    .join(_transfer_syntax, _transfer_syntax.c.id == instance.c.transfer_syntax)
    .order_by(instance.c.pack, instance.c.offset)
)


def _locate(index: Queryable, numbers: Sequence[int]) -> list[StoredInstance]:
    try:
        with index.connect() as connection:
            rows = connection.execute(_PLACES.where(instance.c.id.in_(numbers))).all()
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error
    return [StoredInstance(row[0], unpack_uid(row[1]), *row[2:]) for row in rows]
