"""What a new start makes of what a crash left behind."""

import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from isocenter.archive import recovery
from isocenter.archive.archive import Archive
from isocenter.archive.index import Index, IndexUnavailable, IndexWriter, Outcome
from isocenter.archive.maintenance import verify
from isocenter.archive.outcome import Disposition
from isocenter.archive.receiving import BLOCK_SIZE
from isocenter.archive.tar import BLOCK, encode_header
from tests.archive.storing import (
    Sending,
    announcement,
    data_set,
    files_in,
    sop_instance_uid,
    store,
    stored_bytes,
)


@pytest.fixture
def crashed(tmp_path):
    """Three instances of one study stored, then the folder as a power cut would leave it.

    Returns the folder; its index knows everything, its pack is not sealed.
    """
    with Archive(tmp_path / "running", durability="os") as archive:
        for number in (1, 2, 3):
            assert store(archive, number).disposition is Disposition.STORED
        archive.index.flush()
        shutil.copytree(archive.folder, tmp_path / "crashed")
    return tmp_path / "crashed"


def the_pack(folder: Path) -> Path:
    (pack,) = (folder / "packs").rglob("*.tar")
    return pack


def forget_index(folder: Path) -> None:
    """Leave an index that has committed nothing yet."""
    for file in folder.glob("index.sqlite*"):
        file.unlink()
    Index.open(folder / "index.sqlite").close()


def kept(folder: Path) -> list[int]:
    """Which of the instances an archive still holds, each checked byte for byte."""
    with Archive(folder) as archive:
        found = [
            n
            for n in range(1, 6)
            if (held := stored_bytes(archive, n)) is not None
            and held == data_set(n, pixels=(len(held) - len(data_set(n, pixels=0))))
        ]
    assert verify(folder).problems == []
    assert files_in(folder / "open") == []
    with tarfile.open(the_pack(folder)) as tar:
        assert len(tar.getmembers()) == len(found)
    return found


def test_nothing_is_missing_after_a_crash(crashed):
    assert kept(crashed) == [1, 2, 3]


def test_what_the_index_had_not_committed_is_read_from_the_packs(crashed):
    forget_index(crashed)
    assert kept(crashed) == [1, 2, 3]


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize("cut", [1, 100, BLOCK, 1000, 1500, 2000])
def test_a_torn_last_record_is_cut_off_and_forgotten(crashed, cut, with_index):
    if not with_index:
        forget_index(crashed)
    pack = the_pack(crashed)
    with pack.open("r+b") as file:
        file.truncate(pack.stat().st_size - cut)
    assert kept(crashed) == [1, 2]


def test_a_record_whose_header_was_never_written_is_cut_off(tmp_path):
    with Archive(tmp_path / "running", durability="os") as archive:
        store(archive, 1)
        content = data_set(2, pixels=3 * BLOCK_SIZE)
        half = Sending(archive, announcement(sop_instance_uid(2)))
        half.write([content[: 2 * BLOCK_SIZE]])
        archive.ingest.drain()
        shutil.copytree(archive.folder, tmp_path / "crashed")
        half.incoming.abort()
    assert the_pack(tmp_path / "crashed").stat().st_size > BLOCK_SIZE
    assert kept(tmp_path / "crashed") == [1]


@pytest.mark.parametrize("garbage", [b"\xff" * 700, bytes(5000), b"x"])
def test_what_follows_the_last_record_is_cut_off(crashed, garbage):
    with the_pack(crashed).open("ab") as file:
        file.write(garbage)
    assert kept(crashed) == [1, 2, 3]


def test_an_unindexed_record_whose_bytes_changed_is_not_taken_for_an_object(crashed):
    forget_index(crashed)
    pack = the_pack(crashed)
    content = bytearray(pack.read_bytes())
    content[-BLOCK - 1] ^= 0xFF
    pack.write_bytes(content)
    assert kept(crashed) == [1, 2]


def test_a_marker_without_a_pack_is_dropped(crashed):
    (crashed / "open" / "0" / "x.tar").write_text("2024/01/01/1.2.3/x.tar")
    (crashed / "open" / "0" / "y.tar").write_text("")
    assert kept(crashed) == [1, 2, 3]


def test_packs_that_a_worker_of_a_larger_node_left_open_are_recovered_too(crashed):
    (crashed / "open" / "0").rename(crashed / "open" / "3")
    assert kept(crashed) == [1, 2, 3]


