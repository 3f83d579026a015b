"""Modality Performed Procedure Steps (PS3.4 Annex F) as they are kept, and what follows from them.

A step is tied to its studies and to the scheduled steps that it performs; the items of the
worklist take their status from it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from isocenter.archive.workflow.attributes import (
    PERFORMED_STEP_STATUS,
    SCHEDULED_STEP_ATTRIBUTES_SEQUENCE,
    SCHEDULED_STEP_ID,
    STUDY_INSTANCE_UID,
    items,
    text,
)
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.performed_step_rules import (
    COMPLETED,
    DISCONTINUED,
    IN_PROGRESS,
    Fault,
    StepRefused,
    changed_step,
    check_new,
)
from isocenter.archive.workflow.schema import (
    performed_for,
    performed_procedure_step,
    worklist_item,
)
from isocenter.archive.workflow.worklist import set_status
from isocenter.archive.workflow.worklist_item import STARTED
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.dicom_json import from_json, to_json
from isocenter.encoding.elements import Elements

LARGEST_STEP = 16 * 1024 * 1024
"""Bytes of a step as it is kept; one that names 30,000 images has some six million."""

_columns = performed_procedure_step.c


class PerformedStep(NamedTuple):
    """A performed procedure step; `data_set` is neutral, moments are seconds since the epoch."""

    sop_instance_uid: str
    status: str
    source_ae: str
    data_set: Elements
    created_at: float
    changed_at: float


class ScheduledStep(NamedTuple):
    """What a step was performed for; without an ID where it was not scheduled."""

    study_instance_uid: str
    scheduled_procedure_step_id: str


class PerformedSteps:
    """The performed procedure steps of a workflow database. For any thread.

    What a call has changed is durable when it returns. Its calls raise WorkflowUnavailable where
    the database does not answer.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    def create(self, sop_instance_uid: str, data_set: Elements, source_ae: str) -> None:
        """Keep a new step of neutral attributes (PS3.4 F.7.2.1). Raises StepRefused."""
        if not is_valid_uid(sop_instance_uid):
            raise StepRefused(Fault.INVALID_INSTANCE, "The SOP Instance UID is no valid UID.")
        data_set = _as_kept(data_set)
        check_new(data_set)
        with self._workflow.writing() as connection:
            if _find(connection, sop_instance_uid) is not None:
                raise StepRefused(Fault.DUPLICATE, "A step with this SOP Instance UID exists.")
            now = time.time()
            values = _values(data_set) | {
                "sop_instance_uid": sop_instance_uid,
                "source_ae": source_ae,
                "created_at": now,
                "changed_at": now,
            }
            inserted = insert(performed_procedure_step).returning(_columns.id)
            key = connection.execute(inserted, values).scalar_one()
            for scheduled in _performed_for(connection, data_set):
                row = scheduled._asdict() | {"performed_procedure_step": key}
                connection.execute(insert(performed_for), row)
            _report_to_worklist(connection, key)

    def change(self, sop_instance_uid: str, modifications: Elements) -> None:
        """Give a step new values of neutral attributes (PS3.4 F.7.2.2). Raises StepRefused."""
        modifications = _as_kept(modifications)
        with self._workflow.writing() as connection:
            row = _found(connection, sop_instance_uid)
            after = changed_step(_restored(row).data_set, modifications)
            values = _values(after) | {"changed_at": time.time()}
            statement = update(performed_procedure_step).where(_columns.id == row.id)
            connection.execute(statement, values)
            if values["status"] != row.status:
                _report_to_worklist(connection, row.id)

    def get(self, sop_instance_uid: str) -> PerformedStep:
        """Return one step. Raises StepRefused where there is none."""
        with self._workflow.reading() as connection:
            return _restored(_found(connection, sop_instance_uid))

    def steps(
        self, *, study_instance_uid: str = "", status: str = "", limit: int | None = None
    ) -> list[PerformedStep]:
        """The steps, the newest first; of one study or in one status where that is given."""
        query = select(performed_procedure_step).order_by(_columns.id.desc()).limit(limit)
        if study_instance_uid:
            of_study = performed_for.c.study_instance_uid == study_instance_uid
            query = query.where(
                _columns.id.in_(select(performed_for.c.performed_procedure_step).where(of_study))
            )
        if status:
            query = query.where(_columns.status == status)
        with self._workflow.reading() as connection:
            return [_restored(row) for row in connection.execute(query)]


