"""Command sets as bytes (PS3.7 6.3): group 0000 in Implicit VR Little Endian, length first.

A command set is decoded with one walk that copies each value out. The walk is generous where
real peers are sloppy (wrong group length, unknown, retired or repeated elements, elements out of
order) and strict where the stream would be lost (an element that passes the end).
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.status import MISTYPED_ARGUMENT, RESOURCE_LIMITATION

# The largest command set that the standard's elements allow is some 70 kB (an Attribute
# Identifier List of 16,383 tags); real ones are 60 to 300 bytes.
MAX_COMMAND_SET_LENGTH = 65536

_HEADER = Struct("<HHL")
_HEADER_LENGTH = _HEADER.size
_GROUP_LENGTH = Struct("<HHLL")


def decode_command(data: bytes | bytearray | memoryview) -> dict[int, bytes]:
    """Split a whole command set into its values, by tag.

    A repeated element keeps its last value; elements of other groups are left out.
    Raises DimseProtocolError where the set is longer than MAX_COMMAND_SET_LENGTH or an element
    passes its end.
    """
    data = bytes(data)
    end = len(data)
    if end > MAX_COMMAND_SET_LENGTH:
        raise oversized_command_set(end)
    unpack = _HEADER.unpack_from
    values: dict[int, bytes] = {}
    position = 0
    last_header = end - _HEADER_LENGTH
    while position <= last_header:
        group, element, length = unpack(data, position)
        value = position + _HEADER_LENGTH
        following = value + length
        if following > end:
            break
        if group == 0:
            values[element] = data[value:following]
        position = following
    if position != end:
        raise DimseProtocolError(
            f"The command set of {end} bytes is cut short or malformed near byte {position}.",
            status=MISTYPED_ARGUMENT,
        )
    return values


def encode_command(values: Mapping[int, bytes]) -> bytes:
    """A command set from values that are already encoded and padded, by tag (0000,eeee).

    The group length (0000,0000) is computed; one given in `values` is ignored.
    """
    body = b"".join(
        [
            _HEADER.pack(0, tag, len(value)) + value
            for tag, value in sorted(values.items())
            if tag != 0
        ]
    )
    return with_group_length(body)


def with_group_length(body: bytes) -> bytes:
    """The elements of a command set, already joined, behind their group length."""
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def oversized_command_set(length: int) -> DimseProtocolError:
    """The error for a command set of at least `length` bytes."""
    return DimseProtocolError(
        f"The command set has {length} bytes or more; the limit is {MAX_COMMAND_SET_LENGTH}.",
        status=RESOURCE_LIMITATION,
    )
