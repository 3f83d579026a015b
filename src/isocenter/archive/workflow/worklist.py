"""The modality worklist (PS3.4 Annex K) as it is kept, changed and searched."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, insert, select, update

from isocenter.archive.query.watch import UNLIMITED, Watch
from isocenter.archive.workflow.attributes import (
    ACCESSION_NUMBER,
    PATIENT_ID,
    STUDY_INSTANCE_UID,
    put,
    text,
)
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.schema import worklist_item
from isocenter.archive.workflow.worklist_filter import EVERYTHING, WorklistFilter
from isocenter.archive.workflow.worklist_item import (
    STATUSES,
    InvalidWorklistItem,
    WorklistItem,
    complete_items,
    restored_item,
    states_status,
    with_status,
)
from isocenter.encoding.dicom_json import from_json, to_json
from isocenter.encoding.elements import Elements
from isocenter.errors import IsocenterError

_AT_ONCE = 200
"""Items read in one transaction; a long one would keep SQLite's write-ahead log from shrinking."""


class WorklistItemExists(IsocenterError):
    """The scheduled procedure step is on the worklist already."""


class Change(Enum):
    """What became of an item that was put on the worklist."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Worklist:
    """The items of a workflow database. For any thread; each call is a transaction.

    Its calls raise WorkflowUnavailable where the database does not answer.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow

    def add(self, data_set: Elements) -> list[WorklistItem]:
        """Put the steps that a neutral data set schedules on the worklist; return the items.

        What is made where it is missing: see `complete_items`. A data set without Study Instance
        UID goes into the study of the items with the same patient and accession number.

        Raises InvalidWorklistItem, and WorklistItemExists; nothing is added then.
        """
        with self._workflow.writing() as connection:
            items = complete_items(_placed_in_study(connection, data_set))
            for item in items:
                if _find_step(connection, item) is not None:
                    raise WorklistItemExists(
                        f"Scheduled procedure step {item.scheduled_procedure_step_id} of study "
                        f"{item.study_instance_uid} is on the worklist already; remove it first, "
                        "or import the item from a file to change it."
                    )
                _insert(connection, item)
        return items

    def put(self, *data_sets: Elements) -> list[tuple[WorklistItem, Change]]:
        """Like `add`, but steps that are on the worklist already take their new attributes.

        Their status stays, unless the data set states one. Raises InvalidWorklistItem; nothing is
        changed then, whatever the other data sets were.
        """
        put: list[tuple[WorklistItem, Change]] = []
        with self._workflow.writing() as connection:
            for number, data_set in enumerate(data_sets, 1):
                try:
                    items = complete_items(_placed_in_study(connection, data_set))
                except InvalidWorklistItem as error:
                    which = f"Data set {number}: " if len(data_sets) > 1 else ""
                    raise InvalidWorklistItem(f"{which}{error}") from error
                keeps_status = not states_status(data_set)
                put += [_put(connection, item, keeps_status=keeps_status) for item in items]
        return put

    def items(
        self, where: WorklistFilter = EVERYTHING, *, limit: int | None = None
    ) -> Iterator[WorklistItem]:
        """The items that `where` lets through, by scheduled date and time.

        Items that are removed while this runs may be left out.
        """
        return map(restored_item, self.data_sets(where, limit=limit))

    def data_sets(
        self,
        where: WorklistFilter = EVERYTHING,
        *,
        limit: int | None = None,
        watch: Watch = UNLIMITED,
    ) -> Iterator[Elements]:
        """Like `items`, the neutral data sets alone.

        Raises WorkflowUnavailable if `watch` ends it.
        """
        ids = self._ids(where.condition(), limit, watch)
        for start in range(0, len(ids), _AT_ONCE):
            with self._workflow.reading() as connection, watch.over_statements(connection):
                rows = _rows(connection, ids[start : start + _AT_ONCE])
            yield from map(_data_set, rows)

    def count(self, where: WorklistFilter = EVERYTHING) -> int:
        """How many items `where` lets through."""
        with self._workflow.reading() as connection:
            query = select(func.count()).select_from(worklist_item).where(where.condition())
            return int(connection.execute(query).scalar_one())

    def remove(self, where: WorklistFilter) -> int:
        """Remove the items that `where` lets through; return how many they were."""
        with self._workflow.writing() as connection:
            return connection.execute(delete(worklist_item).where(where.condition())).rowcount

    def _ids(
        self, condition: ColumnElement[bool], limit: int | None, watch: Watch
    ) -> Sequence[int]:
        columns = worklist_item.c
        query = select(columns.id).where(condition).limit(limit)
        ordered = query.order_by(columns.scheduled_date, columns.scheduled_time, columns.id)
        with self._workflow.reading() as connection, watch.over_statements(connection):
            return connection.execute(ordered).scalars().all()


def set_status(connection: Connection, item_ids: Iterable[int], status: str) -> None:
    """Bring items, inside a transaction of the caller's, into another status."""
    assert status in STATUSES
    for row in _rows(connection, list(item_ids)):
        if row.status != status:
            changed = with_status(_data_set(row), status)
            statement = update(worklist_item).where(worklist_item.c.id == row.id)
            connection.execute(statement, _values(restored_item(changed)))


def _placed_in_study(connection: Connection, data_set: Elements) -> Elements:
    """The data set in the study of its accession number, where it names none itself."""
    accession_number = text(data_set, ACCESSION_NUMBER)
    if text(data_set, STUDY_INSTANCE_UID) or not accession_number:
        return data_set
    query = select(worklist_item.c.study_instance_uid).where(
        worklist_item.c.accession_number == accession_number,
        worklist_item.c.patient_id == text(data_set, PATIENT_ID),
    )
    known = connection.execute(query.limit(1)).scalar_one_or_none()
    if known is None:
        return data_set
    placed = dict(data_set)
    put(placed, STUDY_INSTANCE_UID, "UI", known)
    return placed


def _put(
    connection: Connection, item: WorklistItem, *, keeps_status: bool
) -> tuple[WorklistItem, Change]:
    row = _find_step(connection, item)
    if row is None:
        _insert(connection, item)
        return item, Change.ADDED
    if keeps_status and item.status != row.status:
        item = restored_item(with_status(item.data_set, row.status))
    values = _values(item)
    if values["data_set"] == row.data_set:
        return item, Change.UNCHANGED
    connection.execute(update(worklist_item).where(worklist_item.c.id == row.id), values)
    return item, Change.UPDATED


def _find_step(connection: Connection, item: WorklistItem) -> Row[Any] | None:
    columns = worklist_item.c
    step = and_(
        columns.study_instance_uid == item.study_instance_uid,
        columns.scheduled_procedure_step_id == item.scheduled_procedure_step_id,
    )
    return connection.execute(select(worklist_item).where(step)).one_or_none()


def _insert(connection: Connection, item: WorklistItem) -> None:
    connection.execute(insert(worklist_item), _values(item))


def _values(item: WorklistItem) -> dict[str, Any]:
    data_set = json.dumps(to_json(item.data_set), ensure_ascii=False, separators=(",", ":"))
    return item._asdict() | {"data_set": data_set, "changed_at": time.time()}


def _rows(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """The rows of some of the items, in the order of `ids`."""
    found = connection.execute(select(worklist_item).where(worklist_item.c.id.in_(ids))).all()
    by_id = {row.id: row for row in found}
    return [by_id[number] for number in ids if number in by_id]


def _data_set(row: Row[Any]) -> Elements:
    return from_json(json.loads(row.data_set))
