"""Storage Commitment transactions that survive restarts (PS3.4 Annex J), each with its job.

A transaction is accepted, checked, then reported until the requester has taken the report. Its
instances are kept as compressed lines of text, for they are read whole or not at all: 100,000 of
them take about a megabyte, and are dropped once the report has been taken.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.jobs import Job, Jobs, waiting_subjects
from isocenter.archive.workflow.schema import commitment, job
from isocenter.security.access import Scope

JOB_KIND = "commitment"

KEPT_REPORTS = 100_000
"""Transactions kept to be listed after their report, however recent."""


class CommitmentState(Enum):
    """Where a transaction stands."""

    ACCEPTED = "accepted"
    CHECKED = "checked"
    REPORTED = "reported"
    UNREPORTED = "unreported"


_OPEN = (CommitmentState.ACCEPTED.value, CommitmentState.CHECKED.value)

SopInstance = tuple[str, str]
"""SOP class and SOP instance UID."""


class Registered(Enum):
    """What registering a request came to."""

    NEW = "a new transaction"
    REPEATED = "a repetition of one that is under way"
    CONFLICT = "another request under the same transaction UID"
    TOO_MANY = "more than may be under way at a time"


class Registration(NamedTuple):
    """The outcome, the number of the transaction, and its job where the caller's process has it."""

    outcome: Registered
    number: int = 0
    job: Job | None = None


class Transaction(NamedTuple):
    """A transaction with its instances; `failures` maps their positions to failure reasons.

    `scope` is that of those who asked for it: to them, no other instance is there.
    """

    number: int
    requester_ae: str
    provider_ae: str
    transaction_uid: str
    state: CommitmentState
    instances: Sequence[SopInstance]
    failures: Mapping[int, int]
    scope: Scope


class TransactionSummary(NamedTuple):
    """A transaction as it is listed; moments are seconds since the epoch.

    `failed` is None until everything has been checked; `attempts` and `due_at` are None once
    nothing is left to be done.
    """

    transaction_uid: str
    requester_ae: str
    state: CommitmentState
    instances: int
    failed: int | None
    attempts: int | None
    due_at: float | None
    last_error: str
    created_at: float
    changed_at: float


