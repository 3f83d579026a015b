"""The chain of the trail: the hash of a message covers all of it and the hash before it.

Whoever changes, removes, inserts or reorders messages has to hash everything behind anew, and then
the last hash is another one than was noted elsewhere: in `audit.head` beside the database, by a
person (`isocenter audit verify --expect`), or on the syslog server, which has the messages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal, NamedTuple

from isocenter.security.audit.events import Event, Patient, Query, Study
from isocenter.security.audit.messages import encode_message

BEGINNING = bytes(32)
"""What stands where the hash before the first message would be."""

_FORM = "isocenter-audit-1"


class Subject(NamedTuple):
    """Whom or what a message can be found by. The issuer is that of a patient's ID."""

    kind: Literal["patient", "study"]
    value: str
    issuer: str = ""


class Draft(NamedTuple):
    """A message that is not in the trail yet."""

    moment: float
    event: str
    event_type: str
    outcome: int
    subjects: tuple[Subject, ...]
    xml: bytes


def draft(event: Event, source: str) -> Draft:
    """The message that tells of an event, as `source` reports it."""
    return Draft(
        event.moment,
        event.code.value,
        event.types[0].value if event.types else "",
        int(event.outcome),
        tuple(sorted(set(_subjects(event)))),
        encode_message(event, source),
    )


def _subjects(event: Event) -> Iterable[Subject]:
    for one in event.objects:
        match one:
            case Patient(patient_id=value, issuer=issuer) if value:
                yield Subject("patient", _text(value), _text(issuer))
            case Study(uid=uid) if uid:
                yield Subject("study", _text(uid))
            case Query(patient_ids=patients, study_uids=studies):
                yield from (Subject("patient", _text(of), _text(by)) for of, by in patients)
                yield from (Subject("study", _text(uid)) for uid in studies)


def _text(value: str) -> str:
    """What a database holds as text: no lone surrogates."""
    return value.encode("utf-8", "replace").decode()


def chain_hash(number: int, one: Draft, previous: bytes) -> bytes:
    """SHA-256 over a canonical form of a message, its number and the hash before it."""
    form = [
        _FORM,
        number,
        previous.hex(),
        one.moment,
        one.event,
        one.event_type,
        one.outcome,
        sorted(one.subjects),
        one.xml.hex(),
    ]
    canonical = json.dumps(form, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).digest()
