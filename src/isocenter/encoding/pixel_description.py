"""What the Image Pixel Module (PS3.3 C.7.6.3) says of pixel data, as decoders need to know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from isocenter.encoding.errors import MalformedDataSet, UndecodablePixelData

SAMPLES_PER_PIXEL = 0x00280002
PHOTOMETRIC_INTERPRETATION = 0x00280004
PLANAR_CONFIGURATION = 0x00280006
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011
BITS_ALLOCATED = 0x00280100
BITS_STORED = 0x00280101
HIGH_BIT = 0x00280102
PIXEL_REPRESENTATION = 0x00280103

IMAGE_PIXEL_TAGS = frozenset(
    {
        SAMPLES_PER_PIXEL,
        PHOTOMETRIC_INTERPRETATION,
        PLANAR_CONFIGURATION,
        NUMBER_OF_FRAMES,
        ROWS,
        COLUMNS,
        BITS_ALLOCATED,
        BITS_STORED,
        HIGH_BIT,
        PIXEL_REPRESENTATION,
    }
)
"""The elements that describe pixel data; all stand before it in a data set."""


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """One data set's pixel data; numbers have the units and meanings of PS3.3 C.7.6.3.1."""

    samples_per_pixel: int
    photometric_interpretation: str
    planar_configuration: int
    frames: int
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; without padding between frames (PS3.5 8.1.1)."""
        return self.rows * self.columns * self.samples_per_pixel * self.bits_allocated

    @property
    def length(self) -> int:
        """Bytes of all frames uncompressed, padded to an even number (PS3.5 8.1.1)."""
        size = -(-self.frame_bits * self.frames // 8)
        return size + size % 2


def describe_pixels(values: Mapping[int, bytes]) -> PixelDescription:
    """Read the values of `IMAGE_PIXEL_TAGS`, as they stand in a little endian data set.

    Raises:
        UndecodablePixelData: one that is needed is missing, or cannot be.
    """

    def number(tag: int, name: str, default: int | None = None) -> int:
        value = values.get(tag, b"")
        if len(value) >= 2:
            return int.from_bytes(value[:2], "little")
        if default is None:
            raise UndecodablePixelData(f"Compressed pixel data comes without {name}")
        return default

    samples = number(SAMPLES_PER_PIXEL, "Samples per Pixel", 1)
    allocated = number(BITS_ALLOCATED, "Bits Allocated")
    stored = number(BITS_STORED, "Bits Stored", allocated)
    description = PixelDescription(
        samples,
        _text(values.get(PHOTOMETRIC_INTERPRETATION, b"")),
        number(PLANAR_CONFIGURATION, "Planar Configuration", 0),
        _frames(values.get(NUMBER_OF_FRAMES, b"")),
        number(ROWS, "Rows"),
        number(COLUMNS, "Columns"),
        allocated,
        stored,
        number(HIGH_BIT, "High Bit", max(stored - 1, 0)),
        number(PIXEL_REPRESENTATION, "Pixel Representation", 0) == 1,
    )
    if allocated not in (1, 8, 16, 32, 64) or not 1 <= stored <= allocated:
        raise UndecodablePixelData("Bits Allocated and Bits Stored cannot be those of an image")
    if not description.frame_bits:
        raise UndecodablePixelData("Compressed pixel data describes an image without pixels")
    return description


def _text(value: bytes) -> str:
    return value.decode("ascii", "replace").strip(" \0")


def _frames(value: bytes) -> int:
    text = _text(value)
    if not text:
        return 1
    try:
        frames = int(text)
    except ValueError:
        frames = 0
    if not 1 <= frames < 1 << 31:  # an IS, PS3.5 6.2
        raise MalformedDataSet("Number of Frames is no number of frames")
    return frames