class Commitments:
    """The transactions of a node. Methods block, are for any thread, raise WorkflowUnavailable."""

    def __init__(self, workflow: Workflow, jobs: Jobs) -> None:
        self._workflow = workflow
        self.jobs = jobs

    def register(
        self,
        requester_ae: str,
        provider_ae: str,
        transaction_uid: str,
        instances: Sequence[SopInstance],
        *,
        scope: Scope,
        seconds: float,
        limit: int,
    ) -> Registration:
        """Make a request durable, with a job that this process has claimed.

        It is given up after `seconds`; `limit` bounds the instances of all open transactions. A
        transaction may be asked for again, reported or not: it is then checked anew, within what
        all see who asked for it, for any of them may get the report.
        """
        digest = _digest(instances)
        with self._workflow.writing() as connection:
            known = connection.execute(
                select(
                    commitment.c.id, commitment.c.digest, commitment.c.state, commitment.c.labels
                ).where(
                    commitment.c.requester_ae == requester_ae,
                    commitment.c.transaction_uid == transaction_uid,
                )
            ).one_or_none()
            if known is not None and known.digest != digest:
                return Registration(Registered.CONFLICT)
            if known is not None and known.state in _OPEN:
                self._update(
                    connection,
                    known.id,
                    # What was missing may have been sent meanwhile: it is checked anew.
                    state=CommitmentState.ACCEPTED.value,
                    times_asked=commitment.c.times_asked + 1,
                    labels=_kept(scope.narrowed(_scope(known.labels))),
                )
                self.jobs.revive(connection, JOB_KIND, known.id, seconds=seconds)
                return Registration(Registered.REPEATED, known.id)
            if _open_instances(connection) + len(instances) > limit:
                return Registration(Registered.TOO_MANY)
            if known is not None:
                _forget(connection, [known.id])
            names = (requester_ae, provider_ae, transaction_uid)
            now = self.jobs.clock()
            number = _insert(connection, names, instances, digest, now, labels=_kept(scope))
            claimed = self.jobs.add(connection, JOB_KIND, number, seconds=seconds, claimed=True)
        return Registration(Registered.NEW, number, claimed)

    def load(self, number: int) -> Transaction | None:
        """A transaction that is still open, or given up, with everything that it names."""
        with self._workflow.reading() as connection:
            row = connection.execute(
                select(commitment).where(
                    commitment.c.id == number, commitment.c.request.is_not(None)
                )
            ).one_or_none()
        if row is None:
            return None
        instances = [(first, second) for first, second in _pairs(row.request)]
        failures = {int(position): int(reason) for position, reason in _pairs(row.failures)}
        return Transaction(
            row.id,
            row.requester_ae,
            row.provider_ae,
            row.transaction_uid,
            CommitmentState(row.state),
            instances,
            failures,
            _scope(row.labels),
        )

    def checked(self, number: int, failures: Mapping[int, int]) -> None:
        """Everything has been looked at: reasons by position for what is not committed."""
        self._set(
            number,
            state=CommitmentState.CHECKED.value,
            failed=len(failures),
            failures=_compressed(f"{position} {reason}" for position, reason in failures.items()),
        )

    def times_asked(self, number: int) -> int:
        """How often a transaction was asked for: who asks again later wants another report."""
        asked = select(commitment.c.times_asked).where(commitment.c.id == number)
        with self._workflow.reading() as connection:
            return connection.execute(asked).scalar() or 0

    def reported(self, claimed: Job, times_asked: int) -> bool:
        """The requester has taken the report; False if the job was lost meanwhile.

        `times_asked` is from before the check: if it was asked for again since then, the job is
        due once more, check included.
        """
        with self._workflow.writing() as connection:
            asked = select(commitment.c.times_asked).where(commitment.c.id == claimed.subject)
            if (connection.execute(asked).scalar() or 0) > times_asked:
                self._update(connection, claimed.subject, state=CommitmentState.ACCEPTED.value)
                return self.jobs.hand_back(connection, claimed)
            if not self.jobs.finish(connection, claimed):
                return False
            self._update(
                connection, claimed.subject, state=CommitmentState.REPORTED.value, request=None
            )
            return True

    def given_up(self, claimed: Job, error: str) -> bool:
        """The report could not be delivered in time; `revive` would try again."""
        with self._workflow.writing() as connection:
            if not self.jobs.bury(connection, claimed, error):
                return False
            self._update(connection, claimed.subject, state=CommitmentState.UNREPORTED.value)
            return True

    def revive(self, transaction_uid: str, *, seconds: float) -> int:
        """Have the reports of a transaction tried again now; how many there are (AE titles)."""
        revived = 0
        with self._workflow.writing() as connection:
            wanted = select(commitment.c.id).where(
                commitment.c.transaction_uid == transaction_uid, commitment.c.request.is_not(None)
            )
            for number in connection.execute(wanted).scalars().all():
                if self.jobs.revive(connection, JOB_KIND, number, seconds=seconds):
                    # What was checked long ago is checked again before it is promised.
                    self._update(connection, number, state=CommitmentState.ACCEPTED.value)
                    revived += 1
        return revived

    def claim_checked(self, requester_ae: str, after: int, limit: int) -> list[Job]:
        """Take the jobs of a requester's transactions that only wait to be reported.

        They are those with numbers above `after`, the oldest first.
        """
        wanted = (
            select(commitment.c.id)
            .where(
                commitment.c.requester_ae == requester_ae,
                commitment.c.state == CommitmentState.CHECKED.value,
                commitment.c.id > after,
                commitment.c.id.in_(waiting_subjects(JOB_KIND)),
            )
            .order_by(commitment.c.id)
            .limit(limit)
        )
        with self._workflow.reading() as connection:
            numbers = connection.execute(wanted).scalars().all()
        return self.jobs.claim_about(JOB_KIND, numbers) if numbers else []

    def list(self, *, open_only: bool = False, limit: int = 1000) -> list[TransactionSummary]:
        """The transactions, newest first."""
        wanted = _summaries().order_by(commitment.c.id.desc()).limit(limit)
        if open_only:
            wanted = wanted.where(commitment.c.state != CommitmentState.REPORTED.value)
        with self._workflow.reading() as connection:
            rows = connection.execute(wanted).all()
        return [
            TransactionSummary(
                row.transaction_uid,
                row.requester_ae,
                CommitmentState(row.state),
                row.instances,
                row.failed,
                row.attempts,
                row.due_at if row.state in _OPEN else None,
                row.last_error or "",
                row.created_at,
                row.changed_at,
            )
            for row in rows
        ]

    def forget_before(self, moment: float) -> int:
        """Drop transactions that ended before a moment, and the oldest of very many."""
        ended = commitment.c.state.not_in(_OPEN)
        newest = select(commitment.c.id).where(ended).order_by(commitment.c.id.desc())
        surplus = newest.limit(-1).offset(KEPT_REPORTS)
        old = ended & ((commitment.c.changed_at < moment) | commitment.c.id.in_(surplus))
        with self._workflow.writing() as connection:
            numbers = connection.execute(select(commitment.c.id).where(old)).scalars().all()
            _forget(connection, numbers)
        return len(numbers)

    def _set(self, number: int, **values: Any) -> None:
        with self._workflow.writing() as connection:
            self._update(connection, number, **values)

    def _update(self, connection: Connection, number: int, **values: Any) -> None:
        values["changed_at"] = self.jobs.clock()
        connection.execute(update(commitment).where(commitment.c.id == number).values(values))


