import shutil
import sqlite3

import pytest

from isocenter.archive import maintenance
from isocenter.archive.archive import Archive, ArchiveInUse
from isocenter.archive.index import IndexReader, IndexWriter, Outcome, connection
from isocenter.archive.maintenance import reindex, verify
from tests.archive.storing import (
    announcement,
    data_set,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)
from tests.support.identifiers import find_texts as find

PATIENT_ID, STUDY_INSTANCE_UID, PATIENT_NAME = 0x00100020, 0x0020000D, 0x00100010


@pytest.fixture
def folder(tmp_path):
    with Archive(tmp_path / "archive", durability="os") as archive:
        for number in range(1, 10):
            store(archive, number, study=number % 3)
        send(archive, data_set(1, study=1, pixels=2000), announcement(sop_instance_uid(1)))
    return tmp_path / "archive"


def contents(folder):
    with Archive(folder) as archive:
        keys = {PATIENT_ID: "", STUDY_INSTANCE_UID: "", PATIENT_NAME: ""}
        matches = find(archive.index, "STUDY", "STUDY", keys)
        studies = sorted(tuple(match.values()) for match in matches)
        held = [stored_bytes(archive, number) for number in range(1, 10)]
        quarantined = [entry.path for entry in archive.index.list_quarantine()]
    return studies, held, quarantined


def test_the_index_can_be_rebuilt_from_the_packs_alone(folder):
    before = contents(folder)
    for file in folder.glob("index.sqlite*"):
        file.unlink()
    progress = []
    report = reindex(folder, on_progress=lambda done, total: progress.append((done, total)))
    assert (report.packs, report.records, report.instances, report.problems) == (3, 9, 9, [])
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert contents(folder) == before


def test_the_old_index_is_kept_beside_the_new_one(folder):
    reindex(folder)
    assert (folder / "index.sqlite.old").exists()


