"""Deleting, restoring and purging, with nothing going wrong."""

import os
import tarfile
from pathlib import Path

import pytest

from isocenter.archive.deletion.restoring import CONFLICT_REASON
from isocenter.archive.deletion.selection import Extent, Target, extent_of
from isocenter.archive.index import IndexReader
from isocenter.archive.maintenance import reindex, verify
from isocenter.archive.outcome import Disposition
from isocenter.archive.pack_reader import PackReader
from isocenter.archive.records import open_pack
from isocenter.archive.retrieve import select_instances
from isocenter.archive.safekeeping import NO_SUCH_OBJECT_INSTANCE, Safekeeping
from isocenter.archive.tar import PackDamaged
from isocenter.archive.workflow.deletions import DeletionState
from isocenter.security.access import ALL_STUDIES
from tests.archive.deletion.deleting import Desk, desk
from tests.archive.storing import (
    CT_IMAGE_STORAGE,
    announcement,
    data_set,
    files_in,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)

STUDY_UID = 0x0020000D


def fill(at: Desk, *numbers: int, study: int = 1) -> None:
    for number in numbers:
        assert store(at.archive, number, study=study).disposition is Disposition.STORED


def held(at: Desk, numbers: range = range(1, 7)) -> list[int]:
    """Which instances the archive has; each is what was sent."""
    found = {number: stored_bytes(at.archive, number) for number in numbers}
    for number, content in found.items():
        assert content in (None, *(data_set(number, study=study) for study in (1, 2)))
    return [number for number, content in found.items() if content is not None]


def statistics(at: Desk) -> tuple[int, ...]:
    at.archive.index.flush()
    found = at.archive.index.statistics()
    return found.patients, found.studies, found.series, found.instances, found.packs


def test_a_deleted_study_is_gone_for_everybody_and_nothing_else_is(at: Desk) -> None:
    fill(at, 1, 2, 3)
    fill(at, 4, 5, study=2)
    deletion = at.delete("1.2.3.1")
    assert deletion.state is DeletionState.TAKEN_OUT
    assert (deletion.instances, deletion.studies) == (3, ("1.2.3.1",))
    assert held(at) == [4, 5]
    assert statistics(at)[:4] == (1, 1, 1, 2)
    keys = {STUDY_UID: "1.2.3.1"}
    assert not select_instances(at.archive.index, "STUDY", "STUDY", keys, scope=ALL_STUDIES)
    assert not list(at.archive.packs.root.rglob("1.2.3.1"))


def test_series_and_single_instances_can_be_deleted(at: Desk) -> None:
    fill(at, 1, 2, 3)
    fill(at, 4, 5, study=2)
    assert at.delete_instances(2, 4).instances == 2
    assert held(at) == [1, 3, 5]
    assert at.delete("1.2.3.2.1", level="SERIES").instances == 1
    assert held(at) == [1, 3]


def test_what_stays_of_a_pack_stays_where_it_was(at: Desk) -> None:
    fill(at, 1, 2, 3)
    places = {n: at.archive.index.locate(sop_instance_uid(n)) for n in (1, 3)}
    at.archive.index.flush()
    places = {n: at.archive.index.locate(sop_instance_uid(n)) for n in (1, 3)}
    at.delete_instances(2)
    assert {n: at.archive.index.locate(sop_instance_uid(n)) for n in (1, 3)} == places
    (pack,) = at.archive.packs.root.rglob("*.tar")
    with tarfile.open(pack) as tar:
        names = [Path(member.name).name for member in tar.getmembers()]
        assert names == [f"{sop_instance_uid(1)}.dcm", "deleted", f"{sop_instance_uid(3)}.dcm"]
        assert not tar.extractfile("deleted").read().strip(b"\0")
    assert verify(at.archive.folder).problems == []


