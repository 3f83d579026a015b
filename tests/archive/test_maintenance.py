import shutil

import pytest

from isocenter.archive.archive import Archive, ArchiveInUse
from isocenter.archive.maintenance import reindex, verify
from isocenter.archive.query import find
from tests.archive.storing import (
    announcement,
    data_set,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)

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


def test_a_running_archive_is_not_reindexed(folder):
    with Archive(folder), pytest.raises(ArchiveInUse):
        reindex(folder)


def test_a_damaged_pack_is_reported_and_the_others_are_indexed(folder):
    pack = min((folder / "packs").rglob("*.tar"))
    content = bytearray(pack.read_bytes())
    content[300] ^= 0xFF  # inside the first record's header
    pack.write_bytes(content)
    report = reindex(folder)
    assert report.instances == 6
    ((path, _),) = report.problems
    assert pack.as_posix().endswith(path)


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


def test_verify_finds_a_lost_pack(folder):
    shutil.rmtree(min((folder / "packs").rglob("*.tar")).parent)
    (problem,) = verify(folder).problems
    assert "3 instances are missing" in problem.reason