def test_a_file_system_without_links_will_do(folder, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(maintenance.Path, "hardlink_to", refuse)
    reindex(folder)
    assert (folder / "index.sqlite.old").exists()
    assert rows(folder / "index.sqlite") == 9


def test_a_running_archive_is_not_reindexed(folder):
    with Archive(folder), pytest.raises(ArchiveInUse):
        reindex(folder)


def test_a_damaged_pack_is_reported_and_the_others_are_indexed(folder):
    pack = min((folder / "packs").rglob("*.tar"))
    content = bytearray(pack.read_bytes())
    content[300] ^= 0xFF  # inside the first record's header
    pack.write_bytes(content)
    report = reindex(folder)
    assert report.instances == 8, "what lies behind the damage is lost"
    ((path, reason),) = report.problems
    assert pack.as_posix().endswith(path)
    assert reason.startswith("At byte 0: ")
    assert "Behind it there is a whole record at byte 2048" in reason


def first_pack(folder):
    return min((folder / "packs").rglob("*.tar"))


def damaged(pack, position, with_bytes):
    with pack.open("r+b") as file:
        file.seek(position)
        file.write(with_bytes)


def test_a_record_that_cannot_be_read_costs_only_itself(folder):
    damaged(first_pack(folder), 512 + 128, b"GONE")  # where DICM was
    report = reindex(folder)
    assert (report.instances, len(report.problems)) == (8, 1)


def test_zeros_between_records_are_damage_and_not_the_end(folder):
    damaged(first_pack(folder), 2048, bytes(512))
    report = reindex(folder)
    assert report.instances == 8
    (problem,) = report.problems
    assert problem.reason.startswith("At byte 2048: ")


def test_what_only_looks_like_a_record_behind_damage_is_not_taken_for_one(folder):
    pack = first_pack(folder)
    content = pack.read_bytes()
    damaged(pack, 0, b"damage")
    # The second record's header now stands in the first one's data, over bytes that differ.
    damaged(pack, 1024, content[2048:2560])
    report = reindex(folder)
    assert (report.instances, report.records) == (8, 8)
    assert "a whole record at byte 2048" in report.problems[0].reason


def test_a_record_of_an_unsealed_pack_is_only_trusted_if_it_matches_its_digest(folder):
    pack = first_pack(folder)
    damaged(pack, pack.read_bytes().index(b"DOE^JANE"), b"X")
    assert reindex(folder).instances == 9  # sealed: `verify` is what finds that
    (folder / "open" / "0" / pack.name).write_text("")
    report = reindex(folder)
    assert report.instances == 8
    (problem,) = report.problems
    assert "does not match its digest" in problem.reason


def test_the_torn_end_of_an_unsealed_pack_is_no_problem(folder):
    pack = first_pack(folder)
    with pack.open("r+b") as file:
        file.truncate(pack.stat().st_size - 1500)
    assert len(reindex(folder).problems) == 1
    (folder / "open" / "0" / pack.name).write_text("")
    assert reindex(folder).problems == []


def test_what_was_quarantined_does_not_take_the_place_of_what_is_stored(tmp_path):
    """The pack of the object in quarantine comes first, by its name."""
    for name, pixels in (("one", 1000), ("two", 2000)):
        with Archive(tmp_path / name, durability="os") as archive:
            store(archive, 1, pixels=pixels)
    one, two = (first_pack(tmp_path / name) for name in ("one", "two"))
    shutil.copy(two, one.with_name("0000.tar"))
    assert reindex(tmp_path / "one").instances == 1  # `two` won, and `one` is in quarantine
    one.rename(one.with_name("0.tar"))
    assert sorted(p.name for p in one.parent.iterdir()) == ["0.tar", "0000.tar"]
    report = reindex(tmp_path / "one")
    assert report.instances == 1
    with Archive(tmp_path / "one") as archive:
        assert stored_bytes(archive, 1) == data_set(1, pixels=2000)
        assert len(archive.index.list_quarantine()) == 1


def test_what_the_index_cannot_take_is_quarantined_and_not_lost(folder, monkeypatch):
    submit = IndexWriter.submit

    def fail_on_two(self, entry, on_outcome=None):
        if entry.sop_instance_uid == sop_instance_uid(2):
            on_outcome(entry, Outcome.FAILED)
        else:
            submit(self, entry, on_outcome)

    monkeypatch.setattr(IndexWriter, "submit", fail_on_two)
    assert reindex(folder).instances == 8
    assert reindex(folder).instances == 8
    with Archive(folder) as archive:
        reasons = [entry.reason for entry in archive.index.list_quarantine()]
    assert reasons.count("The index could not take this object.") == 1


def rows(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM instance").fetchone()[0]
    finally:
        connection.close()


def test_the_old_index_is_kept_with_what_was_in_its_log(folder, tmp_path):
    """A node that was killed leaves its last commits in the log."""
    with Archive(tmp_path / "running", durability="os") as archive:
        store(archive, 1)
        archive.index.flush()
        shutil.copytree(archive.folder, tmp_path / "killed")
    killed = tmp_path / "killed"
    assert (killed / "index.sqlite-wal").stat().st_size
    reindex(killed)
    assert rows(killed / "index.sqlite.old") == 1
    assert not (killed / "index.sqlite-wal").exists()


def test_an_old_index_that_somebody_reads_is_kept_together_with_its_log(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_SECONDS", 0.01)
    reader = sqlite3.connect(folder / "index.sqlite")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM instance").fetchone()
    writer = sqlite3.connect(folder / "index.sqlite")
    writer.execute("DELETE FROM instance WHERE id = 1")
    writer.commit()
    reindex(folder)
    writer.close()
    reader.close()
    assert rows(folder / "index.sqlite.old") == 8
    assert rows(folder / "index.sqlite") == 9


def test_at_no_moment_is_there_no_index(folder, monkeypatch):
    """A kill at any step leaves the old index or the new one in its place."""
    seen = []

    def watch(name):
        step = getattr(maintenance.Path, name)

        def watched(self, *arguments, **named):
            seen.append((folder / "index.sqlite").exists())
            result = step(self, *arguments, **named)
            seen.append((folder / "index.sqlite").exists())
            return result

        return watched

    for name in ("replace", "unlink", "hardlink_to"):
        monkeypatch.setattr(maintenance.Path, name, watch(name))
    reindex(folder)
    assert seen
    assert all(seen)


def test_a_damaged_old_index_does_not_stand_in_the_way(folder):
    (folder / "index.sqlite").write_bytes(b"no database" * 1000)
    assert reindex(folder).instances == 9
    assert (folder / "index.sqlite.old").read_bytes().startswith(b"no database")
    assert len(contents(folder)[0]) == 3


def test_verify_reads_everything_back(folder):
    report = verify(folder)
    assert (report.instances, report.problems) == (9, [])
    assert report.bytes > 9 * 1000


def test_verify_finds_a_single_changed_bit(folder):
    pack = min((folder / "packs").rglob("*.tar"))
    content = bytearray(pack.read_bytes())
    content[content.index(b"DOE^JANE")] ^= 1
    pack.write_bytes(content)
    (problem,) = verify(folder).problems
    assert "not what was received" in problem.reason


@pytest.mark.parametrize("size", [0, 700, 2000])
def test_verify_finds_what_is_cut_off(folder, size):
    pack = min((folder / "packs").rglob("*.tar"))
    with pack.open("r+b") as file:
        file.truncate(size)
    assert verify(folder).problems


def test_verify_holds_no_transaction_between_its_pages(folder, monkeypatch):
    monkeypatch.setattr(IndexReader.pages_of_records, "__defaults__", (2,))
    reader = IndexReader(folder / "index.sqlite")
    pages = reader.pages_of_records()
    first = next(pages)
    writer = sqlite3.connect(folder / "index.sqlite")
    writer.execute("UPDATE pack SET length = 0")
    writer.commit()
    assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    writer.close()
    sizes = [len(first), *(len(page) for page in pages)]
    reader.close()
    assert sizes == [2, 2, 2, 2, 1]
    progress = []
    report = verify(folder, on_progress=lambda done, total: progress.append((done, total)))
    assert (report.instances, report.problems) == (9, [])
    assert progress == [(2, 9), (4, 9), (6, 9), (8, 9), (9, 9)]


def test_verify_finds_a_lost_pack(folder, monkeypatch):
    monkeypatch.setattr(IndexReader.pages_of_records, "__defaults__", (2,))
    shutil.rmtree(min((folder / "packs").rglob("*.tar")).parent)
    (problem,) = verify(folder).problems
    assert "3 instances are missing" in problem.reason