def test_a_deletion_counts_before_it_is_asked_for(at: Desk) -> None:
    fill(at, 1, 2)
    fill(at, 3, study=2)
    at.archive.index.flush()
    size = sum(p.stat().st_size for p in at.archive.packs.root.rglob("*.tar"))
    extent = extent_of(at.archive.index, Target("STUDY", ("1.2.3.1", "1.2.3.2", "1.2.9")))
    assert extent == Extent(2, 2, 2, 3, extent.bytes, ("1.2.9",))
    assert 0 < extent.bytes < size
    one = extent_of(at.archive.index, Target("IMAGE", (sop_instance_uid(1), sop_instance_uid(2))))
    assert one[:4] == (1, 1, 1, 2)


@pytest.mark.parametrize("numbers", [(1,), (3,), (1, 2), (2, 3), (1, 2, 3), (1, 3)])
def test_what_is_restored_is_what_was_deleted_byte_for_byte(at: Desk, numbers) -> None:
    fill(at, 1, 2, 3)
    before = statistics(at)[:4]
    deletion = at.delete_instances(*numbers)
    assert held(at) == [n for n in (1, 2, 3) if n not in numbers]
    restored = at.restore(deletion.id)
    assert (restored.state, restored.conflicts) == (DeletionState.RESTORED, 0)
    assert held(at) == [1, 2, 3]
    assert statistics(at)[:4] == before
    assert files_in(at.archive.folder / "trash") == []
    assert verify(at.archive.folder).problems == []


def test_two_deletions_from_one_pack_are_restored_each_for_itself(at: Desk) -> None:
    fill(at, 1, 2, 3, 4)
    first, second, rest = (at.delete_instances(*numbers) for numbers in ((1,), (2, 3), (4,)))
    assert held(at) == []
    at.restore(second.id)
    assert held(at) == [2, 3]
    at.purge(first.id)
    at.restore(rest.id)
    assert held(at) == [2, 3, 4]


def test_a_purge_of_one_deletion_leaves_nothing_in_the_trash_of_another(at: Desk) -> None:
    fill(at, 1, 2, 3)
    at.delete_instances(1)
    at.purge(at.delete_instances(2).id)
    everything = b"".join(path.read_bytes() for path in at.archive.folder.rglob("*.tar"))
    assert sop_instance_uid(1).encode() + b".dcm" in everything
    assert sop_instance_uid(2).encode() + b".dcm" not in everything


def test_what_was_stored_anew_is_another_object(at: Desk) -> None:
    fill(at, 1, 2)
    deletion = at.delete("1.2.3.1")
    fill(at, 1)  # the same bytes
    assert (
        send(at.archive, data_set(2, pixels=8), announcement(sop_instance_uid(2))).disposition
        is Disposition.STORED
    )
    at.archive.index.flush()
    assert stored_bytes(at.archive, 2) == data_set(2, pixels=8)
    restored = at.restore(deletion.id)
    assert restored.conflicts == 1
    assert stored_bytes(at.archive, 1) == data_set(1)
    assert stored_bytes(at.archive, 2) == data_set(2, pixels=8)
    (kept,) = at.archive.index.list_quarantine()
    assert (kept.sop_instance_uid, kept.reason) == (sop_instance_uid(2), CONFLICT_REASON)
    aside = (at.archive.quarantine.root / kept.path).read_bytes()
    assert aside.endswith(data_set(2))


def test_what_was_stored_anew_survives_a_purge(at: Desk) -> None:
    fill(at, 1, 2)
    deletion = at.delete("1.2.3.1")
    fill(at, 1)
    at.purge(deletion.id)
    assert held(at) == [1]


def test_what_is_stored_between_hiding_and_taking_out_stays(folder: Path) -> None:
    with desk(folder, others=True) as at:
        fill(at, 1, 2)
        number = at.request("1.2.3.1")
        due = at.course.advance(number)
        assert due > at.clock.now
        assert at.deletions.find(number).state is DeletionState.HIDDEN
        fill(at, 1)  # into the pack that still holds the deleted one
        at.clock.now = due
        at.carry_out(number)
        assert held(at) == [1]
        at.restore(number)
        assert held(at) == [1, 2]


