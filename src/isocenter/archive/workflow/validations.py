"""Series that came in and what was found in them: the notes of validation, and its jobs.

A series is queued when it is quiet, and judged from where it was judged before. Kept are counts,
and each kind of finding once.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from isocenter.archive.arrivals import Arrival
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.jobs import Job, Jobs
from isocenter.archive.workflow.schema import job, validation, validation_mark

JOB_KIND = "validation"

MOST_KINDS = 100
"""Kinds of findings that are kept of a series."""

LISTED = 1000
_LIFETIME = 7 * 86400.0  # seconds for which a series is tried


class Series(NamedTuple):
    """A series to judge: its instances beyond `judged`, up to `wanted`."""

    id: int
    study_instance_uid: str
    series_instance_uid: str
    wanted: int
    judged: int


class KindOfFinding(NamedTuple):
    """Findings alike: a check, an attribute, a sentence, and in how many instances."""

    check: str
    severity: str
    tag: str
    text: str
    reference: str
    occurrences: int


class Verdict(NamedTuple):
    """What was found in instances of a series."""

    instances: int
    erroneous: int
    errors: int
    warnings: int
    notes: int
    kinds: tuple[KindOfFinding, ...]


class Judged(NamedTuple):
    """A series and what is known of it; the moment is in seconds since the epoch."""

    study_instance_uid: str
    series_instance_uid: str
    verdict: Verdict
    changed_at: float


class Totals(NamedTuple):
    """What was found in all series together; `waiting` are those not judged to their end."""

    series: int
    waiting: int
    instances: int
    erroneous: int
    errors: int
    warnings: int


class Validations:
    """The notes of an archive. Methods block, are for any thread, raise WorkflowUnavailable."""

    def __init__(self, workflow: Workflow, jobs: Jobs) -> None:
        self._workflow = workflow
        self.jobs = jobs

    def mark(self, newest: int) -> int:
        """From which instance on is to be looked; `newest` where nobody ever looked before."""
        with self._workflow.reading() as connection:
            known = connection.execute(select(validation_mark.c.instance)).scalar()
        if known is not None and known <= newest:
            return int(known)
        # There is none yet, or the index was made anew: what is there already is not new.
        with self._workflow.writing() as connection:
            _set_mark(connection, newest)
            connection.execute(update(validation).values(judged=0, wanted=0))
        return newest

    def queue(self, quiet: Iterable[Arrival], mark: int) -> None:
        """Have these series judged, and look from `mark` on the next time."""
        with self._workflow.writing() as connection:
            for arrival in quiet:
                self._queue(connection, arrival)
            _set_mark(connection, mark)

    def find(self, number: int) -> Series | None:
        """The series of a job, None where it is gone."""
        columns = [validation.c[name] for name in Series._fields]
        with self._workflow.reading() as connection:
            row = connection.execute(select(*columns).where(validation.c.id == number)).first()
        return None if row is None else Series(*row)

    def note(self, claimed: Job, series: Series, verdict: Verdict) -> bool:
        """Add a verdict to what is known, and end its job; False if that was lost."""
        with self._workflow.writing() as connection:
            if not self.jobs.finish(connection, claimed):
                return False
            known = connection.execute(_ALL.where(validation.c.id == series.id)).one()
            both = _joined(_verdict(known), verdict)
            values = {
                **{name: getattr(both, name) for name in _COUNTS},
                "findings": json.dumps(both.kinds, ensure_ascii=False),
                "judged": series.wanted,
                "changed_at": self.jobs.clock(),
            }
            connection.execute(
                update(validation).where(validation.c.id == series.id).values(values)
            )
            if known.wanted > series.wanted:  # more has come meanwhile
                self.jobs.add(connection, JOB_KIND, series.id, seconds=_LIFETIME)
        return True

    def given_up(self, claimed: Job, error: str) -> bool:
        """A series is not tried again until more of it comes."""
        with self._workflow.writing() as connection:
            return self.jobs.bury(connection, claimed, error)

    def list(self, study_instance_uid: str | None = None, limit: int = LISTED) -> list[Judged]:
        """The series with findings beyond notes, newest first; all of a study where it is given."""
        statement = _ALL.order_by(validation.c.changed_at.desc()).limit(limit)
        if study_instance_uid is None:
            statement = statement.where((validation.c.errors > 0) | (validation.c.warnings > 0))
        else:
            statement = statement.where(validation.c.study_instance_uid == study_instance_uid)
        with self._workflow.reading() as connection:
            rows = connection.execute(statement).all()
        return [
            Judged(row.study_instance_uid, row.series_instance_uid, _verdict(row), row.changed_at)
            for row in rows
        ]

    def totals(self) -> Totals:
        """Counts over all series."""
        waiting = func.count().filter(validation.c.wanted > validation.c.judged)
        sums = [
            func.coalesce(func.sum(validation.c[name]), 0)
            for name in ("instances", "erroneous", "errors", "warnings")
        ]
        with self._workflow.reading() as connection:
            row = connection.execute(select(func.count(), waiting, *sums).select_from(validation))
            return Totals(*row.one())

    def _queue(self, connection: Connection, arrival: Arrival) -> None:
        statement = insert(validation).values(
            study_instance_uid=arrival.study_instance_uid,
            series_instance_uid=arrival.series_instance_uid,
            wanted=arrival.last,
            judged=arrival.first - 1,
            findings="[]",
            changed_at=self.jobs.clock(),
            **dict.fromkeys(_COUNTS, 0),
        )
        statement = statement.on_conflict_do_update(
            index_elements=[
                validation.c.study_instance_uid,
                validation.c.series_instance_uid,
            ],
            set_={"wanted": func.max(validation.c.wanted, statement.excluded.wanted)},
        )
        row = connection.execute(
            statement.returning(validation.c.id, validation.c.wanted, validation.c.judged)
        ).one()
        if row.wanted <= row.judged:
            return
        if not self.jobs.revive(connection, JOB_KIND, row.id, seconds=_LIFETIME):
            if _has_job(connection, row.id):
                return  # somebody is at it, and will see that more is wanted
            self.jobs.add(connection, JOB_KIND, row.id, seconds=_LIFETIME)


_COUNTS = ("instances", "erroneous", "errors", "warnings", "notes")
_ALL = select(validation)


def _has_job(connection: Connection, number: int) -> bool:
    wanted = select(job.c.id).where(job.c.kind == JOB_KIND, job.c.subject == number)
    return connection.execute(wanted).first() is not None


def _set_mark(connection: Connection, number: int) -> None:
    statement = insert(validation_mark).values(id=1, instance=number)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[validation_mark.c.id], set_={"instance": number}
        )
    )


def _verdict(row: Any) -> Verdict:
    kinds = tuple(KindOfFinding(*kind) for kind in json.loads(row.findings))
    return Verdict(row.instances, row.erroneous, row.errors, row.warnings, row.notes, kinds)


def _joined(one: Verdict, other: Verdict) -> Verdict:
    return Verdict(
        one.instances + other.instances,
        one.erroneous + other.erroneous,
        one.errors + other.errors,
        one.warnings + other.warnings,
        one.notes + other.notes,
        join_kinds([*one.kinds, *other.kinds]),
    )


def join_kinds(kinds: Sequence[KindOfFinding]) -> tuple[KindOfFinding, ...]:
    """Each kind once with its count, the commonest first, `MOST_KINDS` of them."""
    counts: dict[KindOfFinding, int] = {}
    for kind in kinds:
        key = kind._replace(occurrences=0)
        counts[key] = counts.get(key, 0) + kind.occurrences
    found = [key._replace(occurrences=count) for key, count in counts.items()]
    order = {"error": 0, "warning": 1, "note": 2}
    found.sort(key=lambda kind: (order.get(kind.severity, 3), -kind.occurrences, kind.check))
    return tuple(found[:MOST_KINDS])
