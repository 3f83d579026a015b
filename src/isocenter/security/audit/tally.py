"""Instances counted by study until they are told of: one message for a study, not one for each.

What is kept of an instance is what the message needs, as it came; texts are decoded when it is
written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from isocenter.encoding.character_sets import decode_text
from isocenter.security.audit.events import Patient, Study

SPECIFIC_CHARACTER_SET = 0x00080005
ACCESSION_NUMBER = 0x00080050
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
STUDY_INSTANCE_UID = 0x0020000D

STUDIES_TOGETHER = 50
"""Studies of one patient that one message is about at most."""

LONGEST_VALUE = 512
"""Bytes of a value that are kept."""


class _Kept(NamedTuple):
    """The header values of a study's first instance that its message needs."""

    character_set: bytes
    study_uid: bytes
    accession_number: bytes
    name: bytes
    patient_id: bytes
    issuer: bytes


class Told(NamedTuple):
    """Studies of one patient, all with the same fate."""

    fate: str
    patient: Patient
    studies: tuple[Study, ...]


class StudyTally:
    """Counts instances by study and fate, a word of the caller's; for one thread at a time."""

    def __init__(self) -> None:
        self._counts: dict[tuple[bytes, str], tuple[_Kept, Counter[str]]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, header: Mapping[int, bytes], sop_class_uid: str, fate: str) -> None:
        """Count an instance, of which the header's values are given as they came."""
        key = header.get(STUDY_INSTANCE_UID, b""), fate
        counted = self._counts.get(key)
        if counted is None:
            counted = self._counts[key] = (_kept(header), Counter())
        counted[1][sop_class_uid] += 1

    def take(self) -> list[tuple[str, _Kept, Counter[str]]]:
        """What was counted, to be handed to `told`; from here on counting starts anew."""
        taken, self._counts = self._counts, {}
        return [(fate, *counted) for (_, fate), counted in taken.items()]


def told(taken: Iterable[tuple[str, _Kept, Counter[str]]]) -> Iterator[Told]:
    """What was counted, grouped as messages may be: by patient (PS3.15 A.5.3.7)."""
    studies: dict[tuple[str, Patient], list[Study]] = {}
    for fate, kept, counts in taken:
        patient, study = _decoded(kept, counts)
        studies.setdefault((fate, patient), []).append(study)
    for (fate, patient), theirs in studies.items():
        for start in range(0, len(theirs), STUDIES_TOGETHER):
            yield Told(fate, patient, tuple(theirs[start : start + STUDIES_TOGETHER]))


def _kept(header: Mapping[int, bytes]) -> _Kept:
    tags = (
        SPECIFIC_CHARACTER_SET,
        STUDY_INSTANCE_UID,
        ACCESSION_NUMBER,
        PATIENT_NAME,
        PATIENT_ID,
        ISSUER_OF_PATIENT_ID,
    )
    return _Kept(*(bytes(header.get(tag, b"")[:LONGEST_VALUE]) for tag in tags))


def _decoded(kept: _Kept, counts: Counter[str]) -> tuple[Patient, Study]:
    def text(value: bytes, vr: str) -> str:
        return decode_text(value, kept.character_set, vr).strip()

    patient = Patient(text(kept.patient_id, "LO"), text(kept.issuer, "LO"), text(kept.name, "PN"))
    uid = text(kept.study_uid, "UI")
    study = Study(uid, tuple(sorted(counts.items())), text(kept.accession_number, "SH"))
    return patient, study
