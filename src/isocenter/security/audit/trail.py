"""The trail itself: messages are added at its end, old ones may be taken from its beginning.

Any number of processes add; SQLite lets one write at a time, and the lock of `audit.head` keeps
the note in step, so that the chain stays one chain.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from isocenter.security.audit.chain import Draft, chain_hash
from isocenter.security.audit.database import AuditDatabase, AuditUnavailable
from isocenter.security.audit.head import NOTHING_YET, Head, HeadFile
from isocenter.security.audit.schema import checkpoint, export, message, subject

HEAD_SUFFIX = ".head"

REMOVED_TOGETHER = 1000
"""Messages that are removed in one transaction: nobody who adds waits long."""

CUT = "The audit trail did not continue where it had ended: messages were removed or replaced"
NO_NOTE = "The note of the last audit message (audit.head) was gone"

Alert = Callable[[str], Draft]
"""Makes the message that tells of something that is wrong with the trail."""

Announce = Callable[[int, Head], Draft]
"""Makes the message that tells of removed ones: how many, and the last of them."""


class AuditTrail:
    """The trail in the database at `path`; a context manager. For any thread.

    Unless it is `required`, the file is opened at first need. Every method raises AuditUnavailable.
    """

    def __init__(self, path: Path, *, required: bool = True) -> None:
        self.database = AuditDatabase(path, required=required)
        self.head_path = path.with_suffix(HEAD_SUFFIX)
        self._lock = threading.Lock()  # flock knows files, not threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def append(self, drafts: Sequence[Draft], alert: Alert) -> Head:
        """Add messages, durably, in one transaction; return the new end.

        Where the end is not the one that was noted, what `alert` makes of that goes in first: it
        stays on record that something was removed, though the note moves on.
        """
        with self._writing() as step:
            everything = [alert(step.trouble), *drafts] if step.trouble else drafts
            step.end = _add(step.connection, step.end, everything)
        return step.end

    def prune(self, before: float, *, through: int | None, announce: Announce, alert: Alert) -> int:
        """Remove messages from before a moment, up to the number `through`; return how many.

        Only what stands at the beginning of the trail is removed, so that what remains is one chain
        behind a checkpoint; and what tells of the removal stays.
        """
        removed = 0
        with self.database.reading() as connection:
            last = _end(connection).number  # and not what removing adds
        highest = last if through is None else min(last, through)
        while count := self._prune_some(before, highest, announce, alert):
            removed += count
        return removed

    def _prune_some(self, before: float, highest: int, announce: Announce, alert: Alert) -> int:
        with self._writing() as step:
            connection = step.connection
            last = _last_to_remove(connection, before, highest)
            if last is None:
                return 0
            old = message.c.id <= last.number
            count: int = connection.execute(select(func.count()).where(old)).scalar_one()
            drafts = [announce(count, last)]
            if step.trouble:
                drafts.insert(0, alert(step.trouble))
            step.end = _add(connection, step.end, drafts)
            connection.execute(delete(checkpoint))
            connection.execute(
                insert(checkpoint).values(
                    through=last.number,
                    hash=last.hash,
                    announced=step.end.number,
                    moment=drafts[-1].moment,
                )
            )
            connection.execute(delete(subject).where(subject.c.message <= last.number))
            connection.execute(delete(message).where(old))
        return count

    # Exports

    def exported(self, target: str) -> int:
        """The number of the last message that a syslog server has; 0 before the first."""
        with self.database.reading() as connection:
            through = connection.execute(
                select(export.c.through).where(export.c.target == target)
            ).scalar()
        return through or 0

    def note_export(
        self, target: str, through: int | None, now: float, error: str | None = None
    ) -> None:
        """Remember how far a server has been sent the messages, or why it could not be."""
        values = {"changed_at": now, "last_error": error}
        if through is not None:
            values["through"] = through
        with self.database.writing() as connection:
            connection.execute(
                upsert(export)
                .values({"target": target, "through": 0, **values})
                .on_conflict_do_update(index_elements=[export.c.target], set_=values)
            )

    def exported_by_all(self, targets: Sequence[str]) -> int | None:
        """The last message that all of these servers have; None without any."""
        return min((self.exported(target) for target in targets), default=None)

    @contextmanager
    def _writing(self) -> Iterator[_Step]:
        """A transaction within the lock of the note, which is written once it is durable."""
        try:
            self.head_path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            with self._lock, HeadFile(self.head_path).locked() as note:
                with self.database.writing() as connection:
                    end, noted = _end(connection), note.read()
                    if noted is None and end == NOTHING_YET:  # so that later there is always one
                        note.write(NOTHING_YET)
                    step = _Step(connection, end, _trouble(connection, noted, end))
                    yield step
                if step.end != end:
                    note.write(step.end)
        except OSError as error:
            raise AuditUnavailable(
                f"{self.head_path.name} cannot be written: {error.strerror}."
            ) from error


@dataclass(slots=True)
class _Step:
    """A transaction of the trail: its end, and what was wrong with it before."""

    connection: Connection
    end: Head
    trouble: str


def _end(connection: Connection) -> Head:
    row = connection.execute(
        select(message.c.id, message.c.hash).order_by(message.c.id.desc()).limit(1)
    ).one_or_none()
    return NOTHING_YET if row is None else Head(row.id, row.hash)


def _trouble(connection: Connection, noted: Head | None, end: Head) -> str:
    """What is wrong with the end of the trail; a note that is a little old is none."""
    if noted is None:
        return "" if end == NOTHING_YET else NO_NOTE
    if noted in (NOTHING_YET, end):
        return ""
    known = connection.execute(
        select(message.c.hash)
        .where(message.c.id == noted.number)
        .union_all(select(checkpoint.c.hash).where(checkpoint.c.through == noted.number))
    ).scalar()
    return "" if known == noted.hash else CUT


def _add(connection: Connection, head: Head, drafts: Sequence[Draft]) -> Head:
    # Left by whoever cut the end off: they must neither stop us nor become part of new messages.
    connection.execute(delete(subject).where(subject.c.message > head.number))
    rows, subjects = [], []
    for one in drafts:
        number = head.number + 1
        digest = chain_hash(number, one, head.hash)
        rows.append(
            {
                "id": number,
                "moment": one.moment,
                "event": one.event,
                "event_type": one.event_type,
                "outcome": one.outcome,
                "xml": one.xml,
                "previous": head.hash,
                "hash": digest,
            }
        )
        subjects += [{"message": number, **about._asdict()} for about in one.subjects]
        head = Head(number, digest)
    if rows:
        connection.execute(insert(message), rows)
    if subjects:
        connection.execute(insert(subject), subjects)
    return head


def _last_to_remove(connection: Connection, before: float, highest: int) -> Head | None:
    """The last of the oldest messages, of as many as are removed together."""
    oldest = (
        select(message.c.id, message.c.moment, message.c.hash)
        .order_by(message.c.id)
        .limit(REMOVED_TOGETHER)
    )
    last = None
    for row in connection.execute(oldest):
        if row.moment >= before or row.id > highest:
            break
        last = Head(row.id, row.hash)
    return last
