"""How items and sub-items of the association PDUs are framed (PS3.8 9.3.2-9.3.3).

Every item is ``type (1) | reserved (1) | length (2) | value``. Decoding trusts no length and no
count: an item that passes the end of what holds it raises `RemoteProtocolError`, unknown items
are skipped (PS3.8 9.3.1), and there is a bound on how many items one level may hold.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError

Buffer = bytes | bytearray | memoryview


class ItemType(IntEnum):
    """First byte of an item."""

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT_RQ = 0x20
    PRESENTATION_CONTEXT_AC = 0x21
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    ASYNCHRONOUS_OPERATIONS_WINDOW = 0x53
    ROLE_SELECTION = 0x54
    IMPLEMENTATION_VERSION_NAME = 0x55
    EXTENDED_NEGOTIATION = 0x56
    COMMON_EXTENDED_NEGOTIATION = 0x57
    USER_IDENTITY_RQ = 0x58
    USER_IDENTITY_AC = 0x59


# Far above what real peers send, far below what makes decoding a hostile PDU costly.
MAX_ITEMS: Final = 512
MAX_CONTEXT_ITEMS: Final = 128
MAX_USER_ITEMS: Final = 1024

_ITEM = struct.Struct(">BxH")
_U16 = struct.Struct(">H")


def encode_item(item_type: int, value: bytes) -> bytes:
    """One item around `value`; raises `LocalProtocolError` when 16 bits cannot count it."""
    if len(value) > 0xFFFF:
        raise LocalProtocolError(
            f"The value of item {item_type:02X}H has {len(value)} bytes; an item holds 65535 at "
            "most: negotiate fewer or shorter things."
        )
    return _ITEM.pack(item_type, len(value)) + value


def iterate_items(data: memoryview, limit: int, where: str) -> Iterator[tuple[int, memoryview]]:
    """Yield (item type, value) for at most `limit` items of one level named `where`."""
    position, end = 0, len(data)
    count = 0
    while position < end:
        count += 1
        if count > limit:
            raise RemoteProtocolError(f"{where} holds more than {limit} items")
        if end - position < 4:
            raise RemoteProtocolError(f"{where} ends inside an item header")
        item_type, length = _ITEM.unpack_from(data, position)
        position += 4
        if length > end - position:
            raise RemoteProtocolError(
                f"item {item_type:02X}H of {where} states {length} bytes where {end - position} "
                "are left"
            )
        yield item_type, data[position : position + length]
        position += length


class Fields:
    """Reads the fixed and counted fields of one item; running out is the peer's error."""

    __slots__ = ("_data", "_position", "_where")

    def __init__(self, data: memoryview, where: str) -> None:
        self._data = data
        self._position = 0
        self._where = where

    def take(self, length: int) -> memoryview:
        """The next `length` bytes."""
        start = self._position
        if length > len(self._data) - start:
            raise RemoteProtocolError(
                f"{self._where} needs {length} bytes at offset {start} and has "
                f"{len(self._data) - start}"
            )
        self._position = start + length
        return self._data[start : self._position]

    def u8(self) -> int:
        """An 8-bit number."""
        return self.take(1)[0]

    def u16(self) -> int:
        """A 16-bit number."""
        value: int = _U16.unpack(self.take(2))[0]
        return value

    def counted(self) -> memoryview:
        """A field that begins with its own 16-bit length."""
        return self.take(self.u16())

    def rest(self) -> memoryview:
        """Everything not read yet."""
        return self.take(len(self._data) - self._position)

    def more(self) -> bool:
        """Whether bytes are left."""
        return self._position < len(self._data)


def encode_uid(uid: str) -> bytes:
    """A UID as PS3.8 Annex F wants it in items: no padding.

    A character that is not ASCII (only a hostile peer's UID, echoed) becomes ``?``.
    """
    return uid.encode("ascii", "replace")


def decode_uid(value: Buffer) -> str:
    """A UID; padding that PS3.8 forbids but peers send is stripped, junk becomes U+FFFD."""
    return bytes(value).decode("ascii", "replace").rstrip("\0 ")


def encode_counted(value: bytes, what: str) -> bytes:
    """`value` behind its own 16-bit length; `what` names it when it is too long."""
    if len(value) > 0xFFFF:
        raise LocalProtocolError(f"The {what} has {len(value)} bytes; 65535 are possible.")
    return _U16.pack(len(value)) + value
