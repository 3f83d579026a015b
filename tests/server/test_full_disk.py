"""A disk that is full, or fails: A700 until there is room again, and nothing acknowledged lost."""

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.receiving import Announcement
from isocenter.encoding.elements import RawElement
from tests.server.support import ECHO, EXPLICIT, FIND, STORE, Peer, echo_seconds
from tests.server.support_instances import Instance, instance, packs
from tests.server.support_nodes import assert_all_there, configured, eventually, only_complaint
from tests.support.node import Node

MIB = 1 << 20
DISK = 32 * MIB
BALLAST = 16 * MIB  # more than the reserve, so that there is room without it
OUT_OF_RESOURCES = 0xA700

# For real: a small file system of its own


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of `DISK` bytes."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "isocenter-test", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


def images(port: int) -> int:
    """How many instances a C-FIND finds."""
    with Peer.associated(port, FIND) as peer:
        identifier = {
            0x00080052: RawElement("CS", b"IMAGE"),
            0x0020000D: RawElement("UI", b"1.2.3"),
            0x0020000E: RawElement("UI", b"1.2.3.1"),
        }
        responses = peer.find(identifier)
    assert responses[-1].status == 0
    return len(responses) - 1


def fill_up(node: Node, pixels: int) -> list[Instance]:
    """Stores until the node refuses; returns what it took. It refuses more, and goes on living."""
    taken: list[Instance] = []
    with Peer.associated(node.port, STORE, ECHO) as peer:
        for number in range(DISK // pixels + 2):
            one = instance(f"1.2.3.70.{number}", pixels=pixels)
            response = peer.store(one)
            if response.status != 0:
                break
            taken.append(one)
        assert f"{response.status:04X}" == f"{OUT_OF_RESOURCES:04X}"
        assert response.error_comment
        assert taken
        assert peer.echo(3) == 0
    assert "A700" in only_complaint(node, peer.name)
    return taken


def check_that_it_lives(node: Node, taken: list[Instance]) -> None:
    echo_seconds(node.port)
    assert images(node.port) == len(taken)


def store_again(node: Node, uid: str) -> Instance:
    """Stores one more; the node notices in its own time that there is room."""
    one = instance(uid, pixels=100_000)

    def is_taken() -> bool:
        with Peer.associated(node.port, STORE) as peer:
            return peer.store(one).status == 0

    eventually(is_taken)
    return one


@pytest.mark.parametrize(
    ("reserve", "pixels"),
    [("8 MiB", 700_000), ("0 B", 700_000), ("0 B", 100_000)],
    ids=["reserve", "disk, big objects", "disk, small objects"],
)
@pytest.mark.parametrize("durability", ["group", "os"])
def test_a_full_disk(disk: Path, tmp_path: Path, reserve: str, pixels: int, durability: str):
    options = configured(tmp_path, f'[storage]\nreserve = "{reserve}"\ndurability = "{durability}"')
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    with Node(disk / "data", *options) as node:
        taken = fill_up(node, pixels)
        if reserve == "0 B":  # then the index may lack room as well, and queries say so
            echo_seconds(node.port)
        else:
            check_that_it_lives(node, taken)
        ballast.unlink()
        taken.append(store_again(node, "1.2.3.70.1000"))
        check_that_it_lives(node, taken)
        node.stop(trouble_expected=True)
    assert_all_there(disk / "data", taken)


@pytest.mark.parametrize(
    "freed", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["freed", "stays full"]
)
def test_a_full_disk_keeps_nobody_from_stopping(disk: Path, tmp_path: Path, freed: bool):
    """Nothing can be written any more, not even the index; the next start finds everything."""
    options = configured(tmp_path, '[storage]\nreserve = "0 B"\n')
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST))
    with Node(disk / "data", *options) as node:
        taken = fill_up(node, 700_000)
        taken += fill_up_further(node, taken)
        stuff(disk / "more")
        if freed:
            node.process.send_signal(signal.SIGINT)
            eventually(lambda: "event=stopping" in node.log())
            (disk / "more").unlink()
            ballast.unlink()
        status = node.stop(signal.SIGTERM, trouble_expected=True)
        assert status == (0 if freed else 40), node.log()  # 40: in DCMTK's groups, a database
        assert "Traceback" not in node.log()
    for path in (ballast, disk / "more"):
        path.unlink(missing_ok=True)
    with Node(disk / "data", *options) as node:
        check_that_it_lives(node, taken)
    assert_all_there(disk / "data", taken)