def test_what_another_process_acknowledged_before_is_found_at_the_second_look(
    folder: Path,
) -> None:
    with desk(folder, others=True) as at:
        fill(at, 1)
        number = at.request("1.2.3.1")
        at.course.advance(number)
        fill(at, 2)  # received before the deletion was asked for, by that clock
        at.carry_out(number)
        assert held(at) == []
        assert at.deletions.find(number).instances == 2


def test_a_deletion_is_purged_when_its_time_has_come(at: Desk) -> None:
    fill(at, 1)
    deletion = at.delete("1.2.3.1", keep_for=3600)
    at.clock.now = deletion.purge_at - 61
    assert at.carry_out(deletion.id).state is DeletionState.TAKEN_OUT
    at.clock.now = deletion.purge_at
    purged = at.carry_out(deletion.id)
    assert purged.state is DeletionState.PURGED
    assert files_in(at.archive.folder / "trash") == []
    assert not at.deletions.want_back(deletion.id)
    assert not at.deletions.want_gone(deletion.id)


def test_of_a_purged_deletion_only_the_record_of_it_remains(at: Desk) -> None:
    fill(at, 1, 2)
    purged = at.purge(at.delete_instances(1).id)
    assert (purged.uids, purged.studies) == ((), ("1.2.3.1",))
    assert (purged.instances, purged.role, purged.reason, purged.who) == (1, "QA", "a test", "me")


def test_a_pack_that_is_being_read_is_erased_later(at: Desk) -> None:
    fill(at, 1, 2)
    at.archive.index.flush()
    location = at.archive.index.locate(sop_instance_uid(1))
    reader = open_pack(at.archive.packs.root, location.pack)
    try:
        number = at.request(sop_instance_uid(1), level="IMAGE")
        assert isinstance(at.course.advance(number), float)
        assert at.deletions.find(number).state is DeletionState.HIDDEN
        assert sop_instance_uid(1).encode() in os.pread(reader, 512, location.offset - 512)
    finally:
        os.close(reader)
    assert at.carry_out(number).state is DeletionState.TAKEN_OUT


def test_an_object_that_was_looked_up_before_it_was_erased_is_not_sent_as_zeros(at: Desk) -> None:
    fill(at, 1, 2)
    at.archive.index.flush()
    keys = {STUDY_UID: "1.2.3.1"}
    found = list(select_instances(at.archive.index, "STUDY", "STUDY", keys, scope=ALL_STUDIES))
    at.delete_instances(1)
    reader = PackReader(at.archive.packs.root)
    try:
        by_uid = {one.sop_instance_uid: one for one in found}
        kept = by_uid[sop_instance_uid(2)]
        assert reader.read(kept, 0, kept.dataset_length) == data_set(2)
        gone = by_uid[sop_instance_uid(1)]
        with pytest.raises(PackDamaged):
            reader.read(gone, 0, gone.dataset_length)
        with pytest.raises(PackDamaged):
            reader.read_at_once(gone, 0, gone.dataset_length)
    finally:
        reader.close()


def test_storage_is_not_committed_for_what_was_deleted(at: Desk) -> None:
    fill(at, 1, 2)
    at.delete_instances(1)
    asked = [(CT_IMAGE_STORAGE, sop_instance_uid(n)) for n in (1, 2)]
    found, unsafe = Safekeeping(at.archive).survey(asked, "SENDER", ALL_STUDIES)
    assert [one.position for one in found] == [1]
    assert unsafe == [(0, NO_SUCH_OBJECT_INSTANCE)]


