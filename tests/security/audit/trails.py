"""Trails for tests: filled, and tampered with from outside."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from isocenter.security.audit import codes, kinds
from isocenter.security.audit.chain import Draft, draft
from isocenter.security.audit.events import Here, Party, Patient, Study
from isocenter.security.audit.head import Head
from isocenter.security.audit.trail import AuditTrail
from isocenter.security.audit.verification import Verification, verify_trail

HERE = Here(("ARCHIVE",), "pacs1", 4711)
SOURCE = "ARCHIVE@pacs1"


def made(number: int = 0, *, moment: float | None = None, patient: str = "4711") -> Draft:
    """A message about one study of a patient."""
    study = Study(f"1.2.{number}", (("1.2.840.10008.5.1.4.1.1.2", 1),))
    now = 1000.0 + number if moment is None else moment
    peer = Party("CT1", "192.0.2.7")
    return draft(kinds.received(HERE, peer, [study], Patient(patient), now), SOURCE)


def alert(text: str) -> Draft:
    """What the trail tells of itself."""
    return draft(kinds.security_alert(HERE, codes.TRAIL_BROKEN, text, 5000.0), SOURCE)


def announce(count: int, last: Head) -> Draft:
    """What the trail tells of removed messages."""
    text = f"Removed {count} up to {last}"
    return draft(kinds.security_alert(HERE, codes.MESSAGES_REMOVED, text, 6000.0), SOURCE)


def filled(path: Path, count: int) -> AuditTrail:
    """A trail with so many messages."""
    trail = AuditTrail(path)
    trail.append([made(number) for number in range(count)], alert)
    return trail


def verified(trail: AuditTrail, *expected: Head) -> Verification:
    return verify_trail(trail, expected)


@contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """The database as anybody sees it who may write the file."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()
