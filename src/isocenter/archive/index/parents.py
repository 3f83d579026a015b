"""The rows above an instance: found in memory, else in the database, else inserted.

The first instance of a patient, study or series writes its row. A later one may fill in what the
study's row lacks, never change it, and only when it also opens a new series: instances of a
known series touch nothing but their own table. A study that claims a second patient stays with
its first; a Series UID met in two studies is two series.
"""

import sqlite3
from collections.abc import Mapping

from sqlalchemy import bindparam, func, insert, literal_column, select, update

from isocenter.archive.index.attributes import (
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    IndexAttribute,
    Level,
    attributes_of,
)
from isocenter.archive.index.connection import Statement
from isocenter.archive.index.recent import RecentIds
from isocenter.archive.index.schema import (
    instance,
    pack,
    patient,
    patient_name_group,
    person,
    series,
    study,
    term,
)
from isocenter.archive.index.uids import pack_uid
from isocenter.archive.index.values import Value, column_values, uid_text
from isocenter.archive.names import person_name_keys, search_text

Header = Mapping[int, bytes]

_REMEMBERED = 4_000

_PATIENT = attributes_of(Level.PATIENT)
_STUDY = attributes_of(Level.STUDY)
_SERIES = attributes_of(Level.SERIES)

_FIND_PATIENT = Statement(
    select(patient.c.id).where(patient.c.patient_id == "", patient.c.issuer == "")
)
_FIND_STUDY = Statement(select(study.c.id).where(study.c.uid == b""))
_FIND_SERIES = Statement(select(series.c.id).where(series.c.uid == b"", series.c.study == 0))
_FIND_PERSON = Statement(select(person.c.id).where(person.c.name == ""))
_FIND_TERM = Statement(select(term.c.id).where(term.c.value == ""))
_FIND_PACK = Statement(select(pack.c.id).where(pack.c.path == ""))


def _columns(attributes: tuple[IndexAttribute, ...], *more: str) -> list[str]:
    return [attribute.column for attribute in attributes] + list(more)


# Texts and dates; who referred the patient stays as it was first said.
_COMPLETED = tuple(a for a in _STUDY if a.vr not in ("UI", "PN"))
_READ_STUDY = Statement(
    select(*(study.c[attribute.column] for attribute in _COMPLETED)).where(study.c.id == 0)
)
_COMPLETE_STUDY = Statement(
    update(study)
    .where(study.c.id == bindparam("study"))
    .values({a.column: func.coalesce(study.c[a.column], bindparam(a.keyword)) for a in _COMPLETED})
)

_ADD_PATIENT = Statement(insert(patient), _columns(_PATIENT, "name_key"))
_ADD_STUDY = Statement(insert(study), _columns(_STUDY, "patient"))
_ADD_SERIES = Statement(insert(series), _columns(_SERIES, "study"))
_ADD_PERSON = Statement(insert(person), ["name", "name_key"])
_ADD_TERM = Statement(insert(term), ["value"])
_ADD_PACK = Statement(insert(pack), ["path", "instances_after"])
_LAST_INSTANCE = Statement(select(func.coalesce(func.max(instance.c.id), literal_column("0"))))
_ADD_NAME_GROUP = Statement(insert(patient_name_group), ["name_key", "component_group", "patient"])
_ADD_TRIGRAMS = "INSERT INTO patient_name_trigram (rowid, name_key) VALUES (?, ?)"


