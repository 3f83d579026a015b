"""What was acknowledged is there again after kill -9 at any moment, and after torn packs."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from random import Random

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.index import Index
from isocenter.archive.layout import INDEX_FILE, MARKERS
from isocenter.archive.maintenance import verify
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.receiving import Announcement
from tests.server.support import EXPLICIT, store_all
from tests.server.support_crashes import kill_everything, kill_loop, worker_kill_loop
from tests.server.support_instances import Instance, instance, packs, stored
from tests.server.support_nodes import assert_all_there
from tests.support.node import ISOCENTER, Node

# kill -9


@pytest.mark.parametrize("durability", ["group", "os"])
def test_nothing_acknowledged_is_lost_by_kills(tmp_path: Path, durability: str):
    kill_loop(tmp_path / "data", 4, "--durability", durability, seed=11)


def test_nothing_acknowledged_is_lost_by_kills_of_every_process(tmp_path: Path):
    kill_loop(tmp_path / "data", 2, "--workers", "2", seed=12)


def test_nothing_acknowledged_is_lost_by_kills_of_a_worker(tmp_path: Path):
    worker_kill_loop(tmp_path / "data", 2, seed=13)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(101, 103))
@pytest.mark.parametrize(
    "options",
    [("--durability", "group"), ("--durability", "os"), ("--workers", "2")],
    ids=["group", "os", "workers"],
)
def test_nothing_acknowledged_is_lost_by_many_kills(tmp_path: Path, options, seed: int):
    kill_loop(tmp_path / "data", 40, *options, seed=seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("durability", ["group", "os"])
def test_nothing_acknowledged_is_lost_by_many_kills_of_workers(tmp_path: Path, durability: str):
    worker_kill_loop(tmp_path / "data", 40, "--durability", durability, seed=111)


@pytest.mark.parametrize(
    "options", [(), pytest.param(("--workers", "2"), marks=pytest.mark.slow)], ids=["one", "two"]
)
def test_a_kill_during_recovery_loses_nothing(tmp_path: Path, options: tuple[str, ...]):
    """Recovery is cut short again and again before one start is allowed to finish it."""
    data = tmp_path / "data"
    sent = [
        instance(f"1.2.3.60.{n}", study=f"1.2.3.60.{n % 25}", pixels=20_000) for n in range(200)
    ]
    with Node(data, "--durability", "os", *options) as node:
        assert set(store_all(node.port, sent)) == {0}
        kill_everything(node)
    random = Random(60)
    for _ in range(4):
        serve = [str(ISOCENTER), "serve", "--port", "0", "--data", str(data), *options]
        starting = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3 + random.random() * 0.6)  # the moment of the crash is what is random here
        starting.kill()
        starting.wait()
    with Node(data, *options):
        pass
    assert_all_there(data, sent)


def test_a_pack_that_was_open_is_read_again_only_once(tmp_path: Path):
    data = tmp_path / "data"
    with Node(data) as node:
        assert store_all(node.port, [instance("1.2.3.61.1")]) == [0]
        kill_everything(node)
    with Node(data) as node:
        assert "recovered after an unclean stop" in node.log()
        assert list((data / MARKERS).rglob("*.tar")) == []
    with Node(data) as node:
        assert "recovered" not in node.log()


# Torn packs, made by hand: the folder of an archive as a crash would leave it

SENT = [instance(f"1.2.3.62.{number}", pixels=3000 + number) for number in range(4)]
UNWRITTEN = instance("1.2.3.62.9")


def keep(archive: Archive, one: Instance) -> Outcome:
    """Stores an instance in an archive of this process."""
    outcome: Future[Outcome] = Future()
    announcement = Announcement(one.sop_class_uid, one.uid, EXPLICIT, "HOSTILE", "ISOCENTER")
    incoming = archive.begin(announcement, outcome.set_result)
    incoming.write(memoryview(one.data_set))
    incoming.finish()
    return outcome.result(20)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four acknowledged instances in one open pack, copied while it was open."""
    folder = tmp_path_factory.mktemp("crashed")
    with Archive(folder / "live") as archive:
        for one in SENT:
            assert keep(archive, one).disposition is Disposition.STORED
        archive.index.flush()
        shutil.copytree(folder / "live", folder / "copy")
    return folder / "copy"


@pytest.fixture(params=[True, False], ids=["indexed", "not indexed"])
def torn(request: pytest.FixtureRequest, crashed: Path, tmp_path: Path) -> Path:
    """A copy to damage; the index knows its records, or has been lost with the crash."""
    shutil.copytree(crashed, tmp_path / "torn")
    if not request.param:
        forget_index(tmp_path / "torn")
    return tmp_path / "torn"


def forget_index(folder: Path) -> None:
    """Leaves an index that had committed nothing yet."""
    for path in folder.glob(f"{INDEX_FILE}*"):
        path.unlink()
    Index.open(folder / INDEX_FILE).close()


def the_pack(folder: Path) -> Path:
    (pack,) = packs(folder)
    return pack