def _summaries() -> Select[Any]:
    own_job = (job.c.kind == JOB_KIND) & (job.c.subject == commitment.c.id)
    return select(
        *(commitment.c[name] for name in TransactionSummary._fields if name in commitment.c),
        job.c.attempts,
        job.c.due_at,
        job.c.last_error,
    ).join_from(commitment, job, own_job, isouter=True)


def _insert(
    connection: Connection,
    names: tuple[str, str, str],
    instances: Sequence[SopInstance],
    digest: bytes,
    now: float,
    *,
    labels: str | None,
) -> int:
    requester_ae, provider_ae, transaction_uid = names
    values = {
        "requester_ae": requester_ae,
        "provider_ae": provider_ae,
        "transaction_uid": transaction_uid,
        "state": CommitmentState.ACCEPTED.value,
        "digest": digest,
        "labels": labels,
        "times_asked": 1,
        "instances": len(instances),
        "request": _compressed(" ".join(one) for one in instances),
        "created_at": now,
        "changed_at": now,
    }
    adding = insert(commitment).values(values).returning(commitment.c.id)
    number: int = connection.execute(adding).scalar_one()
    return number


def _kept(scope: Scope) -> str | None:
    """A scope as the database keeps it."""
    return None if scope.labels is None else ",".join(sorted(scope.labels))


def _scope(labels: str | None) -> Scope:
    return Scope(None if labels is None else frozenset(labels.split(",")) - {""})


def _open_instances(connection: Connection) -> int:
    total = select(func.coalesce(func.sum(commitment.c.instances), 0))
    count: int = connection.execute(total.where(commitment.c.state.in_(_OPEN))).scalar_one()
    return count


def _forget(connection: Connection, numbers: Sequence[int]) -> None:
    for number in numbers:
        about = (job.c.kind == JOB_KIND) & (job.c.subject == number)
        connection.execute(delete(job).where(about))
        connection.execute(delete(commitment).where(commitment.c.id == number))


def _digest(instances: Iterable[SopInstance]) -> bytes:
    """Tells one content from another, whatever the order in which it is listed."""
    lines = sorted(" ".join(one) for one in instances)
    return hashlib.sha256("\n".join(lines).encode("ascii")).digest()


def _compressed(lines: Iterable[str]) -> bytes:
    return zlib.compress("\n".join(lines).encode("ascii"), 1)


def _pairs(data: bytes | None) -> Iterable[list[str]]:
    text = zlib.decompress(data).decode("ascii") if data else ""
    return (line.split(" ", 1) for line in text.splitlines())
