"""The seven protocol data units of PS3.8 9.3, as frozen dataclasses that know their bytes.

Every PDU is ``type (1) | reserved (1) | length (4) | variable field``. P-DATA-TF appears here for
tools and tests only: on an association its PDVs stream through `framing` and `sending`, which
never hold one whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple

from isocenter.upperlayer.contexts import ContextResult, ProposedContext
from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.items import (
    MAX_ITEMS,
    Buffer,
    Fields,
    ItemType,
    decode_uid,
    encode_item,
    encode_uid,
    iterate_items,
)
from isocenter.upperlayer.reasons import AbortReason
from isocenter.upperlayer.user_information import UserInformation

__all__ = [
    "PDU",
    "Abort",
    "AssociateAC",
    "AssociateRJ",
    "AssociateRQ",
    "ContextResult",
    "PDUType",
    "PDataTF",
    "PresentationDataValue",
    "ProposedContext",
    "ReleaseRP",
    "ReleaseRQ",
    "UserInformation",
    "check_ae_title",
    "decode_body",
    "decode_pdu",
]

DICOM_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"
PROTOCOL_VERSION: Final = 1

PDU_HEADER: Final = struct.Struct(">BxI")
PDV_HEADER: Final = struct.Struct(">IBB")
_ASSOCIATE_FIXED = struct.Struct(">H2x16s16s32x")
_FIXED_BODY_LENGTH = 4


class PDUType(IntEnum):
    """First byte of a PDU."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


def check_ae_title(title: str) -> str:
    """`title` without its padding; raises `LocalProtocolError` when it is no AE (PS3.5 6.2)."""
    stripped = title.strip(" ")
    if not 1 <= len(stripped) <= 16:
        raise LocalProtocolError(f"The AE title {title!r} must have 1 to 16 characters.")
    if not stripped.isascii() or not stripped.isprintable() or "\\" in stripped:
        raise LocalProtocolError(
            f"The AE title {title!r} may hold printable ASCII characters only, and no backslash."
        )
    return stripped


def encode_ae_title(title: str) -> bytes:
    """16 bytes; lenient, since an A-ASSOCIATE-AC echoes whatever the requestor sent."""
    return title.encode("ascii", "replace")[:16].ljust(16, b" ")


def decode_ae_title(value: bytes) -> str:
    """Without the padding; bytes outside printable ASCII become U+FFFD, which no AE title holds."""
    text = value.decode("ascii", "replace").rstrip("\0").strip(" ")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _encode_pdu(pdu_type: int, body: bytes) -> bytes:
    return PDU_HEADER.pack(pdu_type, len(body)) + body


