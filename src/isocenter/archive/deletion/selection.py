"""What a deletion is about: the instances of studies or series, or single ones, as of now."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Column, Select, func, select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.deletion.trash import DeletedRecord
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.schema import instance, pack, patient, series, study
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.query.engine import Queryable

DeletionLevel = Literal["STUDY", "SERIES", "IMAGE"]

MAXIMUM_UIDS = 1000
"""How many studies, series or instances one deletion may name."""

_AT_ONCE = 500
_DIGEST_MASK = 2**64 - 1
_UIDS: dict[DeletionLevel, Column[bytes]] = {
    "STUDY": study.c.uid,
    "SERIES": series.c.uid,
    "IMAGE": instance.c.uid,
}


class Target(NamedTuple):
    """What is to be deleted: UIDs of a level of the query/retrieve model."""

    level: DeletionLevel
    uids: tuple[str, ...]


class Extent(NamedTuple):
    """How much a target comes to, and which of its UIDs name nothing."""

    patients: int
    studies: int
    series: int
    instances: int
    bytes: int
    unknown: tuple[str, ...]


class Chosen(NamedTuple):
    """A record, whose it is, and when it was received in Unix seconds."""

    record: DeletedRecord
    patient_id: str
    received_at: int


def chosen_records(index: Queryable, target: Target) -> Iterator[Chosen]:
    """The instances of a target as the index has them. Raises IndexUnavailable."""
    columns = (
        instance.c.uid,
        pack.c.path,
        instance.c.offset,
        instance.c.length,
        instance.c.digest,
        series.c.uid,
        study.c.uid,
        patient.c.patient_id,
        instance.c.received_at,
    )
    for some in _parts(target.uids):
        wanted = _joined(select(*columns).join_from(instance, pack), target.level, some)
        rows = _rows(index, wanted.order_by(instance.c.id))
        for uid, path, offset, length, digest, series_uid, study_uid, patient_id, moment in rows:
            record = DeletedRecord(
                unpack_uid(uid),
                path,
                offset,
                length,
                digest & _DIGEST_MASK,
                unpack_uid(series_uid),
                unpack_uid(study_uid),
            )
            yield Chosen(record, patient_id or "", moment)


def extent_of(index: Queryable, target: Target) -> Extent:
    """Count what would be deleted. Raises IndexUnavailable."""
    ids: tuple[set[int], set[int], set[int]] = (set(), set(), set())
    count = size = 0
    unknown: list[str] = []
    named = _UIDS[target.level]
    totals = (func.count(), func.sum(instance.c.length))
    for some in _parts(target.uids):
        columns = (named, patient.c.id, study.c.id, series.c.id, *totals)
        counted = _joined(select(*columns).select_from(instance), target.level, some)
        known = set()
        for uid, *above, instances, length in _rows(index, counted.group_by(named, series.c.id)):
            known.add(uid)
            count, size = count + instances, size + length
            for found, one in zip(ids, above, strict=True):
                found.add(one)
        unknown += [uid for uid in some if pack_uid(uid) not in known]
    patients, studies, serieses = map(len, ids)
    return Extent(patients, studies, serieses, count, size, tuple(unknown))


def _rows(index: Queryable, statement: Select[Any]) -> list[tuple[Any, ...]]:
    try:
        with index.connect() as connection:
            return [tuple(row) for row in connection.execute(statement)]
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error


def _parts(uids: Sequence[str]) -> Iterator[Sequence[str]]:
    unique = list(dict.fromkeys(uids))
    for start in range(0, len(unique), _AT_ONCE):
        yield unique[start : start + _AT_ONCE]


def _joined(statement: Select[Any], level: DeletionLevel, uids: Sequence[str]) -> Select[Any]:
    packed = [pack_uid(uid) for uid in uids]
    return (
        statement.join(series, series.c.id == instance.c.series)
        .join(study, study.c.id == series.c.study)
        .join(patient, patient.c.id == study.c.patient)
        .where(_UIDS[level].in_(packed))
    )