def scheduled_steps(data_set: Elements) -> list[ScheduledStep]:
    """What a performed step says that it was scheduled as."""
    steps = items(data_set, SCHEDULED_STEP_ATTRIBUTES_SEQUENCE)
    return [
        ScheduledStep(text(step, STUDY_INSTANCE_UID), text(step, SCHEDULED_STEP_ID))
        for step in steps
    ]


def _performed_for(connection: Connection, data_set: Elements) -> Iterable[ScheduledStep]:
    """The scheduled steps; where a study has one item only, it need not be named."""
    found = dict.fromkeys(scheduled_steps(data_set))
    for scheduled in list(found):
        if not scheduled.scheduled_procedure_step_id:
            query = select(worklist_item.c.scheduled_procedure_step_id).where(
                worklist_item.c.study_instance_uid == scheduled.study_instance_uid
            )
            known = connection.execute(query.limit(2)).scalars().all()
            if len(known) == 1:
                del found[scheduled]
                found[scheduled._replace(scheduled_procedure_step_id=known[0])] = None
    return found


def _report_to_worklist(connection: Connection, key: int) -> None:
    """Bring the worklist's items that a performed step is for into the status that follows."""
    scheduled = select(
        performed_for.c.study_instance_uid, performed_for.c.scheduled_procedure_step_id
    ).where(performed_for.c.performed_procedure_step == key)
    for study_instance_uid, step_id in connection.execute(scheduled).all():
        performed = (
            select(_columns.status)
            .join(performed_for, performed_for.c.performed_procedure_step == _columns.id)
            .where(
                performed_for.c.study_instance_uid == study_instance_uid,
                performed_for.c.scheduled_procedure_step_id == step_id,
            )
        )
        item = select(worklist_item.c.id).where(
            worklist_item.c.study_instance_uid == study_instance_uid,
            worklist_item.c.scheduled_procedure_step_id == step_id,
        )
        status = _status_of_scheduled(set(connection.execute(performed).scalars()))
        set_status(connection, connection.execute(item).scalars().all(), status)


def _status_of_scheduled(performed: set[str]) -> str:
    """One step may be performed in several, or once more after it was discontinued."""
    if IN_PROGRESS in performed:
        return STARTED
    return COMPLETED if COMPLETED in performed else DISCONTINUED


def _as_kept(data_set: Elements) -> Elements:
    """Values as they will be read back, so that equal ones compare as equal."""
    return from_json(to_json(data_set))


def _values(data_set: Elements) -> dict[str, Any]:
    kept = json.dumps(to_json(data_set), ensure_ascii=False, separators=(",", ":"))
    if len(kept) > LARGEST_STEP:
        raise StepRefused(
            Fault.TOO_LARGE, f"A step has at most {LARGEST_STEP // 2**20} MiB of attributes."
        )
    return {"status": text(data_set, PERFORMED_STEP_STATUS), "data_set": kept}


def _find(connection: Connection, sop_instance_uid: str) -> Row[Any] | None:
    query = select(performed_procedure_step).where(_columns.sop_instance_uid == sop_instance_uid)
    return connection.execute(query).one_or_none()


def _found(connection: Connection, sop_instance_uid: str) -> Row[Any]:
    row = _find(connection, sop_instance_uid)
    if row is None:
        raise StepRefused(Fault.UNKNOWN, "No step has this SOP Instance UID.")
    return row


def _restored(row: Row[Any]) -> PerformedStep:
    return PerformedStep(
        row.sop_instance_uid,
        row.status,
        row.source_ae,
        from_json(json.loads(row.data_set)),
        row.created_at,
        row.changed_at,
    )
