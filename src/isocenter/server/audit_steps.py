"""Whom a performed procedure step is about (PS3.4 F.7.2.1.1), for the audit trail."""

from __future__ import annotations

from isocenter.encoding.elements import Elements
from isocenter.encoding.recoding import neutral_text
from isocenter.security.audit.events import Patient, Study
from isocenter.security.audit.tally import (
    ACCESSION_NUMBER,
    ISSUER_OF_PATIENT_ID,
    PATIENT_ID,
    PATIENT_NAME,
    STUDIES_TOGETHER,
    STUDY_INSTANCE_UID,
)

SCHEDULED_STEP_ATTRIBUTES_SEQUENCE = 0x00400270


def step_patient(attributes: Elements) -> Patient:
    """The patient of a step's neutral attributes."""
    return Patient(
        _text(attributes, PATIENT_ID),
        _text(attributes, ISSUER_OF_PATIENT_ID),
        _text(attributes, PATIENT_NAME),
    )


def step_studies(attributes: Elements, sop_instance_uid: str) -> list[Study]:
    """The studies that a step belongs to, each with the step's own UID."""
    sequence = attributes.get(SCHEDULED_STEP_ATTRIBUTES_SEQUENCE)
    items = sequence.value if sequence is not None else []
    if not isinstance(items, list):
        return []
    found = {}
    for item in items[:STUDIES_TOGETHER]:
        if uid := _text(item, STUDY_INSTANCE_UID):
            accession_number = _text(item, ACCESSION_NUMBER)
            found[uid] = Study(uid, (), accession_number, sop_instance_uid)
    return list(found.values())


def _text(elements: Elements, tag: int) -> str:
    element = elements.get(tag)
    return "" if element is None else neutral_text(element).strip(" \0")
