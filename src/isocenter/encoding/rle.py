"""RLE compression, PS3.5 Annex G: byte planes, each packed as runs."""

from __future__ import annotations

import struct

from isocenter.encoding.errors import UndecodablePixelData

_HEADER = struct.Struct("<16I")
_MOST_SEGMENTS = 15


def decode_rle(frame: bytes, segments: int, length: int) -> list[bytes]:
    """The `segments` byte planes of a frame, each of `length` bytes.

    They come in the order of PS3.5 G.2: by sample, and of each sample the most significant byte
    first. Raises UndecodablePixelData.
    """
    if len(frame) < _HEADER.size:
        raise UndecodablePixelData("An RLE frame is shorter than its header")
    count, *offsets = _HEADER.unpack_from(frame)
    if count != segments or count > _MOST_SEGMENTS:
        raise UndecodablePixelData(f"An RLE frame has {count} segments where {segments} are due")
    ends = [*offsets[1:count], len(frame)]
    return [
        _unpack(frame[start:end], length) for start, end in zip(offsets[:count], ends, strict=True)
    ]


def _unpack(segment: bytes, length: int) -> bytes:
    """Undo the runs of PS3.5 G.3.1; what follows the last due byte is padding."""
    plane = bytearray()
    position, end = 0, len(segment) - 1
    while len(plane) < length and position < end:
        control = segment[position]
        position += 1
        if control < 128:
            plane += segment[position : position + control + 1]
            position += control + 1
        elif control > 128:
            plane += segment[position : position + 1] * (257 - control)
            position += 1
    if len(plane) < length:
        raise UndecodablePixelData("An RLE segment ends too early")
    return bytes(plane[:length])
