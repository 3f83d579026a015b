"""Codestreams that break their standard: decoded, if at all, in a process that may die of it."""

from collections.abc import Iterator
from random import Random
from struct import pack

import pytest

from tests.encoding.images import (
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    RLE,
    Image,
    htj2k,
    jpeg_2000,
    jpeg_lossless,
    jpeg_ls,
    noise,
    rle,
)
from tests.security.attacks.images import stored_and_asked_for
from tests.security.attacks.under_attack import attack
from tests.server.support_nodes import configured
from tests.support.node import Node

pytestmark = attack(20, "codec streams")

IMAGE, PIXELS = Image(rows=40, columns=30), noise(40, 30)
STREAMS = {
    RLE: rle(bytes(1200), bytes(1200)),
    JPEG_LS: jpeg_ls(PIXELS),
    JPEG_LOSSLESS: jpeg_lossless(PIXELS),
    JPEG_2000: jpeg_2000(PIXELS),
    HTJ2K: htj2k(PIXELS),
}


def spoiled(stream: bytes, seed: int) -> bytes:
    """The stream with some bytes changed, some left out, some said twice."""
    chance = Random(seed)
    wrong = bytearray(stream)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(wrong))
        match chance.randrange(3):
            case 0:
                wrong[at] = chance.randrange(256)
            case 1:
                del wrong[at : at + chance.randrange(1, 40)]
            case _:
                wrong[at:at] = wrong[at : at + chance.randrange(1, 40)]
    return bytes(wrong) or b"\0"


def segments(*offsets: int, count: int) -> bytes:
    """An RLE header that says what it likes (PS3.5 G.5)."""
    header = [count, *offsets, *([0] * (15 - len(offsets)))]
    return pack("<16I", *header) + b"\x81\0" * 100


CRAFTED = {
    "segments beyond the end": (RLE, segments(64, 2**32 - 1, count=2)),
    "segments that overlap": (RLE, segments(64, 64, count=2)),
    "a segment inside the header": (RLE, segments(4, 8, count=2)),
    "sixty thousand segments": (RLE, segments(64, count=60_000)),
    "text as JPEG": (JPEG, b"not a JPEG stream at all"),
    "JPEG that only begins": (JPEG, b"\xff\xd8\xff\xe0"),
    "another codec's stream": (JPEG_2000, STREAMS[JPEG_LS]),
    "J2K of four billion columns": (
        JPEG_2000,
        STREAMS[JPEG_2000][:8] + pack(">II", 2**32 - 1, 2**32 - 1) + STREAMS[JPEG_2000][16:],
    ),
}
HONEST = "1.2.3.4.9999"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("codecs")
    toml = '[transcoding]\nmaximum_size = "64 MiB"\nmemory_limit = "512 MiB"\nworkers = 1\n'
    with Node(folder / "data", *configured(folder, toml)) as running:
        yield running


def attacked(node: Node, streams: list[tuple[str, bytes]]) -> set[str]:
    """The UIDs of those that came through, in the order of their numbers; the honest one does."""
    images = {
        f"1.2.3.4.{number}": (syntax, IMAGE.compressed(stream))
        for number, (syntax, stream) in enumerate(streams)
    }
    honest = {HONEST: (JPEG_LS, IMAGE.compressed(STREAMS[JPEG_LS]))}
    sent, failed = stored_and_asked_for(node, images | honest)
    assert HONEST in sent
    assert sent | failed == set(images) | {HONEST}
    return sent - {HONEST}


def test_crafted_streams_cost_their_own_images_only(node: Node):
    assert attacked(node, list(CRAFTED.values())) == set()


def test_spoiled_streams_cost_their_own_images_only(start_node):
    node = start_node()
    attacked(node, [(syntax, spoiled(one, 1)) for syntax, one in STREAMS.items()])


@pytest.mark.slow
def test_a_thousand_spoiled_streams_cost_their_own_images_only(start_node):
    node = start_node()
    streams = list(STREAMS.items())
    attacked(node, [(streams[n % 5][0], spoiled(streams[n % 5][1], n)) for n in range(1000)])
