"""Rows, columns, frames and bits that cannot be (PS3.3 C.7.6.3), met when an image is converted."""

from collections.abc import Iterator
from struct import pack

import pytest

from tests.encoding.images import JPEG_LS, RLE, Image, jpeg_ls, noise, rle
from tests.encoding.synthetic import element
from tests.security.attacks.images import stored_and_asked_for
from tests.security.attacks.under_attack import attack
from tests.server.support_nodes import configured
from tests.support.node import Node

pytestmark = attack(18, "pixel maths")

FRAME = rle(bytes(63), bytes(63))
ROWS = b"\x28\0\x10\0US\x02\0"


def with_rows_as_ul(data_set: bytes) -> bytes:
    at = data_set.index(ROWS)
    return data_set[:at] + b"\x28\0\x10\0UL\4\0\xff\xff\xff\x7f" + data_set[at + 10 :]


def offsets(*numbers: int) -> bytes:
    return pack(f"<{len(numbers)}I", *numbers)


EXTENDED_TABLE, EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002
LIES = {
    "an overflowing size": Image(65535, 65535, samples=3, planar=0, frames=2**31 - 1).compressed(
        FRAME
    ),
    "a size of 32 bits": with_rows_as_ul(Image(9, 7).compressed(FRAME)),
    "no rows": Image(0, 7).compressed(FRAME),
    "no columns": Image(9, 0).compressed(FRAME),
    "no samples": Image(9, 7, samples=0).compressed(FRAME),
    "no bits": Image(9, 7, stored=0, high_bit=0).compressed(FRAME),
    "too many bits": Image(9, 7, stored=33, high_bit=32).compressed(FRAME),
    "an odd number of bits": Image(9, 7, allocated=7, stored=7).compressed(FRAME),
    "a high bit beyond the stored ones": Image(9, 7, stored=8, high_bit=200).compressed(FRAME),
    "no frames": Image(9, 7, frames=0).compressed(FRAME),
    "fewer frames than fragments": Image(9, 7, frames=1).compressed(FRAME, FRAME, FRAME),
    "more frames than fragments": Image(9, 7, frames=1000).compressed(FRAME),
    "offsets beyond the end": Image(9, 7, frames=2).compressed(
        FRAME, FRAME, table=offsets(0, 2**32 - 2)
    ),
    "offsets that go back": Image(9, 7, frames=2).compressed(FRAME, FRAME, table=offsets(160, 0)),
    "offsets into a fragment": Image(9, 7, frames=2).compressed(FRAME, FRAME, table=offsets(0, 6)),
    "an extended table that lies": Image(9, 7, frames=2).compressed(
        FRAME,
        FRAME,
        before=element(EXTENDED_TABLE, "OV", pack("<2Q", 2**63, 2**64 - 1))
        + element(EXTENDED_LENGTHS, "OV", pack("<2Q", 2**64 - 1, 2**63)),
    ),
    "no fragments": Image(9, 7).compressed(),
}
RIGHT_ANYWAY = {
    "fewer frames than fragments",
    "a high bit beyond the stored ones",
    # With a fragment for each frame no table is believed.
    *(what for what in LIES if what.startswith(("offsets", "an extended table"))),
}
HONEST = "1.2.3.4.100"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("lies")
    toml = '[transcoding]\nmaximum_size = "64 MiB"\nmemory_limit = "512 MiB"\nworkers = 1\n'
    with Node(folder / "data", *configured(folder, toml)) as running:
        yield running


def test_what_an_image_claims_costs_that_image_only(node: Node):
    """The one honest image comes through; each other is either right after all, or named."""
    pixels = noise(9, 7)
    images = {f"1.2.3.4.{number}": (RLE, lie) for number, lie in enumerate(LIES.values(), start=1)}
    honest = {HONEST: (JPEG_LS, Image(9, 7).compressed(jpeg_ls(pixels)))}
    sent, failed = stored_and_asked_for(node, images | honest)
    assert HONEST in sent
    assert sent | failed == set(images) | {HONEST}
    right = {what for what, uid in zip(LIES, images, strict=True) if uid in sent}
    assert right <= RIGHT_ANYWAY
