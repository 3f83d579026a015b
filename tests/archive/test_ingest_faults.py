"""When something inside the archive fails: one object may be lost to its sender, nothing else."""

import os
import threading

import pytest

from isocenter.archive import durability, janitor, slow_lane
from isocenter.archive.archive import Archive, IndexMissing
from isocenter.archive.durability import GroupSync
from isocenter.archive.index import Outcome as IndexOutcome
from isocenter.archive.outcome import Disposition
from isocenter.archive.packs import PackStore
from isocenter.archive.receiving import BLOCK_SIZE, BLOCKS_IN_ALL
from tests.archive.storing import (
    CT_IMAGE_STORAGE,
    Sending,
    announcement,
    data_set,
    files_in,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)

SEVERAL_BLOCKS = 3 * BLOCK_SIZE


@pytest.fixture
def archive(tmp_path):
    with Archive(tmp_path / "archive", durability="os") as opened:
        yield opened


def test_more_half_sent_objects_than_blocks_stop_nobody(archive):
    half = [
        Sending(archive, announcement(sop_instance_uid(number))).write([data_set(number)[:500]])
        for number in range(1000, 1000 + BLOCKS_IN_ALL + 20)
    ]
    honest = Sending(archive, announcement(sop_instance_uid(1)))
    content = data_set(1, pixels=SEVERAL_BLOCKS)
    for at in range(0, len(content), 4096):
        honest.write([content[at : at + 4096]])
        archive.ingest.drain()
        assert not honest.incoming.congested
    honest.incoming.finish()
    assert honest.outcome().disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content
    for sending in half:
        sending.incoming.abort()
    assert archive.ingest.blocks_in_use == 0


def test_a_calling_ae_title_in_other_letters_costs_no_object(archive):
    announced = announcement(sop_instance_uid(1))._replace(source_ae="CAF�")
    assert send(archive, data_set(1), announced).disposition is Disposition.STORED


@pytest.mark.parametrize("pixels", [1000, SEVERAL_BLOCKS])
def test_an_unexpected_error_while_writing_frees_pack_and_uid(archive, monkeypatch, pixels):
    class Unexpected(Exception):
        pass

    def fail(*_):
        raise Unexpected

    with monkeypatch.context() as broken:
        broken.setattr("isocenter.archive.pack_record.encode_file_meta", fail)
        assert store(archive, 1, pixels=pixels).disposition is Disposition.OUT_OF_RESOURCES
    assert store(archive, 1, pixels=pixels).disposition is Disposition.STORED
    assert len(list(archive.packs.root.rglob("*.tar"))) == 1


def test_an_error_in_another_objects_step_is_not_reported_for_this_one(archive, monkeypatch):
    content = data_set(1, pixels=SEVERAL_BLOCKS)
    first = Sending(archive, announcement(sop_instance_uid(1))).write([content[:-10]])
    second = Sending(archive, announcement(sop_instance_uid(1))).write([content])
    second.incoming.finish()
    for _ in range(4):
        archive.ingest.drain()

    def fail(*_):
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as broken:
        broken.setattr(slow_lane.SlowLane, "_decide_at_last", fail)
        first.write([content[-10:]]).incoming.finish()
        assert first.outcome().disposition is Disposition.STORED
        assert second.outcome().disposition is Disposition.OUT_OF_RESOURCES
    assert store(archive, 2).disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content


def test_a_failing_look_up_refuses_one_object_and_ends_no_thread(archive, monkeypatch):
    store(archive, 1)
    archive.index.flush()
    other = data_set(1, pixels=2000)
    spooled = Sending(archive, announcement(sop_instance_uid(1)))

    def fail(*_):
        raise RuntimeError("the database is gone")

    spooled.write([other])
    with monkeypatch.context() as broken:
        broken.setattr("isocenter.archive.claims.Claims.wait_for", fail)
        spooled.incoming.finish()
        assert spooled.outcome().disposition is Disposition.OUT_OF_RESOURCES
    assert send(archive, other, announcement(sop_instance_uid(1))).disposition is (
        Disposition.QUARANTINED
    )


