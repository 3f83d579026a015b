"""The converting processes: what one of them does wrong costs one data set and nothing else."""

import os
import signal
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from struct import pack

import psutil
import pytest

from isocenter.server.config_services import TranscodingSection
from isocenter.server.config_values import MIB
from isocenter.server.transcoder import ConversionFailed, Transcoder
from isocenter.server.transcoding_worker import READY, REQUEST
from tests.encoding.images import EXPLICIT, JPEG_LS, RLE, Image, jpeg_ls, noise
from tests.server import fake_transcoding_worker
from tests.server.support_nodes import PATIENCE, eventually

FAKE = (sys.executable, fake_transcoding_worker.__file__)
DEFLATED = "1.2.840.10008.1.2.1.99"
BEFORE = b"something else in the pack"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Transcoder]]:
    """Makes transcoders with settings of the test's own; they end with it."""
    made = []

    def transcoder(*, worker=None, **settings) -> Transcoder:
        limits = TranscodingSection(**({"memory_limit": 256 * MIB} | settings))
        made.append(Transcoder(tmp_path, limits, *([worker] if worker else [])))
        return made[-1]

    yield transcoder
    for one in made:
        one.close()


@pytest.fixture
def convert(tmp_path: Path) -> Callable[..., bytes]:
    """Has a data set converted that lies in the middle of a file."""

    def converted(transcoder: Transcoder, data_set: bytes, source: str = RLE) -> bytes:
        pack_file = tmp_path / f"{zlib.crc32(data_set)}.tar"
        pack_file.write_bytes(BEFORE + data_set + b"and more")
        with pack_file.open("rb") as file:
            result = transcoder.convert(file.fileno(), len(BEFORE), len(data_set), source, EXPLICIT)
        try:
            half = result.dataset_length // 2
            return result.read(0, half) + result.read(half, result.dataset_length - half)
        finally:
            result.close()

    return converted