@dataclass(frozen=True, slots=True)
class AssociateRQ:
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    pdu_type: ClassVar[PDUType] = PDUType.ASSOCIATE_RQ

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[ProposedContext, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = DICOM_APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION

    def encode(self) -> bytes:
        """The PDU; raises `LocalProtocolError` when something does not fit its item."""
        return _encode_associate(self)

    @classmethod
    def decode(cls, body: memoryview) -> AssociateRQ:
        """From the variable field; raises `RemoteProtocolError`.

        Identifiers of presentation contexts are odd and unique (PS3.8 9.3.2.2).
        """
        fixed, items = _decode_associate(body, cls.pdu_type)
        contexts = tuple(
            ProposedContext.decode(value)
            for item_type, value in items
            if item_type == ItemType.PRESENTATION_CONTEXT_RQ
        )
        seen: set[int] = set()
        for context in contexts:
            context_id = context.context_id
            if context_id % 2 == 0 or context_id in seen:
                fault = "twice" if context_id in seen else "but it must be odd"
                raise RemoteProtocolError(f"presentation context {context_id} is proposed, {fault}")
            seen.add(context_id)
        return cls(
            fixed.called,
            fixed.calling,
            contexts,
            _user_information(items),
            _application_context(items),
            fixed.version,
        )


@dataclass(frozen=True, slots=True)
class AssociateAC:
    """A-ASSOCIATE-AC (PS3.8 9.3.3). The AE titles echo the request and are not significant."""

    pdu_type: ClassVar[PDUType] = PDUType.ASSOCIATE_AC

    called_ae_title: str
    calling_ae_title: str
    presentation_contexts: tuple[ContextResult, ...]
    user_information: UserInformation = field(default_factory=UserInformation)
    application_context_name: str = DICOM_APPLICATION_CONTEXT
    protocol_version: int = PROTOCOL_VERSION

    def encode(self) -> bytes:
        """The PDU; raises `LocalProtocolError` when something does not fit its item."""
        return _encode_associate(self)

    @classmethod
    def decode(cls, body: memoryview) -> AssociateAC:
        """From the variable field; raises `RemoteProtocolError`."""
        fixed, items = _decode_associate(body, cls.pdu_type)
        contexts = tuple(
            ContextResult.decode(value)
            for item_type, value in items
            if item_type == ItemType.PRESENTATION_CONTEXT_AC
        )
        return cls(
            fixed.called,
            fixed.calling,
            contexts,
            _user_information(items),
            _application_context(items),
            fixed.version,
        )


class _Fixed(NamedTuple):
    version: int
    called: str
    calling: str


_Items = list[tuple[int, memoryview]]


def _encode_associate(pdu: AssociateRQ | AssociateAC) -> bytes:
    parts = [
        _ASSOCIATE_FIXED.pack(
            pdu.protocol_version,
            encode_ae_title(pdu.called_ae_title),
            encode_ae_title(pdu.calling_ae_title),
        ),
        encode_item(ItemType.APPLICATION_CONTEXT, encode_uid(pdu.application_context_name)),
        *(context.encode() for context in pdu.presentation_contexts),
        pdu.user_information.encode(),
    ]
    return _encode_pdu(pdu.pdu_type, b"".join(parts))


def _decode_associate(body: memoryview, pdu_type: PDUType) -> tuple[_Fixed, _Items]:
    if len(body) < _ASSOCIATE_FIXED.size:
        raise RemoteProtocolError(
            f"an association PDU has {len(body)} bytes; {_ASSOCIATE_FIXED.size} are its least"
        )
    version, called, calling = _ASSOCIATE_FIXED.unpack_from(body)
    where = f"the {pdu_type.name} PDU"
    items = list(iterate_items(body[_ASSOCIATE_FIXED.size :], MAX_ITEMS, where))
    return _Fixed(version, decode_ae_title(called), decode_ae_title(calling)), items


def _application_context(items: _Items) -> str:
    for item_type, value in items:
        if item_type == ItemType.APPLICATION_CONTEXT:
            return decode_uid(value)
    return ""


def _user_information(items: _Items) -> UserInformation:
    for item_type, value in items:
        if item_type == ItemType.USER_INFORMATION:
            return UserInformation.decode(value)
    return UserInformation()


def _fixed_body(body: memoryview, pdu_type: PDUType) -> memoryview:
    if len(body) != _FIXED_BODY_LENGTH:
        raise RemoteProtocolError(f"an {pdu_type.name} PDU has 4 bytes, this one {len(body)}")
    return body


@dataclass(frozen=True, slots=True)
class AssociateRJ:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4); `reasons` names the numbers."""

    pdu_type: ClassVar[PDUType] = PDUType.ASSOCIATE_RJ

    result: int
    source: int
    reason: int

    def encode(self) -> bytes:
        """The PDU."""
        return _encode_pdu(self.pdu_type, bytes((0, self.result, self.source, self.reason)))

    @classmethod
    def decode(cls, body: memoryview) -> AssociateRJ:
        """From the variable field; raises `RemoteProtocolError`."""
        return cls(*_fixed_body(body, cls.pdu_type)[1:])


class PresentationDataValue(NamedTuple):
    """One PDV of a P-DATA-TF (PS3.8 9.3.5.1) with its message control header (Annex E.2)."""

    context_id: int
    is_command: bool
    is_last: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class PDataTF:
    """P-DATA-TF, held whole (PS3.8 9.3.5)."""

    pdu_type: ClassVar[PDUType] = PDUType.P_DATA_TF

    values: tuple[PresentationDataValue, ...]

    def encode(self) -> bytes:
        """The PDU."""
        body = b"".join(
            PDV_HEADER.pack(len(v.data) + 2, v.context_id, v.is_command | v.is_last << 1) + v.data
            for v in self.values
        )
        return _encode_pdu(self.pdu_type, body)

    @classmethod
    def decode(cls, body: memoryview) -> PDataTF:
        """From the variable field; raises `RemoteProtocolError`."""
        fields = Fields(body, "a P-DATA-TF PDU")
        values = []
        while fields.more():
            length, context_id, control = PDV_HEADER.unpack(fields.take(PDV_HEADER.size))
            if length < 2:
                raise RemoteProtocolError(f"a PDV states {length} bytes; its header alone has 2")
            data = bytes(fields.take(length - 2))
            values.append(
                PresentationDataValue(context_id, bool(control & 1), bool(control & 2), data)
            )
        return cls(tuple(values))


@dataclass(frozen=True, slots=True)
class ReleaseRQ:
    """A-RELEASE-RQ (PS3.8 9.3.6)."""

    pdu_type: ClassVar[PDUType] = PDUType.RELEASE_RQ

    def encode(self) -> bytes:
        """The PDU."""
        return _encode_pdu(self.pdu_type, bytes(_FIXED_BODY_LENGTH))

    @classmethod
    def decode(cls, body: memoryview) -> ReleaseRQ:
        """From the variable field; raises `RemoteProtocolError`."""
        _fixed_body(body, cls.pdu_type)
        return cls()


@dataclass(frozen=True, slots=True)
class ReleaseRP:
    """A-RELEASE-RP (PS3.8 9.3.7)."""

    pdu_type: ClassVar[PDUType] = PDUType.RELEASE_RP

    def encode(self) -> bytes:
        """The PDU."""
        return _encode_pdu(self.pdu_type, bytes(_FIXED_BODY_LENGTH))

    @classmethod
    def decode(cls, body: memoryview) -> ReleaseRP:
        """From the variable field; raises `RemoteProtocolError`."""
        _fixed_body(body, cls.pdu_type)
        return cls()


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8); `reasons` names the numbers."""

    pdu_type: ClassVar[PDUType] = PDUType.ABORT

    source: int
    reason: int

    def encode(self) -> bytes:
        """The PDU."""
        return _encode_pdu(self.pdu_type, bytes((0, 0, self.source, self.reason)))

    @classmethod
    def decode(cls, body: memoryview) -> Abort:
        """From the variable field; raises `RemoteProtocolError`."""
        return cls(*_fixed_body(body, cls.pdu_type)[2:])


