"""Whom a query is about: the patient IDs and studies that its identifier names as single values."""

from __future__ import annotations

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.elements import Elements, decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.recoding import neutral_elements, neutral_text
from isocenter.security.audit.events import Query
from isocenter.security.audit.tally import (
    ISSUER_OF_PATIENT_ID,
    PATIENT_ID,
    STUDY_INSTANCE_UID,
)

MOST_STUDIES = 1000
"""Studies of one query by which it is found again."""

LONGEST_UID = 64


def make_query(
    sop_class_uid: str, identifier: bytes, transfer_syntax_uid: str, length: int
) -> Query:
    """The query as the trail keeps it; an identifier that cannot be read names nobody."""
    query = Query(sop_class_uid, identifier, transfer_syntax_uid, length)
    try:
        syntax = transfer_syntax(transfer_syntax_uid)
        elements = neutral_elements(decode_elements(identifier, syntax), syntax)
    except (EncodingError, ValueError, KeyError):
        return query
    return Query(
        sop_class_uid,
        identifier,
        transfer_syntax_uid,
        length,
        _patients(elements),
        _studies(elements),
    )


def _patients(elements: Elements) -> tuple[tuple[str, str], ...]:
    values = _values(elements, PATIENT_ID)
    issuer = next(iter(_values(elements, ISSUER_OF_PATIENT_ID)), "")
    return tuple((value, issuer) for value in values[:1])


def _studies(elements: Elements) -> tuple[str, ...]:
    uids = _values(elements, STUDY_INSTANCE_UID)[:MOST_STUDIES]
    return tuple(uid for uid in uids if len(uid) <= LONGEST_UID)


def _values(elements: Elements, tag: int) -> list[str]:
    """The values of a key that are no wildcards (PS3.4 C.2.2.2.4)."""
    element = elements.get(tag)
    if element is None:
        return []
    values = [value.strip(" \0") for value in neutral_text(element).split("\\")]
    return [value for value in values if value and not {"*", "?"} & set(value)]