class Parents:
    """Ids of the rows that instances refer to, inside one transaction at a time."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self._patients: RecentIds[tuple[Value, Value]] = RecentIds(_REMEMBERED)
        self._studies: RecentIds[bytes] = RecentIds(_REMEMBERED)
        self._series: RecentIds[tuple[bytes, bytes]] = RecentIds(_REMEMBERED)
        self._people: RecentIds[str] = RecentIds(_REMEMBERED)
        self._terms: RecentIds[str] = RecentIds(_REMEMBERED)
        self._packs: RecentIds[str] = RecentIds(_REMEMBERED)
        self.added = False  # whether the present transaction inserted any row

    def begin(self) -> None:
        """A new transaction starts."""
        self.added = False

    def forget(self) -> None:
        """The transaction was rolled back: ids that it gave are void."""
        for remembered in (
            self._patients,
            self._studies,
            self._series,
            self._people,
            self._terms,
            self._packs,
        ):
            remembered.clear()

    def series_id(self, header: Header) -> int:
        """Return the id of the series that `header` belongs to."""
        # The bytes as they came: decoding them is for those that are new.
        study_uid = header.get(STUDY_INSTANCE_UID, b"")
        key = study_uid, header.get(SERIES_INSTANCE_UID, b"")
        known = self._series.get(key)
        if known is None:
            known = self._find_or_add_series(study_uid, header)
            self._series.put(key, known)
        return known

    def term_id(self, value: str) -> int:
        """Return the id of a UID or AE title."""
        known = self._terms.get(value)
        if known is None:
            known = self._find(_FIND_TERM, value) or self._add(_ADD_TERM, {"value": value})
            self._terms.put(value, known)
        return known

    def pack_id(self, path: str) -> int:
        """Return the id of a pack."""
        known = self._packs.get(path)
        if known is None:
            known = self._find(_FIND_PACK, path) or self._add_pack(path)
            self._packs.put(path, known)
        return known

    def _add_pack(self, path: str) -> int:
        last = self._find(_LAST_INSTANCE)
        return self._add(_ADD_PACK, {"path": path, "instances_after": last})

    def _find_or_add_series(self, study_uid: bytes, header: Header) -> int:
        row = column_values(_SERIES, header)
        study_id = self._studies.get(study_uid) or self._find_study(header)
        if study_id is None:
            study_id = self._add_study(header)
        elif (found := self._find(_FIND_SERIES, row["uid"], study_id)) is not None:
            return found
        else:
            self._complete_study(study_id, header)
        self._studies.put(study_uid, study_id)
        row["study"] = study_id
        row["performing_physician"] = self._person_id(row["performing_physician"])
        row["operators"] = self._person_id(row["operators"])
        return self._add(_ADD_SERIES, row)

    def _find_study(self, header: Header) -> int | None:
        return self._find(_FIND_STUDY, pack_uid(uid_text(header.get(STUDY_INSTANCE_UID, b""))))

    def _complete_study(self, study_id: int, header: Header) -> None:
        """Fill in what the study's first instance did not say and this one does."""
        held = self._cursor.execute(_READ_STUDY.sql, (study_id,)).fetchone()
        missing = [a for a, value in zip(_COMPLETED, held, strict=True) if value is None]
        found = column_values([a for a in missing if header.get(a.tag)], header)
        if any(value is not None for value in found.values()):
            values = [found.get(attribute.column) for attribute in _COMPLETED]
            self._cursor.execute(_COMPLETE_STUDY.sql, (*values, study_id))

    def _add_study(self, header: Header) -> int:
        row = column_values(_STUDY, header)
        row["patient"] = self._patient_id(header)
        row["referring_physician"] = self._person_id(row["referring_physician"])
        return self._add(_ADD_STUDY, row)

    def _patient_id(self, header: Header) -> int:
        row = column_values(_PATIENT, header)
        row["issuer"] = row["issuer"] or ""
        if row["patient_id"] is None:
            return self._add_patient(row)
        key = row["patient_id"], row["issuer"]
        known = self._patients.get(key)
        if known is None:
            known = self._find(_FIND_PATIENT, *key) or self._add_patient(row)
            self._patients.put(key, known)
        return known

    def _add_patient(self, row: dict[str, Value]) -> int:
        name = row["name"]
        groups = person_name_keys(name) if isinstance(name, str) else [""]
        row["name_key"] = groups[0] or None
        added = self._add(_ADD_PATIENT, row)
        if groups[0]:
            self._cursor.execute(_ADD_TRIGRAMS, (added, groups[0]))
        for number, key in enumerate(groups[1:], 1):
            if key:
                self._cursor.execute(_ADD_NAME_GROUP.sql, (key, number, added))
        return added

    def _person_id(self, name: Value) -> int | None:
        if not isinstance(name, str):
            return None
        known = self._people.get(name)
        if known is None:
            known = self._find(_FIND_PERSON, name) or self._add(
                _ADD_PERSON, {"name": name, "name_key": search_text(name)}
            )
            self._people.put(name, known)
        return known

    def _find(self, statement: Statement, *values: Value) -> int | None:
        row = self._cursor.execute(statement.sql, values).fetchone()
        return None if row is None else int(row[0])

    def _add(self, statement: Statement, row: Mapping[str, Value]) -> int:
        self.added = True
        return self._cursor.execute(statement.sql, statement.row(row)).lastrowid or 0