def test_one_fsync_of_a_pack_runs_at_a_time_and_serves_all_who_came_meanwhile(
    tmp_path, monkeypatch
):
    packs = PackStore(tmp_path)
    pack = packs.lease("1.2.3", "20240131")
    sync = GroupSync(packs)
    entered, leave = threading.Semaphore(0), threading.Semaphore(0)
    running, most = [], []

    def slow_sync(fd):
        running.append(fd)
        most.append(len(running))
        entered.release()
        assert leave.acquire(timeout=20)
        running.remove(fd)

    monkeypatch.setattr(durability.os, "fdatasync", slow_sync)
    told = []
    sync.when_durable(pack, lambda error: told.append((1, error)))
    assert entered.acquire(timeout=20)
    sync.when_durable(pack, lambda error: told.append((2, error)))
    sync.when_durable(pack, lambda _: 1 / 0)
    sync.when_durable(pack, lambda error: told.append((3, error)))
    leave.release()
    assert entered.acquire(timeout=20)
    leave.release()
    sync.settle(pack)
    sync.close()
    assert told == [(1, None), (2, None), (3, None)]
    assert most == [1, 1]


def test_what_the_last_commit_finds_in_conflict_is_in_quarantine_after_the_close(
    tmp_path, monkeypatch
):
    folder = tmp_path / "archive"
    with Archive(folder, durability="os") as archive:
        submit = archive.index.submit

        def conflicting(entry, on_outcome):
            submit(entry, lambda entry, _: on_outcome(entry, IndexOutcome.CONFLICT))

        monkeypatch.setattr(archive.index, "submit", conflicting)
        store(archive, 1)
    assert len(list((folder / "quarantine").rglob("*.dcm"))) == 1
    assert files_in(folder / "open") == []


def test_a_pack_whose_conflict_could_not_be_copied_is_read_again(tmp_path, monkeypatch):
    folder = tmp_path / "archive"

    def full(*_):
        raise OSError(28, os.strerror(28))

    with Archive(folder, durability="os") as archive:
        submit = archive.index.submit

        def conflicting(entry, on_outcome):
            submit(entry, lambda entry, _: on_outcome(entry, IndexOutcome.CONFLICT))

        monkeypatch.setattr(archive.index, "submit", conflicting)
        monkeypatch.setattr(archive.quarantine, "keep_record", full)
        store(archive, 1)
    assert len(files_in(folder / "open")) == 1


def test_packs_without_an_index_are_not_hidden_behind_an_empty_one(tmp_path):
    with Archive(tmp_path) as archive:
        store(archive, 1)
    for file in tmp_path.glob("index.sqlite*"):
        file.unlink()
    with pytest.raises(IndexMissing, match="isocenter reindex"):
        Archive(tmp_path)


def test_a_pack_that_cannot_be_made_leaves_no_marker(tmp_path, monkeypatch):
    packs = PackStore(tmp_path)

    def no_more_files(*_):
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr("isocenter.archive.packs.os.open", no_more_files)
    with pytest.raises(OSError, match="Too many"):
        packs.lease("1.2.3", "20240131")
    assert files_in(tmp_path / "open") == []


def test_the_janitor_keeps_house_however_busy_it_is(monkeypatch):
    monkeypatch.setattr(janitor, "HOUSEKEEPING_SECONDS", 0.01)
    kept_house = threading.Event()
    keeper = janitor.Janitor(kept_house.set)

    def again():
        if not kept_house.is_set():
            keeper.submit(again)

    keeper.submit(again)
    keeper.submit(lambda: 1 / 0)
    assert kept_house.wait(20)
    keeper.close()


def test_the_sop_class_of_the_announcement_is_used_where_the_data_set_has_none(archive):
    content = data_set(1)[8 + len(CT_IMAGE_STORAGE) + len(CT_IMAGE_STORAGE) % 2 :]
    assert send(archive, content, announcement(sop_instance_uid(1))).disposition is (
        Disposition.STORED
    )
