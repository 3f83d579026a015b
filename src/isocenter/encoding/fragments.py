"""Encapsulated pixel data, PS3.5 A.4: items to fragments, fragments to frames."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from isocenter.encoding.errors import LimitExceeded, TruncatedDataSet, UndecodablePixelData
from isocenter.encoding.forms import ITEM, SEQUENCE_DELIMITATION, UNDEFINED_LENGTH, Buffer

_HEADER = struct.Struct("<HHI")
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51")
"""How a JPEG or JPEG-LS image begins, and a JPEG 2000 codestream."""


class Fragment(NamedTuple):
    """A fragment's place: `item` is where its item header stands, counted from the first one."""

    item: int
    start: int
    length: int


class Fragments(NamedTuple):
    """What encapsulated pixel data consists of; `end` is the position behind its delimiter."""

    offsets: Sequence[int]
    """The Basic Offset Table, which may be empty."""
    fragments: list[Fragment]
    end: int

    def frames(self, count: int, buffer: Buffer, extended: Sequence[int] = ()) -> Sequence[range]:
        """Which fragments, by their number, make up each of `count` frames.

        `extended` is the Extended Offset Table, where there is one. Without any table frames are
        told apart by the way in which an image begins.

        Raises:
            UndecodablePixelData: the fragments cannot be parted into so many frames.
        """
        total = len(self.fragments)
        if count == 1 and total:
            return [range(total)]
        if count == total:
            return [range(number, number + 1) for number in range(total)]
        for table in (extended, self.offsets):
            if len(table) == count and (firsts := self._numbers(table)):
                return _ranges(firsts, total)
        firsts = [n for n in range(total) if self._begins_image(n, buffer)]
        if len(firsts) != count or firsts[0] != 0:
            raise UndecodablePixelData(f"The pixel data cannot be parted into {count} frames")
        return _ranges(firsts, total)

    def bytes_of(self, numbers: range, buffer: Buffer) -> bytes:
        """The fragments with these numbers, joined."""
        places = [self.fragments[number] for number in numbers]
        return b"".join(bytes(buffer[start : start + length]) for _, start, length in places)

    def _numbers(self, offsets: Sequence[int]) -> list[int]:
        """The fragments at these offsets; empty where not all of them are a fragment's."""
        by_item = {fragment.item: number for number, fragment in enumerate(self.fragments)}
        firsts = [by_item.get(offset, -1) for offset in offsets]
        ascending = all(a < b for a, b in pairwise(firsts))
        return firsts if firsts[0] == 0 and ascending else []

    def _begins_image(self, number: int, buffer: Buffer) -> bool:
        start = self.fragments[number].start
        return bytes(buffer[start : start + 4]).startswith(_STARTS)


def read_fragments(buffer: Buffer, position: int, limit: int) -> Fragments:
    """Read the items at `position`, where the value of encapsulated pixel data begins.

    Compressed data is always little endian (PS3.5 A.4). `limit` bounds the number of fragments.

    Raises:
        TruncatedDataSet: the buffer ends before the pixel data does.
        UndecodablePixelData: something else stands where a fragment must.
        LimitExceeded: there are more fragments than `limit`.
    """
    fragments: list[Fragment] = []
    offsets: Sequence[int] | None = None
    first = 0
    while True:
        try:
            group, element, length = _HEADER.unpack_from(buffer, position)
        except struct.error:
            raise TruncatedDataSet("The pixel data is cut off", position) from None
        tag = group << 16 | element
        position += _HEADER.size
        if tag == SEQUENCE_DELIMITATION:
            return Fragments(offsets or (), fragments, position)
        if tag != ITEM or length == UNDEFINED_LENGTH:
            raise UndecodablePixelData("A fragment of pixel data was expected", position - 8)
        if position + length > len(buffer):
            raise TruncatedDataSet("The pixel data is cut off", position)
        if offsets is None:
            offsets = _numbers("I", bytes(buffer[position : position + length]))
            first = position + length
        elif len(fragments) == limit:
            raise LimitExceeded("The pixel data has more fragments than the limit", position)
        else:
            fragments.append(Fragment(position - 8 - first, position, length))
        position += length


def read_extended_offsets(value: bytes) -> Sequence[int]:
    """The numbers of Extended Offset Table (7FE0,0001), PS3.3 C.7.6.3.1.8."""
    return _numbers("Q", value)


def _numbers(typecode: str, value: bytes) -> Sequence[int]:
    numbers = array(typecode)
    numbers.frombytes(value[: len(value) // numbers.itemsize * numbers.itemsize])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _ranges(firsts: Sequence[int], total: int) -> list[range]:
    ends = [*firsts[1:], total]
    return [range(first, end) for first, end in zip(firsts, ends, strict=True)]
