"""Taking instances out of the index, and with the last one the rows above it."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Column, Table, delete, exists, select

from isocenter.archive.index.connection import Statement
from isocenter.archive.index.schema import (
    instance,
    pack,
    patient,
    patient_name_group,
    person,
    quarantine,
    series,
    study,
)
from isocenter.archive.index.uids import pack_uid

# A pack's instances were all inserted after its own row, and ids only grow: no need of an index
# by pack, which every instance would pay for.
_FIND_RECORDS = Statement(
    select(instance.c.id, instance.c.series)
    .join_from(pack, instance, instance.c.id > pack.c.instances_after)
    .where(pack.c.path == "", instance.c.pack == pack.c.id, instance.c.offset >= 0)
)
_FIND_RECORD = Statement(
    select(instance.c.id, instance.c.series)
    .join_from(instance, pack)
    .where(instance.c.uid == b"", pack.c.path == "", instance.c.offset == 0)
)
_REMOVE_INSTANCE = Statement(delete(instance).where(instance.c.id == 0))
_REMOVE_NAME_GROUPS = Statement(delete(patient_name_group).where(patient_name_group.c.patient == 0))
_READ_NAME_KEY = Statement(select(patient.c.name_key).where(patient.c.id == 0))
# A contentless FTS5 table cannot know what to remove unless it is told the text again.
_REMOVE_TRIGRAMS = (
    "INSERT INTO patient_name_trigram (patient_name_trigram, rowid, name_key) "
    "VALUES ('delete', ?, ?)"
)


_REMOVE_PACK = Statement(delete(pack).where(pack.c.path == ""))
_REMOVE_QUARANTINED = Statement(delete(quarantine).where(quarantine.c.path == ""))
_NAMED = [study.c.referring_physician, series.c.performing_physician, series.c.operators]
_REMOVE_UNNAMED = Statement(
    delete(person).where(
        *(person.c.id.not_in(select(column).where(column.is_not(None))) for column in _NAMED)
    )
)


class RecordPlace(NamedTuple):
    """An instance and where it lies; one that was stored anew under its UID lies elsewhere."""

    sop_instance_uid: str
    pack: str
    offset: int


def remove_places(cursor: sqlite3.Cursor, places: Sequence[RecordPlace]) -> None:
    """Remove these very records, where the index still has them there."""
    parents = set()
    for uid, path, offset in places:
        row = cursor.execute(_FIND_RECORD.sql, (pack_uid(uid), path, offset)).fetchone()
        if row is not None:
            cursor.execute(_REMOVE_INSTANCE.sql, (row[0],))
            parents.add(row[1])
    _prune(cursor, parents)


def remove_packs(cursor: sqlite3.Cursor, paths: Sequence[str]) -> None:
    """Remove packs that are gone, none of whose instances is left."""
    cursor.executemany(_REMOVE_PACK.sql, [(path,) for path in paths])


def remove_quarantined(cursor: sqlite3.Cursor, paths: Sequence[str]) -> None:
    """Remove what is said of files that are no longer in quarantine."""
    cursor.executemany(_REMOVE_QUARANTINED.sql, [(path,) for path in paths])


def remove_unnamed_people(cursor: sqlite3.Cursor) -> None:
    """Remove physicians and operators whom no study and no series names any more.

    This reads both tables whole, so it is done when something is purged, not with every removal.
    """
    cursor.execute(_REMOVE_UNNAMED.sql)


def remove_records(cursor: sqlite3.Cursor, path: str, offset: int) -> int:
    """Remove the instances of a pack that lie at `offset` or behind it; return how many."""
    found = cursor.execute(_FIND_RECORDS.sql, (path, offset)).fetchall()
    cursor.executemany(_REMOVE_INSTANCE.sql, [(number,) for number, _ in found])
    _prune(cursor, {series_id for _, series_id in found})
    return len(found)


def _prune(cursor: sqlite3.Cursor, series_ids: Iterable[int]) -> None:
    """Remove the series that are empty now, then the studies, then the patients."""
    studies = _SERIES.remove_empty(cursor, series_ids)
    patients = _STUDIES.remove_empty(cursor, studies)
    for number in patients:
        if _PATIENTS.is_empty(cursor, number):
            _remove_patient(cursor, number)


def _remove_patient(cursor: sqlite3.Cursor, number: int) -> None:
    (key,) = cursor.execute(_READ_NAME_KEY.sql, (number,)).fetchone()
    if key is not None:
        cursor.execute(_REMOVE_TRIGRAMS, (number, key))
    cursor.execute(_REMOVE_NAME_GROUPS.sql, (number,))
    cursor.execute(_PATIENTS.remove.sql, (number,))


class _Parent:
    """Statements about a table whose rows live as long as they have children."""

    def __init__(self, table: Table, child: Column[int], above: Column[int] | None = None) -> None:
        childless = ~exists().where(child == table.c.id)
        self.find_empty = Statement(
            select(table.c.id if above is None else above).where(table.c.id == 0, childless)
        )
        self.remove = Statement(delete(table).where(table.c.id == 0))

    def is_empty(self, cursor: sqlite3.Cursor, number: int) -> bool:
        return cursor.execute(self.find_empty.sql, (number,)).fetchone() is not None

    def remove_empty(self, cursor: sqlite3.Cursor, numbers: Iterable[int]) -> set[int]:
        """Remove the rows without children; return the ids of the rows above them."""
        above = set()
        for number in numbers:
            row = cursor.execute(self.find_empty.sql, (number,)).fetchone()
            if row is not None:
                cursor.execute(self.remove.sql, (number,))
                above.add(row[0])
        return above


_SERIES = _Parent(series, instance.c.series, series.c.study)
_STUDIES = _Parent(study, series.c.study, study.c.patient)
_PATIENTS = _Parent(patient, study.c.patient)
