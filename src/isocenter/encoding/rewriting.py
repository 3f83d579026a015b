"""A data set from one transfer syntax's form to another's, element by element (PS3.5 7.1).

Values keep their bytes; headers change, and with them the lengths of what they lie in. The walk
keeps its own stack, so that depth costs no recursion. What is large is never copied: the result
is a list of parts, of which most are places in the source.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from isocenter.dictionary.elements import implicit_vr
from isocenter.encoding.byte_order import is_swapped, swap_value
from isocenter.encoding.codecs import Codec
from isocenter.encoding.elements import RawElement
from isocenter.encoding.errors import LimitExceeded, MalformedDataSet, TruncatedDataSet
from isocenter.encoding.forms import (
    ITEM,
    ITEM_DELIMITATION,
    LITTLE_ENDIAN_IMPLICIT,
    LONG_VRS,
    PADDED_WITH_SPACE,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    UNDEFINED_LENGTH,
    Buffer,
    Form,
    has_explicit_vr,
    implicit_form,
)
from isocenter.encoding.fragments import read_extended_offsets, read_fragments
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.pixel_data import DecodedPixels
from isocenter.encoding.pixel_description import IMAGE_PIXEL_TAGS, describe_pixels
from isocenter.encoding.undecided_vrs import VR_DECIDERS, decided_vr

EXTENDED_OFFSET_TABLE = 0x7FE00001
_OF_ENCAPSULATION_ONLY = frozenset({EXTENDED_OFFSET_TABLE, 0x7FE00002, 0x7FE00003})
"""Elements that speak of fragments, and mean nothing without them (PS3.3 C.7.6.3)."""

_REMEMBERED = IMAGE_PIXEL_TAGS | VR_DECIDERS
_COPIED_BELOW = 4096
"""Bytes up to which a value is copied rather than kept as a place in the source."""

_KEPT = 1 << 24
"""Bytes kept at most of a value that decides about others; an offset table has 8 per frame."""

_LONGEST_SHORT = 0xFFFF


@dataclass(slots=True)
class _Slot:
    """Where the length of a container is to be written once it is known."""

    part: bytearray
    offset: int
    start: int


@dataclass(slots=True)
class _Level:
    """A data set, or (`is_sequence`) a sequence, that the walk is inside of.

    `end` is None where a delimiter ends it. `kept` are values that decide about other elements;
    `parts` are the parts of the result that hold those of the Image Pixel Module.
    """

    source: Form
    target: Form
    end: int | None
    slot: _Slot | None = None
    is_sequence: bool = False
    kept: dict[int, bytes] = field(default_factory=dict)
    parts: dict[int, bytearray] = field(default_factory=dict)


class Rewriter:
    """One pass over the data set that fills `buffer`; the result is in `parts` and `length`.

    `parts` are bytes, ranges of the buffer, and pixels that are decoded when they are asked for.
    Without a `codec` encapsulated pixel data is an error. `kept` are values that are known ahead.
    """

    def __init__(
        self,
        buffer: Buffer,
        source: Form,
        target: Form,
        codec: Codec | None,
        limits: ScanLimits,
        maximum: int,
        kept: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        self.parts: list[bytearray | range | DecodedPixels] = []
        self.length = 0
        self._buffer = buffer
        self._codec = codec
        self._limits = limits
        self._maximum = maximum
        self._elements_left = limits.max_elements
        self._levels = [_Level(source, target, len(buffer), kept=dict(kept))]

    def run(self, position: int = 0) -> None:
        """Rewrite from `position` on.

        Raises:
            TruncatedDataSet: the buffer ends inside an element.
            MalformedDataSet: something stands where it cannot.
            UndecodablePixelData: the pixel data cannot be decoded.
            LimitExceeded: more elements, depth or bytes than the limits allow.
        """
        while self._levels:
            self._elements_left -= 1
            if self._elements_left < 0:
                raise LimitExceeded(
                    "The data set has more elements than the limit allows", position
                )
            level = self._levels[-1]
            if level.end is not None and position >= level.end:
                self._close(level, position)
            elif level.is_sequence:
                position = self._item(level, position)
            else:
                position = self._element(level, position)
            if self.length > self._maximum:
                raise LimitExceeded("The data set is larger than what may be converted")

    def _close(self, level: _Level, position: int) -> None:
        if position != level.end and level.end is not None:
            raise MalformedDataSet("An element is longer than what it lies in", position)
        self._levels.pop()
        if level.slot is not None:
            part, offset, start = level.slot.part, level.slot.offset, level.slot.start
            length = self.length - start
            if length >= UNDEFINED_LENGTH:
                raise LimitExceeded("A sequence becomes larger than a length can say", position)
            around = self._levels[-1].target
            around.length.pack_into(part, offset, length)

    def _item(self, level: _Level, position: int) -> int:
        word, length = self._unpack(level.source, position)
        tag = level.source.word(word)
        value = position + 8
        if tag == SEQUENCE_DELIMITATION and level.end is None:
            self._write(level.target.tag_and_length.pack(level.target.word(tag), 0))
            self._close(level, value)
            return value
        if tag != ITEM:
            raise MalformedDataSet("An item was expected", position)
        source = level.source
        if not source.implicit_vr and not has_explicit_vr(self._buffer, value):
            source = implicit_form(source)
        end = self._end_of(value, length)
        header = level.target.tag_and_length.pack(level.target.word(ITEM), length)
        self._open(_Level(source, level.target, end), header)
        return value

    def _element(self, level: _Level, position: int) -> int:
        if len(self._levels) == 1 and not any(self._buffer[position : position + 8]):
            return self._padding(position)
        tag, vr, value, length = self._header(level, position)
        if tag == ITEM_DELIMITATION and level.end is None:
            self._write(level.target.tag_and_length.pack(level.target.word(tag), 0))
            self._close(level, value)
            return value
        if tag >> 16 == 0xFFFE:
            raise MalformedDataSet("An item stands outside of any sequence", position)
        if tag == PIXEL_DATA and length == UNDEFINED_LENGTH:
            return self._pixel_data(level, value)
        if length == UNDEFINED_LENGTH or vr == "SQ":
            return self._sequence(level, tag, vr, value, length)
        end = self._end_of(value, length)
        assert end is not None
        if not self._is_dropped(level, tag, value, end):
            self._value(level, tag, vr, value, end)
        return end

    def _padding(self, position: int) -> int:
        """Zeros appended by a sender or a file system: the data set is over."""
        if any(self._buffer[position:]):
            raise MalformedDataSet("Zeros stand where an element must", position)
        return len(self._buffer)

    def _is_dropped(self, level: _Level, tag: int, value: int, end: int) -> bool:
        """Group lengths (PS3.5 7.2, retired) would be wrong; offset tables would be meaningless."""
        if tag & 0xFFFF == 0:
            return True
        if self._codec is None or tag not in _OF_ENCAPSULATION_ONLY:
            return False
        level.kept[tag] = bytes(self._buffer[value : min(end, value + _KEPT)])
        return True

    def _value(self, level: _Level, tag: int, vr: str, value: int, end: int) -> None:
        if level.source.implicit_vr and not level.target.implicit_vr:
            vr = decided_vr(tag, vr, self._decider)
        odd = (end - value) % 2  # which no value may be (PS3.5 7.1.1), but some are
        header = element_header(level.target, tag, vr, end - value + odd)
        swapped = level.source.little_endian != level.target.little_endian and is_swapped(vr)
        if tag in _REMEMBERED:
            level.kept[tag] = self._in_little_endian(level.source, vr, value, end)
        if tag in IMAGE_PIXEL_TAGS:
            self.parts.append(bytearray())
        self._write(header)
        if swapped:
            self._write(swap_value(self._buffer[value:end], vr))
        else:
            self._keep(value, end)
        if odd:
            self._write(b" " if vr in PADDED_WITH_SPACE else b"\0")
        if tag in IMAGE_PIXEL_TAGS and isinstance(part := self.parts[-1], bytearray):
            level.parts[tag] = part
            self.parts.append(bytearray())

    def _sequence(self, level: _Level, tag: int, vr: str, value: int, length: int) -> int:
        source, target = level.source, level.target
        if source.implicit_vr:
            vr = "SQ"
        elif vr == "UN":
            source, target = self._form_in_unknown(value, source), LITTLE_ENDIAN_IMPLICIT
        elif vr != "SQ":
            raise MalformedDataSet(f"A value of VR {vr} has no length", value)
        header = element_header(level.target, tag, vr, length)
        inside = _Level(source, target, self._end_of(value, length), is_sequence=True)
        self._open(inside, header)
        return value

    def _form_in_unknown(self, value: int, around: Form) -> Form:
        """UN without a length is implicit VR little endian (PS3.5 6.2.2), unless it shows not."""
        first = bytes(self._buffer[value : value + 4])
        as_around = around.length.pack(around.item)
        return implicit_form(around) if first == as_around else LITTLE_ENDIAN_IMPLICIT

    def _pixel_data(self, level: _Level, value: int) -> int:
        if self._codec is None:
            raise MalformedDataSet("Compressed pixel data stands where none can be", value)
        found = read_fragments(self._buffer, value, self._elements_left)
        image = describe_pixels(level.kept)
        if image.length > self._maximum:
            raise LimitExceeded("The image is larger than what may be converted")
        offsets = read_extended_offsets(level.kept.get(EXTENDED_OFFSET_TABLE, b""))
        pixels = DecodedPixels(self._codec, image, self._buffer, found, offsets)
        for tag, changed in pixels.changes().items():
            self._change(level, tag, changed)
        vr = "OB" if image.bits_allocated <= 8 else "OW"  # PS3.5 A.2
        self._write(element_header(level.target, PIXEL_DATA, vr, pixels.length))
        self.parts += (pixels, bytearray())
        self.length += pixels.length
        return found.end

    def _change(self, level: _Level, tag: int, changed: RawElement) -> None:
        """Put an element of the Image Pixel Module in place of the one that is there, if any."""
        assert isinstance(changed.value, bytes)
        header = element_header(level.target, tag, changed.vr, len(changed.value))
        part = level.parts.get(tag)
        if part is None:  # behind the element that comes before it; describe_pixels needs some
            part = level.parts[max(earlier for earlier in level.parts if earlier < tag)]
            part += header + changed.value
            self.length += len(header) + len(changed.value)
        else:
            self.length += len(header) + len(changed.value) - len(part)
            part[:] = header + changed.value

    def _header(self, level: _Level, position: int) -> tuple[int, str, int, int]:
        """Tag, VR, start of the value, length."""
        form, buffer = level.source, self._buffer
        word, length = self._unpack(form, position)
        tag = form.word(word)
        if form.implicit_vr or not has_explicit_vr(buffer, position):
            return tag, implicit_vr(tag), position + 8, length
        vr = bytes(buffer[position + 4 : position + 6]).decode("ascii")
        if vr not in LONG_VRS:
            return tag, vr, position + 8, form.header.unpack_from(buffer, position)[2]
        try:
            (length,) = form.length.unpack_from(buffer, position + 8)
        except struct.error:
            raise TruncatedDataSet("The data set ends inside an element", position) from None
        return tag, vr, position + 12, length

    def _unpack(self, form: Form, position: int) -> tuple[int, int]:
        try:
            word, length = form.tag_and_length.unpack_from(self._buffer, position)
        except struct.error:
            raise TruncatedDataSet("The data set ends inside an element", position) from None
        return word, length

    def _end_of(self, value: int, length: int) -> int | None:
        if length == UNDEFINED_LENGTH:
            return None
        if value + length > len(self._buffer):
            raise TruncatedDataSet("The data set ends inside an element", value)
        return value + length

    def _in_little_endian(self, form: Form, vr: str, value: int, end: int) -> bytes:
        kept = bytes(self._buffer[value : min(end, value + _KEPT)])
        if form.little_endian or not is_swapped(vr):
            return kept
        return swap_value(kept, vr)

    def _decider(self, tag: int) -> bytes:
        """The value of `tag` in this data set or in those around it."""
        return next((level.kept[tag] for level in reversed(self._levels) if tag in level.kept), b"")

    def _open(self, level: _Level, header: bytes) -> None:
        if len(self._levels) > 2 * self._limits.max_depth:
            raise LimitExceeded("Sequences are nested deeper than the limit")
        part = self._write(header)
        if level.end is not None:
            level.slot = _Slot(part, len(part) - 4, self.length)
        self._levels.append(level)

    def _write(self, data: bytes) -> bytearray:
        part = self.parts[-1] if self.parts else None
        if not isinstance(part, bytearray):
            part = bytearray()
            self.parts.append(part)
        part += data
        self.length += len(data)
        return part

    def _keep(self, start: int, end: int) -> None:
        """The bytes from `start` to `end` of the source."""
        if end - start <= _COPIED_BELOW:
            self._write(bytes(self._buffer[start:end]))
        else:
            self.parts.append(range(start, end))
            self.length += end - start


def element_header(form: Form, tag: int, vr: str, length: int) -> bytes:
    """The header of a data element (PS3.5 7.1.2, 7.1.3).

    A value that is too long for its VR becomes UN, which is what PS3.5 6.2.2 has for it.
    """
    word = form.word(tag)
    if form.implicit_vr:
        return form.tag_and_length.pack(word, length)
    if vr not in LONG_VRS and length > _LONGEST_SHORT:
        vr = "UN"
    if vr in LONG_VRS:
        return form.length.pack(word) + vr.encode() + b"\0\0" + form.length.pack(length)
    (vr_code,) = form.vr_code.unpack(vr.encode())
    return form.header.pack(word, vr_code, length)