PDU = AssociateRQ | AssociateAC | AssociateRJ | PDataTF | ReleaseRQ | ReleaseRP | Abort

_PDU_CLASSES: dict[int, type[PDU]] = {
    pdu_class.pdu_type: pdu_class
    for pdu_class in (AssociateRQ, AssociateAC, AssociateRJ, PDataTF, ReleaseRQ, ReleaseRP, Abort)
}


def decode_body(pdu_type: int, body: Buffer) -> PDU:
    """The PDU of this type with this variable field; raises `RemoteProtocolError`."""
    pdu_class = _PDU_CLASSES.get(pdu_type)
    if pdu_class is None:
        raise RemoteProtocolError(
            f"PDU type {pdu_type:02X}H is unknown", AbortReason.UNRECOGNIZED_PDU
        )
    return pdu_class.decode(memoryview(body))


def decode_pdu(data: Buffer) -> PDU:
    """One whole PDU, header included; raises `RemoteProtocolError`."""
    if len(data) < PDU_HEADER.size:
        raise RemoteProtocolError(f"a PDU header has 6 bytes, here are {len(data)}")
    pdu_type, length = PDU_HEADER.unpack_from(data)
    if length != len(data) - PDU_HEADER.size:
        raise RemoteProtocolError(f"a PDU states {length} bytes and has {len(data) - 6}")
    return decode_body(pdu_type, memoryview(data)[PDU_HEADER.size :])