def stuff(path: Path) -> None:
    """Takes every byte that the disk still has."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def fill_up_further(node: Node, taken: list[Instance]) -> list[Instance]:
    """Small objects, for what room the big ones left."""
    small = []
    with Peer.associated(node.port, STORE) as peer:
        for number in range(2000):
            one = instance(f"1.2.3.71.{number}", pixels=2000)
            if peer.store(one).status != 0:
                break
            small.append(one)
        else:
            raise AssertionError("the disk never got full")
    return small


def test_conflicts_and_late_uids_on_a_full_disk_are_answered(disk: Path, tmp_path: Path):
    """What must be spooled or quarantined is refused like the rest, and never left unanswered."""
    options = configured(tmp_path, '[storage]\nreserve = "0 B"\n')
    with Node(disk / "data", *options) as node:
        taken = fill_up(node, 700_000)
        other = replace(taken[0], data_set=taken[0].data_set[:-1] + b"?")
        for _ in range(3):
            with Peer.associated(node.port, STORE) as peer:
                assert peer.store(other).status == OUT_OF_RESOURCES
        check_that_it_lives(node, taken)
        assert list((disk / "data" / "incoming").rglob("*.part")) == []
        node.stop(trouble_expected=True)
    assert_all_there(disk / "data", taken)


# Injected: the disk fails at one call


def keep(archive: Archive, one: Instance) -> Outcome:
    """Stores an instance in an archive of this process."""
    outcome: Future[Outcome] = Future()
    announcement = Announcement(one.sop_class_uid, one.uid, EXPLICIT, "HOSTILE", "ISOCENTER")
    incoming = archive.begin(announcement, outcome.set_result)
    incoming.write(memoryview(one.data_set))
    incoming.finish()
    return outcome.result(20)


Fail = Callable[[str, int], None]


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Makes the next call of a function of `os` fail, the calls before and after work."""

    def fail_next(name: str, error: int) -> None:
        real = getattr(os, name)
        failed = []

        def once(*arguments, **keywords):
            if failed:
                return real(*arguments, **keywords)
            failed.append(True)
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(os, name, once)

    return fail_next


FIRST, SECOND, THIRD = (instance(f"1.2.3.72.{number}") for number in range(3))
BIG = instance("1.2.3.72.9", pixels=700_000)
HUGE = instance("1.2.3.72.10", pixels=5_000_000)


@pytest.mark.parametrize("one", [SECOND, BIG], ids=["small", "big"])
@pytest.mark.parametrize("durability", ["group", "os"])
def test_a_write_that_finds_no_room_is_refused_and_cut_back(
    tmp_path: Path, fail: Fail, one: Instance, durability: str
):
    with Archive(tmp_path / "data", durability=durability) as archive:
        assert keep(archive, FIRST).kept
        fail("pwritev", errno.ENOSPC)
        assert keep(archive, one).disposition is Disposition.OUT_OF_RESOURCES
        assert keep(archive, THIRD).kept
        assert keep(archive, one).kept
    assert_all_there(tmp_path / "data", [FIRST, one, THIRD])
    assert len(packs(tmp_path / "data")) == 1


def test_a_pack_whose_fsync_failed_is_trusted_no_more(tmp_path: Path, fail: Fail):
    """The kernel reports a failed write once; a second fsync would tell a lie."""
    with Archive(tmp_path / "data") as archive:
        assert keep(archive, FIRST).kept
        fail("fdatasync", errno.EIO)
        assert keep(archive, SECOND).disposition is Disposition.OUT_OF_RESOURCES
        (distrusted,) = packs(tmp_path / "data")
        length = distrusted.stat().st_size
        assert keep(archive, THIRD).kept
        assert keep(archive, SECOND).kept
        assert distrusted.stat().st_size == length
        assert len(packs(tmp_path / "data")) == 2
        location = archive.index.locate(THIRD.uid)
    with Archive(tmp_path / "data") as archive:  # the distrusted pack is read again
        location = archive.index.locate(THIRD.uid)
        assert location is not None
        assert not distrusted.as_posix().endswith(location.pack)
    assert_all_there(tmp_path / "data", [FIRST, SECOND, THIRD])


def test_a_pack_that_fails_while_another_object_streams_into_it_is_trusted_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The first object's fsync fails when the second has already begun in the same pack."""
    with Archive(tmp_path / "data") as archive:
        assert keep(archive, FIRST).kept
        outcome: Future[Outcome] = Future()
        announcement = Announcement(HUGE.sop_class_uid, HUGE.uid, EXPLICIT, "HOSTILE", "ISOCENTER")
        streaming = archive.begin(announcement, outcome.set_result)
        streaming.write(memoryview(HUGE.data_set)[:4_000_000])
        eventually(lambda: streaming.target)._pack.failed = True
        streaming.write(memoryview(HUGE.data_set)[4_000_000:])
        streaming.finish()
        assert outcome.result(20).disposition is Disposition.OUT_OF_RESOURCES
        assert keep(archive, THIRD).kept
        assert keep(archive, HUGE).kept
    assert_all_there(tmp_path / "data", [FIRST, THIRD, HUGE])


@pytest.mark.parametrize("name", ["open", "ftruncate", "fsync", "fdatasync"])
def test_any_call_that_fails_loses_nothing(tmp_path: Path, fail: Fail, name: str):
    """Whatever fails, the object is kept or refused, and a second attempt succeeds."""
    with Archive(tmp_path / "data") as archive:
        assert keep(archive, FIRST).kept
        fail(name, errno.EIO)
        other_study = instance("1.2.3.73.1", study="1.2.3.73")
        outcome = keep(archive, other_study)
        assert outcome.kept or outcome.disposition is Disposition.OUT_OF_RESOURCES
        assert keep(archive, THIRD).kept
        assert keep(archive, other_study).kept
    with Archive(tmp_path / "data"):
        pass
    assert_all_there(tmp_path / "data", [FIRST, THIRD, other_study])
