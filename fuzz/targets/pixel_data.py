"""What compressed pixel data is made of: fragments, RLE frames, the headers of codestreams."""

from collections.abc import Iterator
from struct import pack

from fuzz.target import Target, check_error
from fuzz.targets.conversion import rle_frame
from isocenter.encoding.codestreams import read_jpeg, read_jpeg2000
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.fragments import read_extended_offsets, read_fragments
from isocenter.encoding.pixel_description import IMAGE_PIXEL_TAGS, describe_pixels
from isocenter.encoding.rle import decode_rle
from tests.encoding.synthetic import item, undefined_sequence

_FRAGMENTS = 100
_TAGS = sorted(IMAGE_PIXEL_TAGS)


def one_input(data: bytes) -> None:
    if len(data) < 3:
        return
    kind, argument, body = data[0] % 5, data[1], data[2:]
    try:
        (_read_fragments, _read_rle, _read_jpeg, _read_jpeg2000, _read_description)[kind](
            body, argument
        )
    except EncodingError as error:
        check_error(error)


def _read_fragments(body: bytes, count: int) -> None:
    found = read_fragments(body, 0, _FRAGMENTS)
    assert found.end <= len(body)
    assert len(found.fragments) <= _FRAGMENTS
    frames = found.frames(count or 1, body, read_extended_offsets(body[: 8 * (count & 7)]))
    assert len(frames) == (count or 1)
    pixels = sum(len(found.bytes_of(numbers, body)) for numbers in frames)
    assert pixels <= len(body)


def _read_rle(body: bytes, argument: int) -> None:
    length = 1 + argument * 16
    planes = decode_rle(body, 1 + argument % 4, length)
    assert [len(plane) for plane in planes] == [length] * (1 + argument % 4)


def _read_jpeg(body: bytes, _argument: int) -> None:
    found = read_jpeg(body)
    assert 0 <= found.rows <= 0xFFFF
    assert 0 <= found.columns <= 0xFFFF


def _read_jpeg2000(body: bytes, _argument: int) -> None:
    found = read_jpeg2000(body)
    assert 0 <= found.start < len(body)


def _read_description(body: bytes, argument: int) -> None:
    values = {tag: body[8 * n : 8 * n + (argument >> 3 & 7)] for n, tag in enumerate(_TAGS)}
    image = describe_pixels(values)
    assert image.length > 0


def seeds() -> Iterator[bytes]:
    fragments = undefined_sequence(0x7FE00010, [item(pack("<2I", 0, 10)), item(b"ab"), item(b"cd")])
    yield b"\0\2" + fragments[12:]
    yield b"\0\1" + undefined_sequence(0x7FE00010, [item(b""), item(b"\xff\xd8\xff\xd9")])[12:]
    for segments in (1, 2, 3, 4):
        yield bytes((1, segments - 1)) + rle_frame(segments)
    start_of_frame = b"\xff\xc0\x00\x0b\x08\x00\x04\x00\x04\x01\x01\x11\x00"
    jfif, adobe = b"\xff\xe0\0\x07JFIF\0", b"\xff\xee\0\x0eAdobe\0\0\0\0\0\0\1"
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0pixels\xff\xd9"
    for more in (b"", jfif, adobe):
        yield b"\2\0\xff\xd8" + more + start_of_frame + scan
    size = pack(">HHIIIIIIIIH", 41, 0, 4, 4, 0, 0, 4, 4, 0, 0, 1) + b"\7\1\1"
    yield b"\3\0\xff\x4f\xff\x51" + size
    numbers = {0x00280008: b"2", 0x00280004: b"RGB"}
    yield b"\4\x10" + b"".join(numbers.get(tag, b"\x08\0").ljust(8, b"\0") for tag in _TAGS)


WORDS = (b"\xff\xd8", b"\xff\xda", b"\xff\xd9", b"\xff\xc4", b"\xff\x4f\xff\x51", b"Adobe", b"JFIF")
TARGET = Target(
    "bytes to the readers of fragments, RLE, JPEG and JPEG 2000 headers",
    one_input,
    seeds,
    WORDS,
    1024,
    share=4,
)