def test_quarantined_objects_of_a_deleted_study_go_and_come_with_it(at: Desk) -> None:
    fill(at, 1)
    fill(at, 4, study=2)
    for number, study in ((1, 1), (4, 2)):
        other = data_set(number, study=study, pixels=8)
        send(at.archive, other, announcement(sop_instance_uid(number)))
    before = at.archive.index.list_quarantine()
    deletion = at.delete("1.2.3.1")
    assert deletion.quarantined == 1
    (kept,) = at.archive.index.list_quarantine()
    assert kept.sop_instance_uid == sop_instance_uid(4)
    assert len(files_in(at.archive.quarantine.root)) == 2
    at.restore(deletion.id)
    assert sorted(at.archive.index.list_quarantine()) == sorted(before)
    assert len(files_in(at.archive.quarantine.root)) == 4
    at.purge(at.delete("1.2.3.1").id)
    assert len(at.archive.index.list_quarantine()) == 1
    assert len(files_in(at.archive.quarantine.root)) == 2


def test_reindex_finds_nothing_that_was_deleted(folder: Path) -> None:
    with desk(folder) as at:
        fill(at, 1, 2, 3)
        fill(at, 4, study=2)
        at.delete_instances(2, 4)
    report = reindex(folder)
    assert (report.instances, report.problems) == (2, [])
    with desk(folder) as at:
        assert held(at) == [1, 3]
        at.restore(1)
        assert held(at) == [1, 2, 3, 4]


def test_reindex_leaves_out_what_is_only_hidden(folder: Path) -> None:
    with desk(folder, others=True) as at:
        fill(at, 1, 2, 3)
        at.course.advance(at.request(sop_instance_uid(2), level="IMAGE"))
    assert reindex(folder).instances == 2
    with desk(folder) as at:
        assert held(at) == [1, 3]
        at.carry_out(1)
        at.restore(1)
        assert held(at) == [1, 2, 3]


def test_an_index_that_reindex_kept_is_erased_with_a_purge(folder: Path) -> None:
    with desk(folder) as at:
        fill(at, 1)
    reindex(folder)
    assert (folder / "index.sqlite.old").exists()
    with desk(folder) as at:
        at.purge(at.delete("1.2.3.1").id)
    assert not (folder / "index.sqlite.old").exists()


def test_verify_does_not_miss_what_is_deleted_meanwhile(at: Desk, monkeypatch) -> None:
    fill(at, 1, 2)
    fill(at, 4, study=2)
    at.archive.index.flush()
    read = IndexReader.pages_of_records

    def then_delete(reader: IndexReader, size: int = 10_000):
        for page in list(read(reader, size)):
            at.delete("1.2.3.2")
            at.delete_instances(1)
            yield page

    monkeypatch.setattr(IndexReader, "pages_of_records", then_delete)
    assert verify(at.archive.folder).problems == []


def test_the_audit_trail_is_told_of_each_study_and_whose_it_was(at: Desk) -> None:
    fill(at, 1, 2)
    fill(at, 4, study=2)
    deletion = at.delete("1.2.3.1", "1.2.3.2")
    told = [(e.what, e.study_instance_uid, e.patient_id, e.instances) for e in at.events.told]
    assert told == [("deleted", "1.2.3.1", "P1", 2), ("deleted", "1.2.3.2", "P2", 1)]
    assert {(e.who, e.role, e.reason) for e in at.events.told} == {("me", "QA", "a test")}
    at.restore(deletion.id)
    at.purge(at.delete("1.2.3.1").id)
    assert [e.what for e in at.events.told[2:]] == ["restored"] * 2 + ["deleted", "purged"]
    assert at.events.told[-1].patient_id == "P1"


def test_an_audit_trail_that_cannot_be_kept_stops_the_deletion(at: Desk, monkeypatch) -> None:
    fill(at, 1)

    def fail(_: object) -> None:
        raise OSError("no room")

    number = at.request("1.2.3.1", keep_for=0)
    monkeypatch.setattr(at.events, "on_deleted", fail)
    with pytest.raises(OSError, match="no room"):
        at.course.advance(number)
    assert at.deletions.find(number).state is DeletionState.REQUESTED
    monkeypatch.undo()
    at.carry_out(number)
    assert [e.what for e in at.events.told] == ["deleted", "purged"]
