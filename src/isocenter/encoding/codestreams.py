"""What a compressed frame says of itself, read before a decoder is let loose on it.

A codestream carries its own width, height and depth. They must be those of the data set: else a
few bytes could ask for gigabytes, or the pixels written would not be what the data set says.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from isocenter.encoding.errors import UndecodablePixelData
from isocenter.encoding.pixel_description import PixelDescription

_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC and SIZ, ISO/IEC 15444-1 A.4, A.5
_SIZ = struct.Struct(">HHIIIIIIIIH")
_JP2_HEADER = 4096  # bytes of JP2 boxes before a codestream that should stand alone (PS3.5 A.4.4)

_SOS, _EOI = 0xDA, b"\xff\xd9"
_NO_FRAME_HEADER = frozenset({0xC4, 0xC8, 0xCC})  # DHT, JPG, DAC lie among SOF0 to SOF15
_APP0, _APP14 = 0xE0, 0xEE


class Codestream(NamedTuple):
    """One frame: `precision` in bits per sample, `signed` where the stream itself says so.

    `ycc` is what a JPEG stream says of its colours: True for YCbCr, False for RGB, None for
    nothing. `start` is where the codestream begins.
    """

    rows: int
    columns: int
    components: int
    precision: int
    signed: bool = False
    ycc: bool | None = None
    start: int = 0

    def check(self, image: PixelDescription) -> None:
        """Raises UndecodablePixelData where the stream is not a frame of `image`."""
        if (self.rows, self.columns) != (image.rows, image.columns):
            raise UndecodablePixelData(
                "A compressed frame has not the size that Rows and Columns say"
            )
        if self.components != image.samples_per_pixel:
            raise UndecodablePixelData("A compressed frame disagrees with Samples per Pixel")
        if self.precision > image.bits_allocated:
            raise UndecodablePixelData("A compressed frame has more bits than Bits Allocated")


def read_jpeg(frame: bytes) -> Codestream:
    """The frame header of a JPEG (ISO/IEC 10918-1 B.2) or JPEG-LS (14495-1 C.2) stream.

    Raises UndecodablePixelData, also where the stream has no end: decoders fill up with grey.
    """
    if frame[:2] != b"\xff\xd8":
        raise UndecodablePixelData("A compressed frame is not a JPEG stream")
    position, found, jfif, adobe = 2, None, False, None
    while position + 4 <= len(frame) and frame[position] == 0xFF:
        marker = frame[position + 1]
        if marker == 0xFF:  # fill bytes may precede a marker
            position += 1
            continue
        segment = frame[
            position + 4 : position + 2 + int.from_bytes(frame[position + 2 : position + 4])
        ]
        if marker == _APP0 and segment.startswith(b"JFIF"):
            jfif = True
        elif marker == _APP14 and segment.startswith(b"Adobe") and len(segment) >= 12:
            adobe = segment[11] != 0
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME_HEADER):
            found = segment
        elif marker == _SOS:
            if frame.find(_EOI, position) < 0:
                raise UndecodablePixelData("A compressed frame is cut off")
            break
        position += 4 + len(segment)
    if found is None or len(found) < 6 or len(found) < 6 + 3 * found[5]:
        raise UndecodablePixelData("A compressed frame has no JPEG frame header")
    precision, rows, columns, components = struct.unpack_from(">BHHB", found)
    ids = found[6 : 6 + 3 * components : 3]
    sampling = set(found[7 : 6 + 3 * components : 3])
    return Codestream(rows, columns, components, precision, ycc=_is_ycc(adobe, ids, jfif, sampling))


def _is_ycc(adobe: bool | None, ids: bytes, jfif: bool, sampling: set[int]) -> bool | None:
    """Colours by the stream's own word: Adobe's marker, component names, JFIF, subsampling."""
    if adobe is not None:
        return adobe
    if ids == b"RGB":
        return False
    return True if jfif or len(sampling) > 1 else None


def read_jpeg2000(frame: bytes) -> Codestream:
    """The SIZ marker segment of a JPEG 2000 or HTJ2K codestream (ISO/IEC 15444-1 A.5.1).

    Some writers leave the boxes of a JP2 file around it; they are passed over.

    Raises UndecodablePixelData.
    """
    start = frame.find(_START_OF_CODESTREAM, 0, _JP2_HEADER)
    if start < 0:
        raise UndecodablePixelData("A compressed frame is not a JPEG 2000 codestream")
    try:
        _, _, right, bottom, left, top, _, _, _, _, components = _SIZ.unpack_from(frame, start + 4)
        each = [struct.unpack_from(">BBB", frame, start + 42 + 3 * n) for n in range(components)]
    except struct.error:
        raise UndecodablePixelData("A compressed frame is cut off") from None
    if not each or len(set(each)) > 1 or each[0][1:] != (1, 1):
        raise UndecodablePixelData("A compressed frame has components of different kinds")
    depth = each[0][0]
    return Codestream(
        bottom - top, right - left, components, (depth & 0x7F) + 1, bool(depth & 0x80), start=start
    )
