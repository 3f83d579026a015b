"""Cuts messages into P-DATA-TF PDUs of one PDV each (PS3.8 9.3.5, Annex E, Annex F)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from isocenter.upperlayer.pdu import PDUType

Buffers = bytes | bytearray | memoryview | Sequence["bytes | bytearray | memoryview"]

_HEADERS = struct.Struct(">BxIIBB")  # of the P-DATA-TF and of its only PDV
_PDV_OVERHEAD = 6
_JOINED_UP_TO = 1024  # bytes that cost less to copy than to send as a buffer of their own
_P_DATA_TF = int(PDUType.P_DATA_TF)


def append_fragments(
    output: list[bytes | memoryview],
    context_id: int,
    control: int,
    data: Buffers,
    maximum_length: int,
    is_last: bool,
) -> None:
    """Append the PDUs that carry `data`: headers as bytes, the payload as views of it.

    `control` is 1 for a command, 0 for a data set; `is_last` flags the final fragment.
    `maximum_length` bounds the variable field of each PDU; fragments have even length.
    """
    last = control | 2 if is_last else control
    room = (maximum_length - _PDV_OVERHEAD) & ~1
    if isinstance(data, (bytes, bytearray, memoryview)):
        if isinstance(data, memoryview):
            data = data.cast("B")
        length = len(data)
        if length <= _JOINED_UP_TO and length <= room:
            header = _HEADERS.pack(_P_DATA_TF, length + 6, length + 2, context_id, last)
            output.append(header + data)
            return
        parts: Sequence[memoryview] = (memoryview(data),)
    else:
        parts = [memoryview(part).cast("B") for part in data if len(part)]
        length = sum(map(len, parts))
    full_header = _HEADERS.pack(_P_DATA_TF, room + 6, room + 2, context_id, control)
    views = _Views(parts)
    while length > room:
        output.append(full_header)
        views.move(room, output)
        length -= room
    output.append(_HEADERS.pack(_P_DATA_TF, length + 6, length + 2, context_id, last))
    views.move(length, output)


class _Views:
    """Takes slices across several buffers without joining them."""

    __slots__ = ("_index", "_offset", "_parts")

    def __init__(self, parts: Sequence[memoryview]) -> None:
        self._parts = parts
        self._index = 0
        self._offset = 0

    def move(self, length: int, output: list[bytes | memoryview]) -> None:
        """Append views of the next `length` bytes."""
        while length:
            part = self._parts[self._index]
            view = part[self._offset : self._offset + length]
            output.append(view)
            length -= len(view)
            self._offset += len(view)
            if self._offset == len(part):
                self._index += 1
                self._offset = 0
