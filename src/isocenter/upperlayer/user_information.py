"""The user information item and its sub-items (PS3.8 Annex D, PS3.7 Annex D.3.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.items import (
    MAX_USER_ITEMS,
    Fields,
    ItemType,
    decode_uid,
    encode_counted,
    encode_item,
    encode_uid,
    iterate_items,
)

_U32 = struct.Struct(">I")
_U16_PAIR = struct.Struct(">HH")


@dataclass(frozen=True, slots=True)
class RoleSelection:
    """SCP/SCU role selection (PS3.7 D.3.3.4): the roles of the association *requestor*."""

    sop_class_uid: str
    scu_role: bool
    scp_role: bool

    def encode(self) -> bytes:
        """The sub-item."""
        value = encode_counted(encode_uid(self.sop_class_uid), "SOP class UID of a role selection")
        return encode_item(ItemType.ROLE_SELECTION, value + bytes((self.scu_role, self.scp_role)))

    @classmethod
    def decode(cls, value: memoryview) -> RoleSelection:
        """From the sub-item's value."""
        fields = Fields(value, "a role selection item")
        return cls(decode_uid(fields.counted()), fields.u8() == 1, fields.u8() == 1)


@dataclass(frozen=True, slots=True)
class ExtendedNegotiation:
    """SOP class extended negotiation (PS3.7 D.3.3.5); the service class defines `information`."""

    sop_class_uid: str
    information: bytes

    def encode(self) -> bytes:
        """The sub-item."""
        value = encode_counted(encode_uid(self.sop_class_uid), "SOP class UID")
        return encode_item(ItemType.EXTENDED_NEGOTIATION, value + self.information)

    @classmethod
    def decode(cls, value: memoryview) -> ExtendedNegotiation:
        """From the sub-item's value."""
        fields = Fields(value, "an extended negotiation item")
        return cls(decode_uid(fields.counted()), bytes(fields.rest()))


@dataclass(frozen=True, slots=True)
class CommonExtendedNegotiation:
    """SOP class common extended negotiation (PS3.7 D.3.3.6), sent by requestors only."""

    sop_class_uid: str
    service_class_uid: str
    related_general_sop_classes: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The sub-item; its second byte is the sub-item version 0."""
        related = b"".join(
            encode_counted(encode_uid(uid), "related general SOP class UID")
            for uid in self.related_general_sop_classes
        )
        value = encode_counted(encode_uid(self.sop_class_uid), "SOP class UID")
        value += encode_counted(encode_uid(self.service_class_uid), "service class UID")
        value += encode_counted(related, "list of related general SOP classes")
        return encode_item(ItemType.COMMON_EXTENDED_NEGOTIATION, value)

    @classmethod
    def decode(cls, value: memoryview) -> CommonExtendedNegotiation:
        """From the sub-item's value; fields of later versions behind it are ignored."""
        fields = Fields(value, "a common extended negotiation item")
        sop_class_uid = decode_uid(fields.counted())
        service_class_uid = decode_uid(fields.counted())
        list_fields = Fields(fields.counted(), "a list of related general SOP classes")
        related = []
        while list_fields.more():
            related.append(decode_uid(list_fields.counted()))
            if len(related) > MAX_USER_ITEMS:
                raise RemoteProtocolError(
                    f"a common extended negotiation item lists more than {MAX_USER_ITEMS} classes"
                )
        return cls(sop_class_uid, service_class_uid, tuple(related))


class UserIdentityType(IntEnum):
    """How a user identifies (PS3.7 D.3.3.7.1)."""

    USERNAME = 1
    USERNAME_AND_PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """User identity of an A-ASSOCIATE-RQ (PS3.7 D.3.3.7.1).

    The fields are secrets: they stay out of `repr`, hence out of logs.
    """

    identity_type: int
    primary_field: bytes
    secondary_field: bytes = b""
    positive_response_requested: bool = False

    def __repr__(self) -> str:
        """The kind of identity only."""
        return f"UserIdentity(identity_type={self.identity_type})"

    def encode(self) -> bytes:
        """The sub-item."""
        value = bytes((self.identity_type, self.positive_response_requested))
        value += encode_counted(self.primary_field, "primary field of the user identity")
        value += encode_counted(self.secondary_field, "secondary field of the user identity")
        return encode_item(ItemType.USER_IDENTITY_RQ, value)

    @classmethod
    def decode(cls, value: memoryview) -> UserIdentity:
        """From the sub-item's value."""
        fields = Fields(value, "a user identity item")
        identity_type = fields.u8()
        positive_response_requested = fields.u8() == 1
        primary_field = bytes(fields.counted())
        return cls(
            identity_type, primary_field, bytes(fields.counted()), positive_response_requested
        )


