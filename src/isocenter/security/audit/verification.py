"""Whether the trail is what was written: every message, its place, and the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

from sqlalchemy import Connection, select

from isocenter.security.audit.chain import BEGINNING, Draft, Subject, chain_hash
from isocenter.security.audit.head import Head, read_head
from isocenter.security.audit.schema import checkpoint, message, subject
from isocenter.security.audit.trail import AuditTrail

AT_A_TIME = 500


class Fault(NamedTuple):
    """The first thing that is wrong: at which message, and what, as a sentence."""

    number: int
    sentence: str


class Verification(NamedTuple):
    """What was found: the messages that are in order, the end, and the first fault, if any.

    Messages up to `removed_through` were removed because they were old, and the trail says so.
    """

    messages: int
    removed_through: int
    head: Head
    fault: Fault | None


def verify_trail(trail: AuditTrail, expected: Sequence[Head] = ()) -> Verification:
    """Check the whole trail; `expected` are ends that were noted elsewhere.

    Raises AuditUnavailable, and OSError where `audit.head` cannot be read.
    """
    noted = read_head(trail.head_path)  # first: the trail may grow meanwhile, never shrink
    with trail.database.reading() as connection:
        found = _verify(connection, noted, expected)
    if found.fault is None and noted is None and found.head.number and not trail.head_path.exists():
        sentence = "audit.head is missing, so messages removed at the end would not be noticed"
        return found._replace(fault=Fault(found.head.number, sentence))
    return found


def _verify(connection: Connection, noted: Head | None, expected: Sequence[Head]) -> Verification:
    start, announced = _beginning(connection)
    head = start
    wanted = {one.number: one.hash for one in expected}
    if noted is not None:
        wanted.setdefault(noted.number, noted.hash)
    fault = None
    told = announced is None
    for number, previous, digest, one in _messages(connection):
        fault = _fault_of(number, previous, digest, one, head, wanted)
        if fault is not None:
            break
        head = Head(number, digest)
        told = told or (number == announced and start.hash.hex().encode() in one.xml)
    fault = fault or _fault_of_end(head, start, wanted, announced if not told else None)
    return Verification(head.number - start.number, start.number, head, fault)


def _beginning(connection: Connection) -> tuple[Head, int | None]:
    """Where the chain starts, and the message that says that all before it was removed."""
    row = connection.execute(select(checkpoint)).one_or_none()
    if row is None:
        return Head(0, BEGINNING), None
    return Head(row.through, row.hash), row.announced


def _fault_of(
    number: int, previous: bytes, digest: bytes, one: Draft, head: Head, wanted: dict[int, bytes]
) -> Fault | None:
    expected = head.number + 1
    if number != expected:
        return Fault(expected, f"message {expected} is missing")
    if previous != head.hash:
        return Fault(number, f"message {number} does not follow the one before it")
    if _hash(number, one, previous) != digest:
        return Fault(number, f"message {number} was changed")
    if wanted.get(number, digest) != digest:
        return Fault(number, f"message {number} is not the one that was noted")
    return None


def _hash(number: int, one: Draft, previous: bytes) -> bytes | None:
    """The hash of a row; none of one whose columns hold values of other types than they should."""
    try:
        return chain_hash(number, one, previous)
    except (AttributeError, TypeError):
        return None


def _fault_of_end(
    head: Head, start: Head, wanted: dict[int, bytes], untold: int | None
) -> Fault | None:
    if wanted and max(wanted) > head.number:
        return Fault(head.number + 1, f"message {head.number + 1} is missing at the end")
    if untold is not None:
        return Fault(start.number, f"no message tells that those up to {start.number} were removed")
    return None


def _messages(connection: Connection) -> Iterator[tuple[int, bytes, bytes, Draft]]:
    """All messages in their order, with what they are about: number, chain, content."""
    rows = connection.execution_options(yield_per=AT_A_TIME).execute(
        select(message).order_by(message.c.id)
    )
    while batch := list(islice(rows, AT_A_TIME)):
        about = _subjects(connection, batch[0].id, batch[-1].id)
        for row in batch:
            content = Draft(
                row.moment,
                row.event,
                row.event_type,
                row.outcome,
                about.get(row.id, ()),
                row.xml,
            )
            yield row.id, row.previous, row.hash, content


def _subjects(connection: Connection, first: int, last: int) -> dict[int, tuple[Subject, ...]]:
    rows = connection.execute(
        select(subject.c.message, subject.c.kind, subject.c.value, subject.c.issuer)
        .where(subject.c.message.between(first, last))
        .order_by(subject.c.message)
    )
    return {
        number: tuple(Subject(*row[1:]) for row in group)
        for number, group in groupby(rows, key=lambda row: row[0])
    }
