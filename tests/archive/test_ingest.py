"""What becomes of an instance, whichever way it arrives."""

import os
import tarfile
import zlib
from pathlib import Path

import pytest

from isocenter.archive import durability, packs
from isocenter.archive.archive import Archive, ArchiveInUse
from isocenter.archive.outcome import Disposition
from isocenter.archive.receiving import BLOCK_SIZE
from isocenter.dictionary.transfer_syntaxes import DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.part10 import read_file_meta
from tests.archive.storing import (
    Sending,
    announcement,
    data_set,
    element,
    files_in,
    send,
    sop_instance_uid,
    store,
    stored_bytes,
)

SEVERAL_BLOCKS = 3 * BLOCK_SIZE


@pytest.fixture(params=["group", "os"])
def archive(request, tmp_path):
    with Archive(tmp_path / "archive", durability=request.param) as opened:
        yield opened


@pytest.mark.parametrize("pixels", [0, 1000, BLOCK_SIZE, SEVERAL_BLOCKS])
def test_what_was_sent_is_what_is_kept_byte_for_byte(archive, pixels):
    assert store(archive, 1, pixels=pixels).disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == data_set(1, pixels=pixels)


@pytest.mark.parametrize("fragment", [1, 7, 1000, BLOCK_SIZE, 2 * BLOCK_SIZE + 1])
def test_how_it_was_cut_into_fragments_does_not_matter(archive, fragment):
    content = data_set(1, pixels=2000 if fragment == 1 else SEVERAL_BLOCKS)
    outcome = send(archive, content, announcement(sop_instance_uid(1)), fragment=fragment)
    assert outcome.disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content


def test_a_pack_is_a_plain_tar_file_of_part_10_files(tmp_path):
    with Archive(tmp_path) as archive:
        for number in (1, 2):
            store(archive, number)
    (pack,) = (tmp_path / "packs").rglob("*.tar")
    assert pack.parent.relative_to(tmp_path / "packs").as_posix() == "2024/01/31/1.2.3.1"
    with tarfile.open(pack) as tar:
        for number in (1, 2):
            part10 = tar.extractfile(f"1.2.3.1.1/{sop_instance_uid(number)}.dcm").read()
            meta, offset = read_file_meta(part10)
            assert (meta.sop_instance_uid, meta.source_ae) == (sop_instance_uid(number), "SENDER")
            assert part10[offset:] == data_set(number)


def test_the_same_object_again_is_a_success_that_adds_nothing(archive):
    assert store(archive, 1, pixels=SEVERAL_BLOCKS).disposition is Disposition.STORED
    before = archive.index.statistics()
    assert store(archive, 1, pixels=SEVERAL_BLOCKS).disposition is Disposition.DUPLICATE
    archive.index.flush()
    assert archive.index.statistics().instances == 1 == before.instances or before.instances == 0
    assert files_in(archive.folder / "incoming") == []


def test_another_object_under_a_known_uid_goes_to_quarantine_and_changes_nothing(archive):
    store(archive, 1)
    other = data_set(1, pixels=2000)
    outcome = send(archive, other, announcement(sop_instance_uid(1)))
    assert outcome.disposition is Disposition.QUARANTINED
    assert stored_bytes(archive, 1) == data_set(1)
    (entry,) = archive.index.list_quarantine()
    assert entry.sop_instance_uid == sop_instance_uid(1)
    kept = (archive.quarantine.root / entry.path).read_bytes()
    assert kept[read_file_meta(kept)[1] :] == other


def test_with_the_policy_reject_another_object_under_a_known_uid_is_refused(tmp_path):
    with Archive(tmp_path, duplicates="reject") as archive:
        store(archive, 1)
        outcome = send(archive, data_set(1, pixels=2000), announcement(sop_instance_uid(1)))
        assert outcome.disposition is Disposition.CONFLICT
        assert archive.index.list_quarantine() == []


def test_the_same_object_from_two_senders_at_once_is_stored_once(archive):
    content = data_set(1, pixels=SEVERAL_BLOCKS)
    half = len(content) // 2
    first = Sending(archive, announcement(sop_instance_uid(1))).write([content[:half]])
    second = Sending(archive, announcement(sop_instance_uid(1))).write([content])
    second.incoming.finish()
    first.write([content[half:]]).incoming.finish()
    assert first.outcome().disposition is Disposition.STORED
    assert second.outcome().disposition is Disposition.DUPLICATE


