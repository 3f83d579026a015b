"""How many instances of which studies something is about, for whoever must tell of it.

A retrieve of 100,000 instances tells of its studies and patients, never of single instances: what
is counted is pairs of a study's row and a SOP class.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.index.errors import IndexUnavailable
from isocenter.archive.index.schema import instance, patient, series, study, term
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.query.engine import Queryable

AT_A_TIME = 500

T = TypeVar("T")


class StudyCount(NamedTuple):
    """A study, its patient, and the instances of each SOP class that something is about.

    `number` is that of its row in the index, which tells studies apart cheaply.
    """

    number: int
    study_instance_uid: str
    accession_number: str
    patient_id: str
    issuer_of_patient_id: str
    patient_name: str
    instances: Mapping[str, int]


_DETAILS = (
    select(
        study.c.id,
        study.c.uid,
        func.coalesce(study.c.accession_number, ""),
        func.coalesce(patient.c.patient_id, ""),
        patient.c.issuer,
        func.coalesce(patient.c.name, ""),
    )
    .join_from(study, patient)
    .where(study.c.id.in_(bindparam("studies", expanding=True)))
)

_COUNTS = (
    select(series.c.study, term.c.value, func.count())
    .select_from(instance)
    .join(series)
    .join(term, term.c.id == instance.c.sop_class)
    .where(instance.c.uid.in_(bindparam("uids", expanding=True)))
    .group_by(series.c.study, term.c.value)
)


def describe_counts(
    connection: Connection, counts: Mapping[tuple[int, str], int]
) -> list[StudyCount]:
    """What is counted by study's row and SOP class, with the studies and patients it belongs to."""
    by_study: dict[int, dict[str, int]] = {}
    for (number, sop_class), count in counts.items():
        by_study.setdefault(number, {})[sop_class] = count
    described = []
    for some in _in_batches(sorted(by_study)):
        for number, uid, accession, *of_patient in connection.execute(_DETAILS, {"studies": some}):
            patient_id, issuer, name = of_patient
            described.append(
                StudyCount(
                    number, unpack_uid(uid), accession, patient_id, issuer, name, by_study[number]
                )
            )
    return described


def count_instances(index: Queryable, sop_instance_uids: Sequence[str]) -> list[StudyCount]:
    """The studies of instances by their UIDs; of those only that are stored.

    Raises IndexUnavailable.
    """
    counts: Counter[tuple[int, str]] = Counter()
    try:
        with index.connect() as connection:
            for uids in _in_batches(sop_instance_uids):
                packed = [pack_uid(uid) for uid in uids]
                for number, sop_class, count in connection.execute(_COUNTS, {"uids": packed}):
                    counts[number, sop_class] += count
            return describe_counts(connection, counts)
    except DBAPIError as error:
        raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error


def _in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, AT_A_TIME)):
        yield batch
