"""The DIMSE-C messages (PS3.7 9.3): operations on composite instances."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from struct import Struct
from struct import error as StructError  # noqa: N812

from isocenter.dimse.elements import NO_DATA_SET, encode_uid, encode_unsigned_short
from isocenter.dimse.message import Message, Request, Response, command


class Priority(IntEnum):
    """PS3.7 E.1, Priority (0000,0700): note that MEDIUM is zero."""

    MEDIUM = 0x0000
    HIGH = 0x0001
    LOW = 0x0002


@command("C-STORE-RSP", 0x8001)
class CStoreRSP(Response):
    """PS3.7 9.3.1.2: what became of one composite instance."""

    affected_sop_instance_uid: str | None = None
    offending_element: tuple[int, ...] | None = None

    def encode(self) -> bytes:
        """The command set; the plain shape without error details is the archive's hot path."""
        if (
            self.affected_sop_class_uid is None
            or self.affected_sop_instance_uid is None
            or self.offending_element is not None
            or self.error_comment is not None
            or self.has_data_set
        ):
            return Response.encode(self)
        return _encode_plain_store_response(
            self.message_id_being_responded_to,
            self.status,
            self.affected_sop_class_uid,
            self.affected_sop_instance_uid,
        )


# The plain C-STORE-RSP as fixed pieces: everything up to the message ID's value depends on the SOP
# class alone, and between there and the SOP Instance UID only two numbers change.
_GROUP_LENGTH = Struct("<8sL")
_GROUP_LENGTH_HEADER = b"\0\0\0\0\4\0\0\0"
_FROM_MESSAGE_ID = Struct("<H18sH4sL")
_DATA_SET_TYPE_AND_STATUS_HEADER = (
    encode_unsigned_short(0x0800, NO_DATA_SET) + encode_unsigned_short(0x0900, 0)[:8]
)
_SOP_INSTANCE_UID_TAG = b"\0\0\0\x10"


@lru_cache(maxsize=256)
def _store_response_prefix(sop_class_uid: str) -> bytes:
    message_id_header = encode_unsigned_short(0x0120, 0)[:8]
    return (
        encode_uid(0x0002, sop_class_uid)
        + encode_unsigned_short(0x0100, CStoreRSP.command_field)
        + message_id_header
    )


def _encode_plain_store_response(
    message_id: int, status: int, sop_class_uid: str, sop_instance_uid: str
) -> bytes:
    prefix = _store_response_prefix(sop_class_uid)
    uid = sop_instance_uid.encode("ascii")
    if len(uid) & 1:
        uid += b"\0"
    try:
        middle = _FROM_MESSAGE_ID.pack(
            message_id, _DATA_SET_TYPE_AND_STATUS_HEADER, status, _SOP_INSTANCE_UID_TAG, len(uid)
        )
    except StructError as error:
        raise ValueError("message ID and status must be in 0..65535") from error
    length = len(prefix) + len(middle) + len(uid)
    return _GROUP_LENGTH.pack(_GROUP_LENGTH_HEADER, length) + prefix + middle + uid


@command("C-STORE-RQ", 0x0001, response=CStoreRSP)
class CStoreRQ(Request):
    """PS3.7 9.3.1.1: store the composite instance that follows as data set."""

    message_id: int
    affected_sop_class_uid: str
    affected_sop_instance_uid: str
    priority: int = Priority.MEDIUM
    move_originator_application_entity_title: str | None = None
    move_originator_message_id: int | None = None
    has_data_set: bool = True


@command("C-ECHO-RSP", 0x8030)
class CEchoRSP(Response):
    """PS3.7 9.3.5.2: the peer is there and speaks DIMSE."""


@command("C-ECHO-RQ", 0x0030, response=CEchoRSP)
class CEchoRQ(Request):
    """PS3.7 9.3.5.1: are you there?"""

    message_id: int
    affected_sop_class_uid: str
    has_data_set: bool = False


@command("C-FIND-RSP", 0x8020)
class CFindRSP(Response):
    """PS3.7 9.3.2.2: one match (pending, with an identifier) or the end of the matches."""

    offending_element: tuple[int, ...] | None = None


@command("C-FIND-RQ", 0x0020, response=CFindRSP)
class CFindRQ(Request):
    """PS3.7 9.3.2.1: which instances match the identifier that follows?"""

    message_id: int
    affected_sop_class_uid: str
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@command("C-GET-RSP", 0x8010)
class CGetRSP(Response):
    """PS3.7 9.3.3.2: how far the C-STORE sub-operations on this association have come."""

    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    offending_element: tuple[int, ...] | None = None


@command("C-GET-RQ", 0x0010, response=CGetRSP)
class CGetRQ(Request):
    """PS3.7 9.3.3.1: store what matches the identifier back over this association."""

    message_id: int
    affected_sop_class_uid: str
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@command("C-MOVE-RSP", 0x8021)
class CMoveRSP(Response):
    """PS3.7 9.3.4.2: how far the C-STORE sub-operations to the destination have come."""

    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    offending_element: tuple[int, ...] | None = None


@command("C-MOVE-RQ", 0x0021, response=CMoveRSP)
class CMoveRQ(Request):
    """PS3.7 9.3.4.1: store what matches the identifier at the node named `move_destination`."""

    message_id: int
    affected_sop_class_uid: str
    move_destination: str
    priority: int = Priority.MEDIUM
    has_data_set: bool = True


@command("C-CANCEL-RQ", 0x0FFF)
class CCancelRQ(Message):
    """PS3.7 9.3.2.3: stop the C-FIND, C-GET or C-MOVE of that message ID; never answered itself."""

    message_id_being_responded_to: int
    has_data_set: bool = False