def record_starts(pack: Path) -> list[int]:
    """Where the tar headers of the records lie, and last the end."""
    content = pack.read_bytes()
    starts, position = [], 0
    while content[position + 257 : position + 262] == b"ustar":
        starts.append(position)
        size = int(content[position + 124 : position + 135], 8)
        position += 512 + -(-size // 512) * 512
    return [*starts, position]


def check(folder: Path, expected: list[Instance]) -> None:
    """Opened again, the archive holds `expected`, stores what is new, and verifies."""
    with Archive(folder) as archive:
        for one in SENT:
            assert (archive.index.locate(one.uid) is not None) == (one in expected)
        assert keep(archive, UNWRITTEN).disposition is Disposition.STORED
        for one in SENT:
            assert keep(archive, one).kept
    assert_all_there(folder, [*SENT, UNWRITTEN])
    assert len(stored(folder)[UNWRITTEN.uid]) == 1


CUTS: dict[str, Callable[[int, int], int]] = {
    "before the header": lambda start, end: start,
    "in the header": lambda start, end: start + 1,
    "before the end of the header": lambda start, end: start + 511,
    "behind the header": lambda start, end: start + 512,
    "in the preamble": lambda start, end: start + 512 + 100,
    "in the pixels": lambda start, end: end - 1000,
    "in the padding": lambda start, end: end - 1,
}


@pytest.mark.parametrize("where", CUTS)
def test_a_pack_that_was_cut_off_keeps_its_whole_records(torn: Path, where: str):
    pack = the_pack(torn)
    start, end = record_starts(pack)[-2:]
    os.truncate(pack, CUTS[where](start, end))
    check(torn, SENT[:3])


def test_an_untouched_pack_keeps_all(torn: Path):
    check(torn, SENT)


@pytest.mark.parametrize("cut", [0, 1, 511])
def test_a_pack_without_a_whole_record_is_harmless(torn: Path, cut: int):
    os.truncate(the_pack(torn), cut)
    check(torn, [])


TAILS = {
    "noise": Random(1).randbytes(5000),
    "less than a block": b"?" * 100,
    "zeros": bytes(700),
    "an unfinished record": bytes(512) + b"\0" * 128 + b"DICM" + b"\x77" * 3000,
    "half a header": SENT[0].data_set[:300],
}


@pytest.mark.parametrize("what", TAILS)
def test_what_follows_the_last_record_is_cut_off(torn: Path, what: str):
    pack = the_pack(torn)
    end = record_starts(pack)[-1]
    with pack.open("r+b") as file:
        file.truncate(end)
        file.seek(end)
        file.write(TAILS[what])
    check(torn, SENT)


def overwrite(pack: Path, position: int, content: bytes) -> None:
    with pack.open("r+b") as file:
        file.seek(position)
        file.write(content)


def test_a_last_record_without_its_header_was_never_acknowledged(torn: Path):
    pack = the_pack(torn)
    overwrite(pack, record_starts(pack)[-2], bytes(512))
    check(torn, SENT[:3])


def test_a_flipped_bit_in_an_unindexed_record_is_noticed(crashed: Path, tmp_path: Path):
    """Nobody vouches for it but its digest: it is cut off like a torn one."""
    shutil.copytree(crashed, tmp_path / "torn")
    forget_index(tmp_path / "torn")
    pack = the_pack(tmp_path / "torn")
    position = record_starts(pack)[-1] - 700
    overwrite(pack, position, bytes([pack.read_bytes()[position] ^ 4]))
    check(tmp_path / "torn", SENT[:3])


def test_a_flipped_bit_in_an_indexed_record_is_reported_by_verify(crashed: Path, tmp_path: Path):
    shutil.copytree(crashed, tmp_path / "torn")
    pack = the_pack(tmp_path / "torn")
    position = record_starts(pack)[-1] - 700
    overwrite(pack, position, bytes([pack.read_bytes()[position] ^ 4]))
    with Archive(tmp_path / "torn") as archive:
        assert all(archive.index.locate(one.uid) for one in SENT)
    (problem,) = verify(tmp_path / "torn").problems
    assert "not what was received" in problem.reason


@pytest.mark.parametrize("damage", ["header", "zeroed header"])
def test_damage_in_the_middle_destroys_nothing_behind_it(
    crashed: Path, tmp_path: Path, damage: str
):
    """A bad sector in a record must not cost the acknowledged ones that follow it."""
    shutil.copytree(crashed, tmp_path / "torn")
    pack = the_pack(tmp_path / "torn")
    start = record_starts(pack)[1]
    overwrite(pack, start, b"?" if damage == "header" else bytes(512))
    with Archive(tmp_path / "torn"):
        pass
    content = pack.read_bytes()
    assert all(one.data_set in content for one in SENT)
    with Archive(tmp_path / "torn") as archive:
        for one in (SENT[2], SENT[3]):
            assert archive.index.locate(one.uid) is not None


@pytest.mark.parametrize("content", [b"", b"2024/01/", b"\xff\xfe\0", b"../../../etc/passwd"])
def test_a_torn_marker_does_not_hide_its_pack(torn: Path, content: bytes):
    """After a power loss the marker's name may be there and its content not."""
    (marker,) = (torn / MARKERS).rglob("*.tar")
    marker.write_bytes(content)
    pack = the_pack(torn)
    with pack.open("ab") as file:
        file.write(TAILS["noise"])
    check(torn, SENT)


def test_a_marker_whose_pack_was_never_made_is_harmless(torn: Path):
    marker = torn / MARKERS / "0" / "20240101T000000-00000000.tar"
    marker.write_text("2024/01/01/1.2.3/20240101T000000-00000000.tar")
    check(torn, SENT)


def test_left_over_spools_are_removed(torn: Path):
    left = torn / "incoming" / "0" / "0123456789abcdef.part"
    left.write_bytes(b"never acknowledged")
    check(torn, SENT)
    assert not left.exists()