def test_when_the_first_of_two_senders_gives_up_the_second_is_stored(archive):
    content = data_set(1, pixels=SEVERAL_BLOCKS)
    first = Sending(archive, announcement(sop_instance_uid(1))).write([content[:-1000]])
    second = Sending(archive, announcement(sop_instance_uid(1))).write([content])
    second.incoming.finish()
    first.incoming.abort()
    assert first.outcome().disposition is Disposition.ABANDONED
    assert second.outcome().disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content


def test_two_senders_into_one_study_do_not_wait_for_each_other(archive):
    halfway = Sending(archive, announcement(sop_instance_uid(1)))
    content = data_set(1, pixels=SEVERAL_BLOCKS)
    halfway.write([content[: 2 * BLOCK_SIZE]])
    assert store(archive, 2).disposition is Disposition.STORED
    halfway.write([content[2 * BLOCK_SIZE :]]).incoming.finish()
    assert halfway.outcome().disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content
    assert stored_bytes(archive, 2) == data_set(2)


def test_giving_up_in_mid_object_cuts_the_pack_back_to_its_last_whole_record(archive):
    store(archive, 1)
    (pack,) = archive.packs.root.rglob("*.tar")
    size = pack.stat().st_size
    content = data_set(2, pixels=SEVERAL_BLOCKS)
    sending = Sending(archive, announcement(sop_instance_uid(2)))
    sending.write([content[: 2 * BLOCK_SIZE + 5]]).incoming.abort()
    assert sending.outcome().disposition is Disposition.ABANDONED
    assert pack.stat().st_size == size
    assert store(archive, 3).disposition is Disposition.STORED
    assert list(archive.packs.root.rglob("*.tar")) == [pack]


def test_uids_beyond_the_first_block_are_found_all_the_same(archive):
    filler = 2 * BLOCK_SIZE
    assert store(archive, 1, filler=filler).disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == data_set(1, filler=filler)


