"""Failures that are kept: the newest, each cause once with the number of its occurrences."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, select
from sqlalchemy.dialects.sqlite import insert

from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.schema import failure

SHARE = 2
"""One peer's failures take up one in so many of what is kept, lest they displace all others'."""


class FailureEntry(NamedTuple):
    """A failure and how often it happened; moments are seconds since the epoch.

    Peer, role, `what` and `diagnosis` are the cause; the rest is that of the last occurrence.
    `role` is ours, `negotiation` JSON.
    """

    first_at: float
    happened_at: float
    occurrences: int
    role: str
    peer: str
    what: str
    diagnosis: str
    calling_ae: str
    called_ae: str
    negotiation: str | None


class KeptFailure(NamedTuple):
    """An entry and the number under which it is kept."""

    id: int
    entry: FailureEntry


def keep_failures(workflow: Workflow, entries: Sequence[FailureEntry], limit: int) -> None:
    """Add entries in one transaction, and forget all but the newest `limit`, half that of a peer.

    Raises WorkflowUnavailable.
    """
    statement = insert(failure)
    new = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=[
            failure.c.peer,
            failure.c.role,
            failure.c.what,
            failure.c.diagnosis,
        ],
        set_={
            "happened_at": new.happened_at,
            "occurrences": failure.c.occurrences + new.occurrences,
            "calling_ae": new.calling_ae,
            "called_ae": new.called_ae,
            "negotiation": new.negotiation,
        },
    )
    with workflow.writing() as connection:
        if entries:
            connection.execute(statement, [entry._asdict() for entry in entries])
        # First the oldest of a peer that fails in ever new ways, then the oldest of all.
        _forget_beyond(connection, max(1, limit // SHARE), of_each=failure.c.peer)
        _forget_beyond(connection, limit)


def _forget_beyond(
    connection: Connection, count: int, of_each: ColumnElement[Any] | None = None
) -> None:
    newest = failure.c.happened_at.desc(), failure.c.id.desc()
    rank = func.row_number().over(partition_by=of_each, order_by=newest).label("rank")
    ranked = select(failure.c.id, rank).subquery()
    beyond = select(ranked.c.id).where(ranked.c.rank > count)
    connection.execute(delete(failure).where(failure.c.id.in_(beyond)))


def newest_failures(workflow: Workflow, count: int) -> list[KeptFailure]:
    """The last `count` failures, the newest first. Raises WorkflowUnavailable."""
    newest = failure.c.happened_at.desc(), failure.c.id.desc()
    with workflow.reading() as connection:
        rows = connection.execute(_KEPT.order_by(*newest).limit(count)).all()
    return [_kept(*row) for row in rows]


def find_failure(workflow: Workflow, number: int) -> KeptFailure | None:
    """The failure that is kept under `number`. Raises WorkflowUnavailable."""
    with workflow.reading() as connection:
        row = connection.execute(_KEPT.where(failure.c.id == number)).one_or_none()
    return None if row is None else _kept(*row)


_KEPT = select(failure.c.id, *(failure.c[name] for name in FailureEntry._fields))


def _kept(number: int, *values: object) -> KeptFailure:
    return KeptFailure(number, FailureEntry._make(values))
