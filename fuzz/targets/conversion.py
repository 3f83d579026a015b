"""Data sets from one transfer syntax to another, RLE and deflated frames decoded on the way.

The other codecs are foreign code, which runs in processes that may die (`server.transcoder`).
"""

from collections.abc import Iterator
from struct import pack

from fuzz.seeds import DATA_SET_WORDS, data_sets, deflated
from fuzz.target import Target, check_error
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.scanner import scan
from isocenter.encoding.transcoding import TARGETS, Conversion
from tests.encoding.synthetic import element, item, undefined_sequence

_MAXIMUM = 1 << 18
_DEFLATED = "1.2.840.10008.1.2.1.99"
_RLE, _RAW, _DEFLATED_FRAMES = (
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.8.1",
)
_SOURCES = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    _DEFLATED,
    _RLE,
    _RAW,
    _DEFLATED_FRAMES,
)
_WANTED = frozenset({0x00080018, 0x00280010})


def one_input(data: bytes) -> None:
    if not data:
        return
    source = _SOURCES[(data[0] >> 1) % len(_SOURCES)]
    target = TARGETS[data[0] & 1]
    body = deflated(data[1:]) if source == _DEFLATED else data[1:]
    try:
        conversion = Conversion(body, source, target, _MAXIMUM)
        assert conversion.length <= _MAXIMUM
        converted = b"".join(bytes(piece) for piece in conversion)
    except EncodingError as error:
        check_error(error)
        return
    assert len(converted) == conversion.length
    scan(converted, transfer_syntax(target), _WANTED, detect=False)


def _image(frames: list[bytes], bits: int = 8, samples: int = 1, photometric: bytes = b"") -> bytes:
    """A picture of 4 rows and 4 columns."""
    fragments = [item(b""), *(item(frame + bytes(len(frame) % 2)) for frame in frames)]
    return b"".join(
        [
            element(0x00080018, "UI", b"1.2.3.4\0"),
            element(0x00280002, "US", pack("<H", samples)),
            element(0x00280004, "CS", photometric or b"MONOCHROME2 "),
            element(0x00280006, "US", b"\0\0") if samples > 1 else b"",
            element(0x00280008, "IS", b"%-2d" % len(frames)),
            element(0x00280010, "US", pack("<H", 4)),
            element(0x00280011, "US", pack("<H", 4)),
            element(0x00280100, "US", pack("<H", bits)),
            element(0x00280101, "US", pack("<H", bits)),
            element(0x00280102, "US", pack("<H", bits - 1)),
            element(0x00280103, "US", b"\0\0"),
            undefined_sequence(0x7FE00010, fragments, vr="OB"),
        ]
    )


def rle_frame(segments: int) -> bytes:
    """A frame whose segments each are one run of 16 bytes."""
    offsets = [64 + 2 * number for number in range(segments)]
    return pack("<16I", segments, *offsets, *[0] * (15 - segments)) + b"\xf1\x07" * segments


def seeds() -> Iterator[bytes]:
    for number, body in data_sets():
        for way in range(2):
            yield bytes((number << 1 | way,)) + body
    images = {
        _RLE: [
            _image([rle_frame(1)]),
            _image([rle_frame(2)] * 3, bits=16),
            _image([rle_frame(3)], samples=3, photometric=b"YBR_FULL"),
        ],
        _RAW: [_image([bytes(16)]), _image([b"\1\2"] * 2, bits=1)],
        _DEFLATED_FRAMES: [_image([deflated(bytes(16))])],
    }
    for source, found in images.items():
        for image in found:
            yield bytes((_SOURCES.index(source) << 1,)) + image


WORDS = (*DATA_SET_WORDS, b"\x28\x00\x10\x00US", b"\x28\x00\x08\x00IS", b"YBR_FULL_422")
TARGET = Target(
    "data sets of seven transfer syntaxes to `Conversion`", one_input, seeds, WORDS, 2048
)