@dataclass(frozen=True, slots=True)
class UserInformation:
    """What the two sides tell each other about themselves in A-ASSOCIATE-RQ and -AC.

    `maximum_length`: bytes of a P-DATA-TF's variable field the sender is ready to receive, 0 for
    no limit (PS3.8 D.1). `asynchronous_operations_window`: (invoked, performed), 0 for no limit
    (PS3.7 D.3.3.3). `user_identity` belongs to requests, `user_identity_response` to answers.
    """

    maximum_length: int = 0
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    asynchronous_operations_window: tuple[int, int] | None = None
    role_selections: tuple[RoleSelection, ...] = ()
    extended_negotiations: tuple[ExtendedNegotiation, ...] = ()
    common_extended_negotiations: tuple[CommonExtendedNegotiation, ...] = ()
    user_identity: UserIdentity | None = None
    user_identity_response: bytes | None = field(default=None, repr=False)

    def encode(self) -> bytes:
        """The item with its sub-items in ascending order of type, as PS3.7 D.3.3 lists them."""
        parts = [
            encode_item(ItemType.MAXIMUM_LENGTH, _U32.pack(self.maximum_length)),
            encode_item(
                ItemType.IMPLEMENTATION_CLASS_UID, encode_uid(self.implementation_class_uid)
            ),
        ]
        if self.asynchronous_operations_window is not None:
            window = _U16_PAIR.pack(*self.asynchronous_operations_window)
            parts.append(encode_item(ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW, window))
        parts += [item.encode() for item in self.role_selections]
        if self.implementation_version_name:
            name = _encode_version_name(self.implementation_version_name)
            parts.append(encode_item(ItemType.IMPLEMENTATION_VERSION_NAME, name))
        parts += [item.encode() for item in self.extended_negotiations]
        parts += [item.encode() for item in self.common_extended_negotiations]
        if self.user_identity is not None:
            parts.append(self.user_identity.encode())
        if self.user_identity_response is not None:
            response = encode_counted(self.user_identity_response, "user identity response")
            parts.append(encode_item(ItemType.USER_IDENTITY_AC, response))
        return encode_item(ItemType.USER_INFORMATION, b"".join(parts))

    @classmethod
    def decode(cls, value: memoryview) -> UserInformation:
        """From the item's value; of a sub-item that may occur once, the last one counts."""
        single: dict[str, Any] = {}
        roles: list[RoleSelection] = []
        extended: list[ExtendedNegotiation] = []
        common: list[CommonExtendedNegotiation] = []
        for item_type, item in iterate_items(value, MAX_USER_ITEMS, "the user information item"):
            if item_type == ItemType.ROLE_SELECTION:
                roles.append(RoleSelection.decode(item))
            elif item_type == ItemType.EXTENDED_NEGOTIATION:
                extended.append(ExtendedNegotiation.decode(item))
            elif item_type == ItemType.COMMON_EXTENDED_NEGOTIATION:
                common.append(CommonExtendedNegotiation.decode(item))
            elif item_type in _SINGLE_ITEMS:
                name, decode = _SINGLE_ITEMS[item_type]
                single[name] = decode(item)
        return cls(
            role_selections=tuple(roles),
            extended_negotiations=tuple(extended),
            common_extended_negotiations=tuple(common),
            **single,
        )


def _encode_version_name(name: str) -> bytes:
    if len(name) > 16:
        raise LocalProtocolError(
            f"The implementation version name {name!r} is longer than 16 characters."
        )
    return name.encode("ascii", "replace")


def _decode_maximum_length(value: memoryview) -> int:
    if len(value) != 4:
        raise RemoteProtocolError(f"the maximum length item holds {len(value)} bytes instead of 4")
    length: int = _U32.unpack(value)[0]
    return length


def _decode_window(value: memoryview) -> tuple[int, int]:
    fields = Fields(value, "the asynchronous operations window item")
    return fields.u16(), fields.u16()


def _decode_identity_response(value: memoryview) -> bytes:
    return bytes(Fields(value, "the user identity response item").counted())


_SINGLE_ITEMS: dict[int, tuple[str, Callable[[memoryview], object]]] = {
    ItemType.MAXIMUM_LENGTH: ("maximum_length", _decode_maximum_length),
    ItemType.IMPLEMENTATION_CLASS_UID: ("implementation_class_uid", decode_uid),
    ItemType.IMPLEMENTATION_VERSION_NAME: ("implementation_version_name", decode_uid),
    ItemType.ASYNCHRONOUS_OPERATIONS_WINDOW: ("asynchronous_operations_window", _decode_window),
    ItemType.USER_IDENTITY_RQ: ("user_identity", UserIdentity.decode),
    ItemType.USER_IDENTITY_AC: ("user_identity_response", _decode_identity_response),
}
