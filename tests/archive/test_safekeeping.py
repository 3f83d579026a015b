"""What the archive vouches for: what comes back from the disk as it was received."""

import os
import stat
from collections.abc import Iterator
from mmap import PAGESIZE
from pathlib import Path

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.safekeeping import Safekeeping
from isocenter.archive.study_labels import StudyLabels
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase
from tests.archive.storing import (
    CT_IMAGE_STORAGE,
    announcement,
    data_set,
    send,
    sop_instance_uid,
    store,
)

PROCESSING_FAILURE, ABSENT, OTHER_CLASS = 0x0110, 0x0112, 0x0119


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Three studies of three instances in packs that are not sealed, and never were synced."""
    with Archive(tmp_path / "archive", durability="os") as opened:
        for number in range(1, 10):
            store(opened, number, study=number % 3)
        yield opened


def asked(*numbers: int) -> list[tuple[str, str]]:
    return [(CT_IMAGE_STORAGE, sop_instance_uid(number)) for number in numbers]


def check(
    archive: Archive,
    instances: list[tuple[str, str]],
    sender: str = "SENDER",
    scope: Scope = ALL_STUDIES,
):
    safekeeping = Safekeeping(archive)
    found, unsafe = safekeeping.survey(instances, sender, scope)
    return sorted(tuple(one) for one in unsafe + safekeeping.examine(found))


def spoil(archive: Archive, number: int) -> None:
    """Turn over one byte of an instance, in its pack."""
    archive.index.flush()
    location = archive.index.locate(sop_instance_uid(number))
    with (archive.packs.root / location.pack).open("r+b") as pack:
        pack.seek(location.offset + location.length - 1)
        (byte,) = pack.read(1)
        pack.seek(-1, 1)
        pack.write(bytes([byte ^ 1]))


def test_what_is_stored_is_vouched_for_at_once(archive: Archive) -> None:
    assert check(archive, asked(*range(1, 10))) == []


def test_what_is_absent_or_of_another_class_is_not(archive: Archive) -> None:
    instances = [*asked(1, 77), ("1.2.840.10008.5.1.4.1.1.4", sop_instance_uid(2))]
    assert check(archive, instances) == [(1, ABSENT), (2, OTHER_CLASS)]


def test_a_single_wrong_byte_is_found_and_harms_no_other(archive: Archive) -> None:
    spoil(archive, 4)
    assert check(archive, asked(1, 4, 7)) == [(1, PROCESSING_FAILURE)]


def test_a_pack_that_is_gone_fails_its_own_instances(archive: Archive) -> None:
    archive.index.flush()
    location = archive.index.locate(sop_instance_uid(2))
    (archive.packs.root / location.pack).unlink()
    assert check(archive, asked(1, 2, 5)) == [(1, PROCESSING_FAILURE), (2, PROCESSING_FAILURE)]


def test_a_pack_that_is_cut_short_fails_what_was_cut_off(archive: Archive) -> None:
    archive.index.flush()
    location = archive.index.locate(sop_instance_uid(9))  # the last of its pack
    with (archive.packs.root / location.pack).open("r+b") as pack:
        pack.truncate(location.offset + location.length - 10)
    assert check(archive, asked(3, 6, 9)) == [(2, PROCESSING_FAILURE)]


def test_packs_and_folders_are_forced_to_disk(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").resolve())
        real(fd)

    monkeypatch.setattr("os.fsync", fsync)
    assert check(archive, asked(1)) == []
    archive.index.flush()
    location = archive.index.locate(sop_instance_uid(1))
    pack = archive.packs.root / location.pack
    assert {pack, pack.parent, archive.packs.root, archive.packs.markers} <= set(synced)


def test_a_disk_that_does_not_take_a_pack_commits_nothing_of_it(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def refuse_files(fd: int) -> None:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(5, "Input/output error")
        real(fd)

    monkeypatch.setattr("os.fsync", refuse_files)
    assert check(archive, asked(1, 4)) == [(0, PROCESSING_FAILURE), (1, PROCESSING_FAILURE)]


def test_who_sent_other_bytes_is_not_promised_those_that_are_kept(archive: Archive) -> None:
    other = data_set(1, study=1, pixels=2000)
    send(archive, other, announcement(sop_instance_uid(1)))
    assert check(archive, asked(1, 2), "SENDER") == [(0, PROCESSING_FAILURE)]
    assert check(archive, asked(1, 2), "ANOTHER") == []


def test_every_page_of_an_instance_is_read_from_the_disk(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[tuple[int, int]] = []
    monkeypatch.setattr(
        os, "posix_fadvise", lambda fd, start, length, advice: dropped.append((start, length))
    )
    assert check(archive, asked(1, 2)) == []
    assert len(dropped) == 2
    # The kernel keeps pages that are named in part only.
    assert all(start % PAGESIZE == length % PAGESIZE == 0 for start, length in dropped)
    assert all(length > 0 for _, length in dropped)


def test_what_the_sender_may_not_see_is_absent_to_them(archive: Archive) -> None:
    scope = Scope(frozenset({"research"}))
    other_class = ("1.2.840.10008.5.1.4.1.1.4", sop_instance_uid(2))
    hidden = [*asked(1, 4), other_class, *asked(77)]
    assert check(archive, hidden, scope=scope) == [(at, ABSENT) for at in range(4)]
    with AccessDatabase(archive.folder / ACCESS_FILE) as database:
        StudyLabels(database).add("research", ["1.2.3.1"])
        assert check(archive, hidden, scope=scope) == [(2, ABSENT), (3, ABSENT)]
        StudyLabels(database).add("research", ["1.2.3.2"])
        assert check(archive, hidden, scope=scope) == [(2, OTHER_CLASS), (3, ABSENT)]


def test_nor_are_they_told_that_other_bytes_of_theirs_were_kept_aside(archive: Archive) -> None:
    other = data_set(1, study=1, pixels=2000)
    send(archive, other, announcement(sop_instance_uid(1)))
    assert check(archive, asked(1), scope=Scope(frozenset({"a"}))) == [(0, ABSENT)]
