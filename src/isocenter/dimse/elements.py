"""The command elements of PS3.7 Annex E.1, and how their values travel.

Every element maps to one attribute name of a message: the element's keyword in snake case. Two
are special: the Command Field is a property of the message's class, and the Command Data Set Type
is the plain question whether a data set follows (`has_data_set`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import Any, NamedTuple

ERROR_COMMENT_LENGTH = 64  # VR LO, PS3.5 6.2
AE_TITLE_LENGTH = 16  # VR AE, PS3.5 6.2

# PS3.7 E.1: 0101H says "no data set"; every other value says that there is one.
NO_DATA_SET = 0x0101
DATA_SET = 0x0001

_HEADER = Struct("<HHL")
_UNSIGNED_SHORT_ELEMENT = Struct("<HHLH")
_UNSIGNED_SHORT = Struct("<H")
_ATTRIBUTE_TAG = Struct("<HH")

ValueDecoder = Callable[[bytes], Any]
ElementEncoder = Callable[[int, Any], bytes]


def encode_unsigned_short(tag: int, value: int) -> bytes:
    """A whole US element. Raises ValueError where the value is not in 0..65535."""
    try:
        return _UNSIGNED_SHORT_ELEMENT.pack(0, tag, 2, value)
    except StructError as error:
        raise ValueError(f"command element 0000,{tag:04X} cannot hold {value!r}") from error


def decode_unsigned_short(value: bytes) -> int:
    """The first two bytes: some peers write 32-bit values. Raises ValueError below two bytes."""
    if len(value) == 2:
        return value[0] | value[1] << 8
    if len(value) < 2:
        raise ValueError("an unsigned short of fewer than two bytes")
    number: int = _UNSIGNED_SHORT.unpack_from(value)[0]
    return number


def encode_uid(tag: int, uid: str) -> bytes:
    """A whole UI element, padded with NUL (PS3.5 9.1). Raises ValueError where not ASCII."""
    value = uid.encode("ascii")
    if len(value) & 1:
        value += b"\0"
    return _HEADER.pack(0, tag, len(value)) + value


def decode_uid(value: bytes) -> str:
    """Without padding, NUL or (wrongly) space. Raises ValueError where not ASCII."""
    return value.rstrip(b"\0 ").decode("ascii")


def encode_ae_title(tag: int, title: str) -> bytes:
    """A whole AE element. Raises ValueError where not ASCII or longer than 16 characters."""
    if len(title) > AE_TITLE_LENGTH:
        raise ValueError(f"an AE title has at most 16 characters, not {len(title)}")
    return _text_element(tag, title.encode("ascii"))


def decode_ae_title(value: bytes) -> str:
    """Without insignificant spaces at both ends. Raises ValueError where not ASCII."""
    return value.strip(b"\0 ").decode("ascii")


def encode_comment(tag: int, text: str) -> bytes:
    """A whole LO element, clipped to 64 characters; what ASCII cannot carry becomes '?'."""
    return _text_element(tag, text[:ERROR_COMMENT_LENGTH].encode("ascii", "replace"))


def decode_comment(value: bytes) -> str:
    """Text for people: whatever the peer's character set, this never fails.

    It may end up on a terminal or in a log, so nothing that they obey is let through.
    """
    text = value.strip(b"\0 ").decode("utf-8", "replace")
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def encode_tags(tag: int, tags: Sequence[int]) -> bytes:
    """A whole AT element of tags 0xGGGGEEEE. Raises ValueError where one is not a tag."""
    try:
        value = b"".join([_ATTRIBUTE_TAG.pack(item >> 16, item & 0xFFFF) for item in tags])
    except StructError as error:
        raise ValueError("an attribute tag must be in 0..0xFFFFFFFF") from error
    return _HEADER.pack(0, tag, len(value)) + value


def decode_tags(value: bytes) -> tuple[int, ...]:
    """All whole tags, as 0xGGGGEEEE; a remainder of one to three bytes is ignored."""
    whole = len(value) & ~3
    return tuple([g << 16 | e for g, e in _ATTRIBUTE_TAG.iter_unpack(value[:whole])])


def encode_data_set_type(tag: int, has_data_set: bool) -> bytes:
    """A whole Command Data Set Type element."""
    return _UNSIGNED_SHORT_ELEMENT.pack(0, tag, 2, DATA_SET if has_data_set else NO_DATA_SET)


def decode_data_set_type(value: bytes) -> bool:
    """Whether a data set follows. Raises ValueError below two bytes."""
    return decode_unsigned_short(value) != NO_DATA_SET


def _text_element(tag: int, value: bytes) -> bytes:
    if len(value) & 1:
        value += b" "
    return _HEADER.pack(0, tag, len(value)) + value


class CommandElement(NamedTuple):
    """One element of PS3.7 Annex E.1: its tag (0000,eeee), keyword and the way of its value."""

    tag: int
    keyword: str
    encode: ElementEncoder
    decode: ValueDecoder


_US = (encode_unsigned_short, decode_unsigned_short)
_UI = (encode_uid, decode_uid)
_AE = (encode_ae_title, decode_ae_title)
_LO = (encode_comment, decode_comment)
_AT = (encode_tags, decode_tags)

ELEMENTS: dict[str, CommandElement] = {
    "affected_sop_class_uid": CommandElement(0x0002, "AffectedSOPClassUID", *_UI),
    "requested_sop_class_uid": CommandElement(0x0003, "RequestedSOPClassUID", *_UI),
    "command_field": CommandElement(0x0100, "CommandField", *_US),
    "message_id": CommandElement(0x0110, "MessageID", *_US),
    "message_id_being_responded_to": CommandElement(0x0120, "MessageIDBeingRespondedTo", *_US),
    "move_destination": CommandElement(0x0600, "MoveDestination", *_AE),
    "priority": CommandElement(0x0700, "Priority", *_US),
    "has_data_set": CommandElement(
        0x0800, "CommandDataSetType", encode_data_set_type, decode_data_set_type
    ),
    "status": CommandElement(0x0900, "Status", *_US),
    "offending_element": CommandElement(0x0901, "OffendingElement", *_AT),
    "error_comment": CommandElement(0x0902, "ErrorComment", *_LO),
    "error_id": CommandElement(0x0903, "ErrorID", *_US),
    "affected_sop_instance_uid": CommandElement(0x1000, "AffectedSOPInstanceUID", *_UI),
    "requested_sop_instance_uid": CommandElement(0x1001, "RequestedSOPInstanceUID", *_UI),
    "event_type_id": CommandElement(0x1002, "EventTypeID", *_US),
    "attribute_identifier_list": CommandElement(0x1005, "AttributeIdentifierList", *_AT),
    "action_type_id": CommandElement(0x1008, "ActionTypeID", *_US),
    "number_of_remaining_suboperations": CommandElement(
        0x1020, "NumberOfRemainingSuboperations", *_US
    ),
    "number_of_completed_suboperations": CommandElement(
        0x1021, "NumberOfCompletedSuboperations", *_US
    ),
    "number_of_failed_suboperations": CommandElement(0x1022, "NumberOfFailedSuboperations", *_US),
    "number_of_warning_suboperations": CommandElement(0x1023, "NumberOfWarningSuboperations", *_US),
    "move_originator_application_entity_title": CommandElement(
        0x1030, "MoveOriginatorApplicationEntityTitle", *_AE
    ),
    "move_originator_message_id": CommandElement(0x1031, "MoveOriginatorMessageID", *_US),
}