def deflated(content: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(content) + compressor.flush()


@pytest.mark.parametrize("pixels", [1000, SEVERAL_BLOCKS, 20 * BLOCK_SIZE])
def test_a_deflated_data_set_is_kept_deflated(archive, pixels):
    content = deflated(data_set(1, pixels=pixels))
    announced = announcement(sop_instance_uid(1), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid)
    assert send(archive, content, announced).disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == content


def test_a_deflate_bomb_is_refused(archive):
    bomb = deflated(data_set(1) + element(0x7FE10011, "UN", bytes(64 * 1024 * 1024)))
    announced = announcement(sop_instance_uid(1), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid)
    outcome = send(archive, bomb, announced)
    assert outcome.disposition is Disposition.UNREADABLE
    assert nothing_is_kept(archive)


WITHOUT_STUDY = data_set(1).replace(element(0x0020000D, "UI", b"1.2.3.1"), b"")
WITHOUT_SERIES = data_set(1).replace(element(0x0020000E, "UI", b"1.2.3.1.1"), b"")
WITH_PATH = data_set(1).replace(b"1.2.3.1\0", b"../../..")
DEEP = (
    data_set(1) + (b"\x54\x00\x16\x00SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff") * 9999
)


@pytest.mark.parametrize(
    ("content", "disposition"),
    [
        (b"", Disposition.MISMATCH),
        (WITHOUT_STUDY, Disposition.MISMATCH),
        (WITHOUT_SERIES, Disposition.MISMATCH),
        (data_set(2), Disposition.MISMATCH),
        (WITH_PATH, Disposition.INVALID_UID),
        (data_set(1)[:-1], Disposition.UNREADABLE),
        (data_set(1)[:100], Disposition.UNREADABLE),
        (data_set(1, pixels=SEVERAL_BLOCKS)[:-4], Disposition.UNREADABLE),
        (data_set(1, filler=SEVERAL_BLOCKS)[:-4], Disposition.UNREADABLE),
        (b"no data set at all, but some bytes", Disposition.UNREADABLE),
        (DEEP, Disposition.UNREADABLE),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_reason_and_leaves_no_trace(
    archive, content, disposition
):
    outcome = send(archive, content, announcement(sop_instance_uid(1)))
    assert outcome.disposition is disposition
    assert outcome.reason.endswith(".") or disposition is Disposition.UNREADABLE
    assert "DOE" not in outcome.reason
    assert nothing_is_kept(archive)
    assert store(archive, 1).disposition is Disposition.STORED


@pytest.mark.parametrize("uid", ["", "../x", "1.2.3\0", "1" * 65, "1..2", ".1", "1.2 "])
def test_an_announced_uid_that_is_none_is_refused(archive, uid):
    assert send(archive, data_set(1), announcement(uid)).disposition is Disposition.INVALID_UID
    assert nothing_is_kept(archive)


def test_an_object_beyond_the_configured_size_is_refused(tmp_path):
    with Archive(tmp_path, object_size=BLOCK_SIZE) as archive:
        outcome = store(archive, 1, pixels=SEVERAL_BLOCKS)
        assert outcome.disposition is Disposition.OUT_OF_RESOURCES
        assert nothing_is_kept(archive)


def test_a_disk_without_room_is_a_matter_of_resources(tmp_path):
    with Archive(tmp_path, reserve=2**62) as archive:
        assert store(archive, 1).disposition is Disposition.OUT_OF_RESOURCES


@pytest.mark.parametrize("pixels", [1000, SEVERAL_BLOCKS])
def test_a_write_that_fails_loses_one_object_and_no_other(archive, monkeypatch, pixels):
    store(archive, 1)

    def no_room(*_):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as full:
        full.setattr(packs.os, "pwritev", no_room)
        assert store(archive, 2, pixels=pixels).disposition is Disposition.OUT_OF_RESOURCES
    assert store(archive, 3, pixels=pixels).disposition is Disposition.STORED
    assert stored_bytes(archive, 1) == data_set(1)
    assert stored_bytes(archive, 2) is None
    assert stored_bytes(archive, 3) == data_set(3, pixels=pixels)


def test_after_a_failed_fsync_nothing_is_acknowledged_and_the_pack_is_not_used_again(
    tmp_path, monkeypatch
):
    with Archive(tmp_path, durability="group") as archive:
        store(archive, 1)
        (pack,) = archive.packs.root.rglob("*.tar")

        def broken(_):
            raise OSError(5, os.strerror(5))

        with monkeypatch.context() as failing:
            failing.setattr(durability.os, "fdatasync", broken)
            assert store(archive, 2).disposition is Disposition.OUT_OF_RESOURCES
        assert store(archive, 2).disposition is Disposition.STORED
        archive.index.flush()
        assert archive.index.locate(sop_instance_uid(2)).pack != pack.name
        assert stored_bytes(archive, 2) == data_set(2)


def test_a_full_pack_is_sealed_and_a_new_one_begun(tmp_path):
    with Archive(tmp_path, pack_size=100_000) as archive:
        for number in range(1, 8):
            store(archive, number, pixels=40_000)
    found = list((tmp_path / "packs").rglob("*.tar"))
    assert len(found) == 3
    for pack in found:
        with tarfile.open(pack) as tar:
            assert 1 <= len(tar.getmembers()) <= 3


def test_many_studies_at_once_do_not_exhaust_the_files(tmp_path, monkeypatch):
    monkeypatch.setattr(packs, "OPEN_PACKS", 4)
    with Archive(tmp_path) as archive:
        for number in range(1, 60):
            assert store(archive, number, study=number).disposition is Disposition.STORED
        archive.index.flush()
        assert archive.index.statistics().studies == 59
    assert files_in(tmp_path / "open") == []


def test_an_archive_has_one_owner(tmp_path):
    with Archive(tmp_path), pytest.raises(ArchiveInUse, match="Another process"):
        Archive(tmp_path)


def test_closing_seals_everything(tmp_path):
    with Archive(tmp_path) as archive:
        store(archive, 1)
        assert len(files_in(tmp_path / "open")) == 1
    assert files_in(tmp_path / "open") == []
    with Archive(tmp_path) as archive:
        assert archive.index.unsealed_packs() == []
        assert stored_bytes(archive, 1) == data_set(1)


def nothing_is_kept(archive: Archive) -> bool:
    """Whether neither the index nor any pack holds a thing."""
    archive.index.flush()
    sizes = {Path(p).stat().st_size for p in archive.packs.root.rglob("*.tar")}
    spooled = files_in(archive.folder / "incoming")
    return archive.index.statistics().instances == 0 and sizes <= {0} and not spooled
