"""Deletions as rows of a table, as JSON and as sentences; never with a patient's data."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from isocenter.cli.console import megabytes, plural

if TYPE_CHECKING:
    from isocenter.archive.deletion.selection import Extent
    from isocenter.archive.workflow.deletions import Deletion

HEADINGS = (
    *("Number", "Asked", "State", "Instances", "Size", "Restorable until"),
    *("By", "Role", "Reason", "Study Instance UIDs"),
)


def deletion_row(one: Deletion) -> tuple[str, ...]:
    """The cells under HEADINGS."""
    from isocenter.archive.workflow.deletions import OVER

    return (
        str(one.id),
        moment(one.created_at),
        one.state.value,
        f"{one.instances:,}",
        megabytes(one.bytes),
        "" if one.state in OVER else moment(one.purge_at),
        one.who,
        one.role,
        one.reason,
        " ".join(one.studies),
    )


def deletion_json(one: Deletion) -> dict[str, Any]:
    """A deletion as a JSON object."""
    hidden = ("restoring", "folder")
    fields = {name: value for name, value in one._asdict().items() if name not in hidden}
    return fields | {"state": one.state.value}


def extent_text(extent: Extent, quarantined: int) -> str:
    """What would go, in counts."""
    aside = f" and {plural(quarantined, 'object')} in quarantine" if quarantined else ""
    studies = f"{extent.studies:,} {'study' if extent.studies == 1 else 'studies'}"
    return (
        f"{plural(extent.instances, 'instance')} in {extent.series:,} series of {studies} of "
        f"{plural(extent.patients, 'patient')}, {megabytes(extent.bytes)}{aside}"
    )


def outcome_text(one: Deletion) -> str:
    """What has become of a deletion."""
    from isocenter.archive.workflow.deletions import DeletionState

    what = plural(one.instances, "instance")
    if one.quarantined:
        what += f" and {plural(one.quarantined, 'object')} in quarantine"
    match one.state:
        case DeletionState.REQUESTED:
            return f"Deletion {one.id} is noted; the node has not begun with it yet."
        case DeletionState.RESTORED if one.conflicts:
            return (
                f"Restored {what} of deletion {one.id}, but {plural(one.conflicts, 'object')} into "
                "quarantine: others have been stored under their UIDs."
            )
        case DeletionState.RESTORED:
            return f"Restored {what} of deletion {one.id}."
        case DeletionState.PURGED:
            return f"Deleted {what} for good (deletion {one.id})."
        case DeletionState.PURGING:
            return f"Deletion {one.id} of {what} is being purged."
    if one.restoring:
        return f"Deletion {one.id} of {what} is being restored."
    return (
        f"Deleted {what} (deletion {one.id}). Until {moment(one.purge_at)} "
        f"`isocenter delete restore {one.id}` brings them back."
    )


def moment(seconds: float) -> str:
    """A moment in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
