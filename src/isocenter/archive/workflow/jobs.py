"""Durable jobs: what is still to be done, by whichever process of the node comes first.

A job is claimed for a while, its lease; whoever works on it renews the lease, and when a process is
killed the lease runs out and another one takes the job up. `attempts` counts the claims and tells
them apart: one whose lease was lost can change nothing any more.
"""

import random
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, update

from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.schema import job

LEASE_SECONDS = 20.0
MAXIMUM_ERROR = 300
"""Characters kept of why an attempt failed."""


class JobState(Enum):
    """Where a job stands. One that is done is deleted."""

    WAITING = "waiting"
    RUNNING = "running"
    DEAD = "dead"


class Job(NamedTuple):
    """A claimed job: `subject` is the number of what it is about, in its kind's own table.

    `expires_at` is in seconds since the epoch.
    """

    id: int
    kind: str
    subject: int
    attempts: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """Growing pauses between attempts, in seconds, each up to a quarter longer by chance.

    Chance keeps those that failed together from coming back together.
    """

    first: float = 10.0
    longest: float = 3600.0

    def delay(self, attempts: int) -> float:
        """The pause after this many failed attempts."""
        grown = self.first * 2.0 ** min(attempts - 1, 40)
        return min(grown, self.longest) * random.uniform(1.0, 1.25)


