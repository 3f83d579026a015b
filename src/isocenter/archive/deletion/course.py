"""The course of a deletion: from one state to the next, as far as it can go now.

Every state is noted durably before the next begins, and what leads from one to the next may be done
again from its start: that is what a kill comes to.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from json import dumps
from typing import Any, Literal, NamedTuple, Protocol

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.erasing import erase_database, erase_folder
from isocenter.archive.deletion.pending import remove_from_index
from isocenter.archive.deletion.quarantined import move_to_trash
from isocenter.archive.deletion.restoring import restore
from isocenter.archive.deletion.selection import chosen_records
from isocenter.archive.deletion.taking_out import PackNotFinished, take_out
from isocenter.archive.deletion.trash import DeletedRecord, Trash
from isocenter.archive.index.erasing import erase_removed
from isocenter.archive.layout import INDEX_FILE
from isocenter.archive.pack_locks import PackInUse
from isocenter.archive.workflow.deletions import Deletion, Deletions, DeletionState
from isocenter.database.database import connect
from isocenter.database.erasure import NotErased, erase_free_space
from isocenter.errors import IsocenterError

INDEX_SECONDS = 60.0

WAIT_SECONDS = 2.0
"""After which a pack is looked at again that was being written or read."""

SECOND_LOOK_SECONDS = 1.0
"""What another process acknowledged before a deletion is in the index after this time."""

log = structlog.get_logger(__name__)


class DeletionEvent(NamedTuple):
    """What the audit trail is told, study by study (PS3.15 A.5.3.12, "Study Deleted").

    `patient_id` is empty where it is not known any more.
    """

    what: Literal["deleted", "restored", "purged"]
    who: str
    role: str
    reason: str
    study_instance_uid: str
    patient_id: str
    instances: int


class DeletionAudit(Protocol):
    """Whoever keeps the audit trail. An event may come twice, after a crash."""

    def on_deleted(self, event: DeletionEvent) -> None:
        """Keep an event. Raises to have the step done again later."""


class Unaudited:
    """Where no audit trail is kept."""

    def on_deleted(self, event: DeletionEvent) -> None:
        """Forget it."""


class Ending(NamedTuple):
    """The last state of a deletion, and what is to be noted with it."""

    state: DeletionState
    values: dict[str, Any]


class Interrupted(IsocenterError):
    """The node stops; the deletion goes on when it runs again."""


class Course:
    """Takes deletions forward. For one thread, which may take long.

    With `others`, further processes store into the same archive.
    """

    def __init__(
        self,
        archive: Archive,
        deletions: Deletions,
        audit: DeletionAudit | None = None,
        *,
        others: bool = False,
    ) -> None:
        self._archive = archive
        self._deletions = deletions
        self._audit = audit or Unaudited()
        self._others = others
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Have `advance` raise Interrupted at the next occasion; from any thread."""
        self._stopping.set()

    def advance(self, number: int) -> float | Ending | None:
        """Take a deletion as far as it can go.

        Returns when it is due again, in seconds since the epoch, or its ending; None for one that
        does not exist. Raises Interrupted, OSError, and other errors after which trying again later
        may help.
        """
        while True:
            deletion = self._deletions.find(number)
            if deletion is None:
                return None
            reached = self._step(deletion, Trash(self._archive.folder, deletion.folder))
            if reached is not None:
                return reached

    def _step(self, deletion: Deletion, trash: Trash) -> float | Ending | None:
        now = self._deletions.jobs.clock()
        try:
            match deletion.state:
                case DeletionState.REQUESTED:
                    self._hide(deletion, trash)
                case DeletionState.HIDDEN:
                    if self._others and now < deletion.changed_at + SECOND_LOOK_SECONDS:
                        return deletion.changed_at + SECOND_LOOK_SECONDS
                    self._take_out(deletion, trash)
                case DeletionState.TAKEN_OUT if deletion.restoring:
                    self._restore(deletion, trash)
                case DeletionState.PUT_BACK:
                    erase_folder(trash.path, trash.files())
                    return Ending(DeletionState.RESTORED, {})
                case DeletionState.TAKEN_OUT if now < deletion.purge_at:
                    return deletion.purge_at
                case DeletionState.TAKEN_OUT:
                    self._deletions.begin_purge(deletion.id)
                case DeletionState.PURGING:
                    return self._purge(deletion, trash)
                case _:
                    return Ending(deletion.state, {})
        except (PackInUse, PackNotFinished, NotErased) as error:
            log.info("a deletion waits", why=str(error))
            return now + WAIT_SECONDS
        return None

    def _hide(self, deletion: Deletion, trash: Trash) -> None:
        records = self._note(deletion, trash, trash.records())
        remove_from_index(self._archive.index, records, INDEX_SECONDS)
        uids = {record.sop_instance_uid for record in records}
        moved = move_to_trash(self._archive, trash, deletion.target, uids)
        self._tell("deleted", deletion, trash, records)
        self._change(deletion, DeletionState.HIDDEN, records, quarantined=moved)
        log.info("deleted objects", instances=len(records), quarantined=moved)

    def _note(
        self,
        deletion: Deletion,
        trash: Trash,
        known: list[DeletedRecord],
        before: float = float("inf"),
    ) -> list[DeletedRecord]:
        """Note what is there of the target, stored before a moment; return all that is noted.

        What came again under a UID that is noted already is not deleted.
        """
        self._archive.index.flush(INDEX_SECONDS)
        uids = {record.sop_instance_uid for record in known}
        chosen = [
            one
            for one in chosen_records(self._archive.index, deletion.target)
            if one.record.sop_instance_uid not in uids and one.received_at <= before
        ]
        records = [one.record for one in chosen]
        if records or not trash.path.exists():
            trash.note(records)
            trash.keep_patients(
                {
                    r.study_instance_uid: one.patient_id
                    for r, one in zip(records, chosen, strict=True)
                }
            )
        return known + records

    def _take_out(self, deletion: Deletion, trash: Trash) -> None:
        records = self._note(deletion, trash, trash.records(), before=deletion.created_at)
        remove_from_index(self._archive.index, records, INDEX_SECONDS)
        uids = {record.sop_instance_uid for record in records}
        moved = move_to_trash(self._archive, trash, deletion.target, uids)
        for study in {record.study_instance_uid for record in records}:
            self._archive.seal_study(study)
        waits: PackInUse | PackNotFinished | None = None
        for pack, of_pack in groupby(sorted(records, key=_place), key=lambda one: one.pack):
            self._check_stop()
            try:
                take_out(self._archive, trash, pack, list(of_pack))
            except (PackInUse, PackNotFinished) as error:
                waits = error
        if waits is not None:
            raise waits
        trash.note_taken_out()
        self._change(deletion, DeletionState.TAKEN_OUT, records, quarantined=moved)

    def _restore(self, deletion: Deletion, trash: Trash) -> None:
        records = trash.records()
        came = restore(self._archive, trash)
        self._tell("restored", deletion, trash, records)
        put_back = DeletionState.PUT_BACK.value
        self._deletions.change(deletion.id, state=put_back, conflicts=came.conflicts)
        log.info("restored objects", instances=came.instances, conflicts=came.conflicts)

    def _purge(self, deletion: Deletion, trash: Trash) -> Ending:
        records = trash.records()
        if records:
            self._tell("purged", deletion, trash, records)
            trash.drop_notes()
        erase_folder(trash.path, trash.files())
        self._check_stop()
        folder = self._archive.folder
        self._archive.index.forget_people(INDEX_SECONDS)
        erase_removed(folder / INDEX_FILE)
        erase_database(folder / f"{INDEX_FILE}.old")
        if deletion.level != "STUDY":
            self._deletions.change(deletion.id, uids="[]")
        erase_free_space(self._deletions.workflow.path, connect)
        log.info("purged objects", instances=deletion.instances)
        return Ending(DeletionState.PURGED, {})

    def _change(
        self,
        deletion: Deletion,
        state: DeletionState,
        records: Sequence[DeletedRecord],
        quarantined: int,
    ) -> None:
        self._deletions.change(
            deletion.id,
            state=state.value,
            studies=dumps(sorted({record.study_instance_uid for record in records})),
            instances=len(records),
            bytes=sum(record.length for record in records),
            quarantined=quarantined,
        )

    def _tell(
        self,
        what: Literal["deleted", "restored", "purged"],
        deletion: Deletion,
        trash: Trash,
        records: Sequence[DeletedRecord],
    ) -> None:
        patients = trash.patients()
        counts = Counter(record.study_instance_uid for record in records)
        for study, count in sorted(counts.items()):
            event = DeletionEvent(
                what,
                deletion.who,
                deletion.role,
                deletion.reason,
                study,
                patients.get(study, ""),
                count,
            )
            self._audit.on_deleted(event)

    def _check_stop(self) -> None:
        if self._stopping.is_set():
            raise Interrupted("The node stops; the deletion goes on when it runs again.")


def _place(record: DeletedRecord) -> tuple[str, int]:
    return record.pack, record.offset