def test_recovery_can_itself_be_interrupted(crashed, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(recovery, "sync_folder", crash)
        with pytest.raises(KeyboardInterrupt):
            Archive(crashed)
    assert kept(crashed) == [1, 2, 3]


def test_half_received_objects_are_removed_from_the_spool(crashed):
    (crashed / "incoming" / "0" / "0123.part").write_bytes(b"half")
    assert kept(crashed) == [1, 2, 3]
    assert files_in(crashed / "incoming") == []


def test_two_packs_that_hold_different_objects_under_one_uid_leave_one_in_quarantine(crashed):
    other = crashed.with_name("other")
    with Archive(other, durability="os") as archive:
        store(archive, 1, pixels=4000)
    pack = the_pack(other)
    target = crashed / "packs" / pack.relative_to(other / "packs")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(pack, target)
    marker = crashed / "open" / "1" / "z.tar"
    marker.parent.mkdir()
    marker.write_text(target.relative_to(crashed / "packs").as_posix())
    with Archive(crashed) as archive:
        assert stored_bytes(archive, 1) == data_set(1)
        (entry,) = archive.index.list_quarantine()
        assert entry.sop_instance_uid == sop_instance_uid(1)


def test_an_index_that_does_not_commit_is_an_error_and_no_endless_start(crashed, monkeypatch):
    monkeypatch.setattr(recovery, "INDEX_SECONDS", 0.01)
    path = crashed / "index.sqlite"
    with Index.open(path) as index, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexUnavailable, match="did not commit within"):
            recovery.recover_archive(crashed, index)
    monkeypatch.undo()  # a slow machine may need longer for what is possible now
    assert kept(crashed) == [1, 2, 3]


def test_what_the_index_cannot_take_is_quarantined_once(crashed, monkeypatch):
    forget_index(crashed)
    submit = IndexWriter.submit

    def fail_on_two(self, entry, on_outcome=None):
        if entry.sop_instance_uid == sop_instance_uid(2):
            on_outcome(entry, Outcome.FAILED)
        else:
            submit(self, entry, on_outcome)

    monkeypatch.setattr(IndexWriter, "submit", fail_on_two)
    marker = next((crashed / "open").rglob("*.tar"))
    for _ in range(2):  # the second time as after a kill before the marker was removed
        marker.write_text("")
        with Archive(crashed) as archive:
            (entry,) = archive.index.list_quarantine()
            assert entry.reason == "The index could not take this object."
            assert entry.sop_instance_uid == sop_instance_uid(2)
            assert stored_bytes(archive, 3) == data_set(3)
    copies = [path for path in files_in(crashed / "quarantine") if path.endswith(".dcm")]
    assert len(copies) == 1


def test_many_markers_without_content_cost_one_walk_over_the_packs(crashed, monkeypatch):
    for name in ("x", "y", "z"):
        (crashed / "open" / "0" / f"{name}.tar").write_text("")
    walked = []
    rglob = Path.rglob

    def counted(self, pattern):
        walked.append(self)
        return rglob(self, pattern)

    with Index.open(crashed / "index.sqlite") as index, monkeypatch.context() as counting:
        counting.setattr(Path, "rglob", counted)
        recovery.recover_archive(crashed, index)
    assert walked.count(crashed / "packs") == 1
    assert kept(crashed) == [1, 2, 3]


def test_records_behind_damage_are_looked_for_in_large_pieces(tmp_path, monkeypatch):
    header = encode_header("1.2.3", "1.2.3.4", 1000, 42, 1_700_000_000)
    pack = tmp_path / "pack.tar"
    at = 3 * recovery.READ_SIZE - BLOCK
    with pack.open("wb") as file:
        for position in (BLOCK, at):
            file.seek(position)
            file.write(header)
    reads = []
    pread = recovery.os.pread

    def counted(fd, length, position):
        reads.append(position)
        return pread(fd, length, position)

    with pack.open("rb") as file, monkeypatch.context() as counting:
        counting.setattr(recovery.os, "pread", counted)
        found = list(recovery.find_records(file.fileno(), BLOCK))
    assert [(position, record.offset) for position, record in found] == [
        (BLOCK, 2 * BLOCK),
        (at, at + BLOCK),
    ]
    assert len(reads) == 4
