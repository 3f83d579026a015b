"""Compressed pixel data as the uncompressed value that takes its place (PS3.5 8.1.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from isocenter.encoding.codecs import Codec, raw_frame_size
from isocenter.encoding.elements import RawElement
from isocenter.encoding.errors import LimitExceeded
from isocenter.encoding.forms import UNDEFINED_LENGTH, Buffer
from isocenter.encoding.fragments import Fragments
from isocenter.encoding.pixel_description import (
    HIGH_BIT,
    PHOTOMETRIC_INTERPRETATION,
    PLANAR_CONFIGURATION,
    PixelDescription,
)


class DecodedPixels:
    """Frames that are decoded one by one while they are iterated; `length` is that of them all.

    Raises:
        UndecodablePixelData: the frames cannot be told apart, or (when iterated) not decoded.
        LimitExceeded: more bytes than a data element can hold.
    """

    def __init__(
        self,
        codec: Codec,
        image: PixelDescription,
        buffer: Buffer,
        found: Fragments,
        extended_offsets: Sequence[int],
    ) -> None:
        self._codec = codec
        self._image = image
        self._buffer = buffer
        self._found = found
        self._frames = found.frames(image.frames, buffer, extended_offsets)
        self._described = codec.describe(image, found.bytes_of(self._frames[0], buffer))
        size = -(-self._frame_bits * image.frames // 8)
        self.length = size + size % 2
        if self.length >= UNDEFINED_LENGTH:
            raise LimitExceeded("Uncompressed, the image is too large for a data element")

    def changes(self) -> dict[int, RawElement]:
        """The elements of the Image Pixel Module that are not what they were."""
        old, new = self._image, self._described
        changed: dict[int, RawElement] = {}
        if new.photometric_interpretation != old.photometric_interpretation:
            text = new.photometric_interpretation.encode()
            changed[PHOTOMETRIC_INTERPRETATION] = RawElement("CS", text + b" " * (len(text) % 2))
        if new.planar_configuration != old.planar_configuration:
            changed[PLANAR_CONFIGURATION] = _unsigned_short(new.planar_configuration)
        if new.high_bit != old.high_bit:
            changed[HIGH_BIT] = _unsigned_short(new.high_bit)
        return changed

    def __iter__(self) -> Iterator[bytes]:
        written = 0
        for piece in self._packed() if self._frame_bits % 8 else self._decoded():
            written += len(piece)
            yield piece
        yield bytes(self.length - written)

    @property
    def _frame_bits(self) -> int:
        """Bits of a frame among others; only single bits do not fill their last byte."""
        if self._image.bits_allocated == 1:
            return self._image.frame_bits
        return 8 * raw_frame_size(self._described)

    def _decoded(self) -> Iterator[bytes]:
        for numbers in self._frames:
            yield self._codec.decode(self._image, self._found.bytes_of(numbers, self._buffer))

    def _packed(self) -> Iterator[bytes]:
        """Frames of single bits follow each other without a gap (PS3.5 8.1.1)."""
        pending, count = 0, 0
        for frame in self._decoded():
            bits = int.from_bytes(frame, "little") & ((1 << self._frame_bits) - 1)
            pending |= bits << count
            whole, count = divmod(count + self._frame_bits, 8)
            yield (pending & ((1 << 8 * whole) - 1)).to_bytes(whole, "little")
            pending >>= 8 * whole
        yield pending.to_bytes(-(-count // 8), "little")


def _unsigned_short(number: int) -> RawElement:
    return RawElement("US", number.to_bytes(2, "little"))
