"""Deletions: who wanted what gone, why, and how far that has come. Each is one durable job.

What remains of a purged one is this row: the Study Instance UIDs, counts, role, reason, who, when.
"""

import json
import secrets
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from isocenter.archive.deletion.selection import Target
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.jobs import Job, Jobs
from isocenter.archive.workflow.schema import deletion

JOB_KIND = "deletion"

MAXIMUM_ROLE = 64
MAXIMUM_REASON = 500
"""Characters."""

LISTED = 1000

_LIFETIME = 100 * 366 * 86400.0  # seconds for which a job is tried: it is never given up


class DeletionState(Enum):
    """How far a deletion has come; see `archive.deletion`."""

    REQUESTED = "requested"
    HIDDEN = "hidden"
    TAKEN_OUT = "taken out"
    PUT_BACK = "put back"
    PURGING = "purging"
    RESTORED = "restored"
    PURGED = "purged"


OVER = frozenset({DeletionState.RESTORED, DeletionState.PURGED})
_BACK = frozenset({*OVER, DeletionState.PUT_BACK})


class Deletion(NamedTuple):
    """A deletion; moments are seconds since the epoch.

    `uids` name what was asked for at `level`, until it is purged; `studies` are those concerned.
    `folder` is the name of its folder in `trash/`.
    """

    id: int
    level: str
    uids: tuple[str, ...]
    studies: tuple[str, ...]
    role: str
    reason: str
    who: str
    state: DeletionState
    restoring: bool
    folder: str
    instances: int
    bytes: int
    quarantined: int
    conflicts: int
    created_at: float
    changed_at: float
    purge_at: float

    @property
    def target(self) -> Target:
        """What it is about."""
        return Target(self.level, self.uids)  # type: ignore[arg-type]


class Deletions:
    """The deletions of an archive. Methods block, are for any thread, raise WorkflowUnavailable."""

    def __init__(self, workflow: Workflow, jobs: Jobs) -> None:
        self.workflow = workflow
        self.jobs = jobs

    def request(self, target: Target, *, role: str, reason: str, who: str, keep_for: float) -> int:
        """Make a deletion durable, with its job; return its number. It can be undone so long."""
        now = self.jobs.clock()
        values = {
            "level": target.level,
            "uids": json.dumps(target.uids),
            "studies": "[]",
            "role": role[:MAXIMUM_ROLE],
            "reason": reason[:MAXIMUM_REASON],
            "who": who[:MAXIMUM_ROLE],
            "state": DeletionState.REQUESTED.value,
            "restoring": False,
            "folder": secrets.token_hex(8),
            **dict.fromkeys(("instances", "bytes", "quarantined", "conflicts"), 0),
            "created_at": now,
            "changed_at": now,
            "purge_at": now + keep_for,
        }
        adding = insert(deletion).values(values).returning(deletion.c.id)
        with self.workflow.writing() as connection:
            number: int = connection.execute(adding).scalar_one()
            self.jobs.add(connection, JOB_KIND, number, seconds=_LIFETIME)
        return number

    def find(self, number: int) -> Deletion | None:
        """The deletion of that number."""
        with self.workflow.reading() as connection:
            row = connection.execute(_ALL.where(deletion.c.id == number)).one_or_none()
        return None if row is None else _deletion(row)

    def list(self, limit: int = LISTED) -> list[Deletion]:
        """The deletions, newest first."""
        with self.workflow.reading() as connection:
            rows = connection.execute(_ALL.order_by(deletion.c.id.desc()).limit(limit)).all()
        return [_deletion(row) for row in rows]

    def want_back(self, number: int) -> bool:
        """Have it restored now; False where that is too late."""
        with self.workflow.writing() as connection:
            late = _BACK | {DeletionState.PURGING}
            return self._redirect(connection, number, late, restoring=True)

    def want_gone(self, number: int) -> bool:
        """Have it purged now; False where it is over already."""
        with self.workflow.writing() as connection:
            now = self.jobs.clock()
            return self._redirect(connection, number, _BACK, restoring=False, purge_at=now)

    def begin_purge(self, number: int) -> bool:
        """From now on it cannot be restored; False where somebody wants that just now."""
        wanted = (deletion.c.id == number) & deletion.c.restoring.is_(False)
        changing = update(deletion).where(wanted).values(state=DeletionState.PURGING.value)
        with self.workflow.writing() as connection:
            return connection.execute(changing).rowcount == 1

    def wake(self, number: int) -> None:
        """Have its job looked at now, if nobody is working on it."""
        with self.workflow.writing() as connection:
            self.jobs.revive(connection, JOB_KIND, number, seconds=_LIFETIME)

    def change(self, number: int, **values: Any) -> None:
        """Note how far it has come."""
        with self.workflow.writing() as connection:
            self._change(connection, number, **values)

    def over(self, claimed: Job, state: DeletionState, **values: Any) -> bool:
        """It is over, and its job done; False if the job was lost meanwhile."""
        with self.workflow.writing() as connection:
            if not self.jobs.finish(connection, claimed):
                return False
            self._change(connection, claimed.subject, state=state.value, **values)
        return True

    def given_up(self, claimed: Job, error: str) -> bool:
        """Its job is tried no more; `wake` would try it again."""
        with self.workflow.writing() as connection:
            return self.jobs.bury(connection, claimed, error)

    def claim(self, number: int) -> Job | None:
        """Take its job, where nobody has it."""
        return next(iter(self.jobs.claim_about(JOB_KIND, [number])), None)

    def _redirect(
        self, connection: Connection, number: int, late: Collection[DeletionState], **values: Any
    ) -> bool:
        too_late = [state.value for state in late]
        wanted = (deletion.c.id == number) & deletion.c.state.not_in(too_late)
        changing = update(deletion).where(wanted).values(values)
        if connection.execute(changing).rowcount != 1:
            return False
        self.jobs.revive(connection, JOB_KIND, number, seconds=_LIFETIME)
        return True

    def _change(self, connection: Connection, number: int, **values: Any) -> None:
        values["changed_at"] = self.jobs.clock()
        connection.execute(update(deletion).where(deletion.c.id == number).values(values))


_ALL = select(*(deletion.c[name] for name in Deletion._fields))


def _deletion(row: Sequence[Any]) -> Deletion:
    found = Deletion._make(row)
    return found._replace(
        uids=tuple(json.loads(str(found.uids))),
        studies=tuple(json.loads(str(found.studies))),
        state=DeletionState(found.state),
        restoring=bool(found.restoring),
    )