class Jobs:
    """The job table. Its methods block and may be called from any thread.

    All raise WorkflowUnavailable. `clock` gives seconds since the epoch; `lease` is in seconds.
    """

    def __init__(
        self,
        workflow: Workflow,
        *,
        lease: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._workflow = workflow
        self.lease = lease
        self.clock = clock

    def add(
        self,
        connection: Connection,
        kind: str,
        subject: int,
        *,
        seconds: float,
        claimed: bool = False,
    ) -> Job:
        """Add a job in the caller's transaction, to be given up after that many seconds.

        With `claimed` the caller's process has it at once; otherwise it is due at once.
        """
        now = self.clock()
        values = {
            "kind": kind,
            "subject": subject,
            "state": (JobState.RUNNING if claimed else JobState.WAITING).value,
            "attempts": int(claimed),
            "due_at": now + self.lease if claimed else now,
            "expires_at": now + seconds,
            "created_at": now,
            "changed_at": now,
        }
        number = connection.execute(insert(job).values(values).returning(job.c.id)).scalar_one()
        return Job(number, kind, subject, int(claimed), now + seconds)

    def claim(self, kind: str, limit: int) -> list[Job]:
        """Take jobs that are due, the longest due first, those of dead processes included.

        Where the clock was set back, so are those that were changed in what is now the future:
        otherwise they, and the lease of a process that was killed, would wait until then.
        """
        now = self.clock()
        due = (job.c.due_at <= now) | (job.c.changed_at > now + self.lease)
        alive = job.c.state.in_((JobState.WAITING.value, JobState.RUNNING.value))
        return self._claim((job.c.kind == kind) & alive & due, limit)

    def claim_about(self, kind: str, subjects: Collection[int]) -> list[Job]:
        """Take jobs about these subjects although they are not due; not what others work on."""
        waiting = job.c.state == JobState.WAITING.value
        about = (job.c.kind == kind) & job.c.subject.in_(subjects)
        return self._claim(about & waiting, len(subjects))

    def next_due(self, kind: str) -> float | None:
        """When the next job of a kind may be claimed, in seconds since the epoch; None if never."""
        alive = job.c.state.in_((JobState.WAITING.value, JobState.RUNNING.value))
        with self._workflow.reading() as connection:
            due = select(func.min(job.c.due_at)).where(job.c.kind == kind, alive)
            moment: float | None = connection.execute(due).scalar()
        return moment

    def renew(self, claimed: Job) -> bool:
        """Keep a job for another lease; False if it was lost."""
        return self._change(claimed, JobState.RUNNING, self.clock() + self.lease)

    def put_back(self, claimed: Job) -> bool:
        """Give a job back undone, for the next process to take up at once."""
        with self._workflow.writing() as connection:
            return self.hand_back(connection, claimed)

    def hand_back(self, connection: Connection, claimed: Job) -> bool:
        """Like `put_back`, in the caller's transaction."""
        return self._update(connection, claimed, JobState.WAITING, self.clock(), None)

    def retry_at(self, claimed: Job, due_at: float, error: str) -> bool:
        """Have a job tried again, at its expiry the last time; False if it was lost."""
        due_at = min(due_at, max(claimed.expires_at, self.clock()))
        return self._change(claimed, JobState.WAITING, due_at, error)

    def is_expired(self, claimed: Job) -> bool:
        """Whether a failure of this attempt is the last one."""
        return self.clock() >= claimed.expires_at

    def bury(self, connection: Connection, claimed: Job, error: str) -> bool:
        """Try a job no more, but keep it to be looked at; False if it was lost."""
        return self._update(connection, claimed, JobState.DEAD, self.clock(), error)

    def finish(self, connection: Connection, claimed: Job) -> bool:
        """A job is done; False if it was lost, and somebody else does it again."""
        done = connection.execute(delete(job).where(_is_held(claimed)))
        return done.rowcount == 1

    def revive(self, connection: Connection, kind: str, subject: int, *, seconds: float) -> bool:
        """Make a waiting or dead job due now, with that many seconds to live; False if none is."""
        now = self.clock()
        values = {
            "state": JobState.WAITING.value,
            "due_at": now,
            "expires_at": now + seconds,
            "changed_at": now,
        }
        idle = job.c.state != JobState.RUNNING.value
        about = (job.c.kind == kind) & (job.c.subject == subject)
        return connection.execute(update(job).where(about, idle).values(values)).rowcount == 1

    def revoke_leases(self) -> None:
        """Make every running job due: the node starts, so whoever ran them is gone."""
        running = update(job).where(job.c.state == JobState.RUNNING.value)
        with self._workflow.writing() as connection:
            connection.execute(running.values(state=JobState.WAITING.value, due_at=self.clock()))

    def _claim(self, which: ColumnElement[bool], limit: int) -> list[Job]:
        columns = [job.c[name] for name in Job._fields]
        chosen = select(job.c.id).where(which).order_by(job.c.due_at).limit(limit)
        with self._workflow.reading() as connection:  # the usual answer, without anybody's lock
            if connection.execute(chosen.limit(1)).first() is None:
                return []
        values = {
            "state": JobState.RUNNING.value,
            "attempts": job.c.attempts + 1,
            "due_at": self.clock() + self.lease,
            "changed_at": self.clock(),
        }
        taking = update(job).where(job.c.id.in_(chosen)).values(values).returning(*columns)
        with self._workflow.writing() as connection:
            return [Job(*row) for row in connection.execute(taking)]

    def _change(
        self, claimed: Job, state: JobState, due_at: float, error: str | None = None
    ) -> bool:
        with self._workflow.writing() as connection:
            return self._update(connection, claimed, state, due_at, error)

    def _update(
        self,
        connection: Connection,
        claimed: Job,
        state: JobState,
        due_at: float,
        error: str | None,
    ) -> bool:
        values = {"state": state.value, "due_at": due_at, "changed_at": self.clock()}
        if error is not None:
            values["last_error"] = error[:MAXIMUM_ERROR]
        changing = update(job).where(_is_held(claimed)).values(values)
        return connection.execute(changing).rowcount == 1


def waiting_subjects(kind: str) -> Select[tuple[int]]:
    """What the jobs of a kind are about on which nobody works: part of a larger statement."""
    return select(job.c.subject).where(job.c.kind == kind, job.c.state == JobState.WAITING.value)


def _is_held(claimed: Job) -> ColumnElement[bool]:
    return (
        (job.c.id == claimed.id)
        & (job.c.attempts == claimed.attempts)
        & (job.c.state == JobState.RUNNING.value)
    )