def children() -> list[psutil.Process]:
    """Converting processes of this test process."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if "transcoding_worker" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_data_set_is_converted(make, convert):
    image, pixels = Image(rows=50, columns=40), noise(50, 40)
    compressed = image.compressed(jpeg_ls(pixels))
    assert convert(make(), compressed, JPEG_LS) == image.plain(pixels.tobytes())


def test_nothing_is_started_before_it_is_needed_and_nothing_is_left(make, convert, tmp_path):
    transcoder = make(worker=FAKE)
    assert children() == []
    convert(transcoder, b"abc")
    assert len(children()) == 1
    transcoder.close()
    assert children() == []
    assert {path.suffix for path in tmp_path.iterdir()} == {".tar"}


def test_one_process_serves_one_data_set_after_the_other(make, convert):
    transcoder = make(worker=FAKE)
    assert [convert(transcoder, b"a%d" % number) for number in range(5)] == [
        b"A%d" % number for number in range(5)
    ]
    assert len(children()) == 1


def test_there_are_never_more_processes_than_said(make, convert):
    transcoder = make(worker=FAKE, workers=2)
    texts = [b"text %d" % number for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda text: convert(transcoder, text), texts))
    assert done == [text.upper() for text in texts]
    assert 1 <= len(children()) <= 2


@pytest.mark.parametrize(
    ("data_set", "why"),
    [
        (b"die", "The converting process died"),
        (b"hang", "Took longer than 1 s"),
        (b"eat", "Needs more than \\[transcoding\\] memory_limit"),
        (b"fail", "^Failed on an error of ours \\(RuntimeError\\)$"),
    ],
)
def test_trouble_costs_one_data_set(make, convert, data_set: bytes, why: str):
    transcoder = make(worker=FAKE, time_limit=1, workers=1)
    with pytest.raises(ConversionFailed, match=why):
        convert(transcoder, data_set)
    assert convert(transcoder, b"abc") == b"ABC"
    assert len(children()) == 1


def test_a_process_that_is_killed_in_the_middle_is_replaced(make, convert):
    transcoder = make(worker=FAKE, workers=1)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(convert, transcoder, b"hang")
        (victim,) = eventually(children)
        victim.kill()
        with pytest.raises(ConversionFailed, match="died"):
            hanging.result()
    assert convert(transcoder, b"abc") == b"ABC"


def test_a_process_that_was_killed_idle_costs_nothing(make, convert):
    transcoder = make(worker=FAKE, workers=1)
    convert(transcoder, b"abc")
    (victim,) = children()
    victim.kill()
    eventually(lambda: victim.status() == psutil.STATUS_ZOMBIE)
    assert convert(transcoder, b"def") == b"DEF"
    assert len(children()) == 1


def test_a_process_that_hangs_ends_itself_when_its_node_is_gone(tmp_path: Path):
    (tmp_path / "hang").write_bytes(b"hang")
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [str(theirs.fileno()), str(256 * MIB), "1"]
        worker = subprocess.Popen([*FAKE, *arguments], pass_fds=(theirs.fileno(),))
    with worker, (tmp_path / "hang").open("r+b") as file:
        with ours:
            assert ours.recv(1) == READY
            request = REQUEST.pack(0, 4, MIB, b"", b"")
            socket.send_fds(ours, [request], [file.fileno(), file.fileno()])
        assert worker.wait(PATIENCE) == -signal.SIGALRM


def test_one_that_hangs_does_not_keep_the_others_waiting(make, convert):
    transcoder = make(worker=FAKE, workers=2)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(convert, transcoder, b"hang")
        eventually(children)
        assert convert(transcoder, b"abc") == b"ABC"
        transcoder.close()
        with pytest.raises(ConversionFailed, match="The node stops"):
            hanging.result()


def test_after_the_end_nothing_is_converted(make, convert):
    transcoder = make(worker=FAKE)
    transcoder.close()
    with pytest.raises(ConversionFailed, match="The node stops"):
        convert(transcoder, b"abc")


@pytest.mark.parametrize(
    ("data_set", "source", "why"),
    [
        (zlib.compress(bytes(64 * MIB), wbits=-15), DEFLATED, "inflates to more|deflated more"),
        (Image(30000, 30000).compressed(b"\0"), RLE, "larger than what may be converted"),
        (Image(4, 4).compressed(b"\0"), JPEG_LS, "not a JPEG stream"),
        (b"", "1.2.3", "cannot be converted"),
    ],
)
def test_what_cannot_be_converted_is_said_to_be(make, convert, data_set, source, why):
    transcoder = make(maximum_size=16 * MIB)
    with pytest.raises(ConversionFailed, match=why):
        convert(transcoder, data_set or b"\0\0", source)


def test_a_bomb_of_runs_ends_at_the_memory_limit(make, convert):
    """Two bytes become 128: an RLE frame within the maximum, but not within the memory."""
    image = Image(20000, 20000, allocated=8, stored=8)
    bomb = pack("<16I", 1, 64, *([0] * 14)) + b"\x81\0" * 3_200_000
    transcoder = make(workers=1)
    with pytest.raises(ConversionFailed, match="memory_limit"):
        convert(transcoder, image.compressed(bomb))
    good = Image(rows=1, columns=2, allocated=8, stored=8)
    frame = pack("<16I", 1, 64, *([0] * 14)) + b"\1ab"
    assert convert(transcoder, good.compressed(frame)) == good.plain(b"ab")


def test_a_file_that_ends_too_early_is_said_to_be(make, tmp_path: Path):
    short = tmp_path / "short.tar"
    short.write_bytes(b"abc")
    descriptor = os.open(short, os.O_RDONLY)
    try:
        with pytest.raises(ConversionFailed, match="ends inside"):
            make().convert(descriptor, 0, 1 << 20, RLE, EXPLICIT)
    finally:
        os.close(descriptor)
