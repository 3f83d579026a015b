"""All DIMSE messages under one roof, and the way from bytes to a message."""

from __future__ import annotations

from isocenter.dimse.command_set import decode_command
from isocenter.dimse.composite import (
    CCancelRQ,
    CEchoRQ,
    CEchoRSP,
    CFindRQ,
    CFindRSP,
    CGetRQ,
    CGetRSP,
    CMoveRQ,
    CMoveRSP,
    CStoreRQ,
    CStoreRSP,
    Priority,
)
from isocenter.dimse.elements import decode_unsigned_short
from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.message import MESSAGE_CLASSES, Message, Request, Response
from isocenter.dimse.normalized import (
    NActionRQ,
    NActionRSP,
    NCreateRQ,
    NCreateRSP,
    NDeleteRQ,
    NDeleteRSP,
    NEventReportRQ,
    NEventReportRSP,
    NGetRQ,
    NGetRSP,
    NSetRQ,
    NSetRSP,
)
from isocenter.dimse.status import MISTYPED_ARGUMENT, UNRECOGNIZED_OPERATION

__all__ = [
    "MESSAGE_CLASSES",
    "CCancelRQ",
    "CEchoRQ",
    "CEchoRSP",
    "CFindRQ",
    "CFindRSP",
    "CGetRQ",
    "CGetRSP",
    "CMoveRQ",
    "CMoveRSP",
    "CStoreRQ",
    "CStoreRSP",
    "Message",
    "NActionRQ",
    "NActionRSP",
    "NCreateRQ",
    "NCreateRSP",
    "NDeleteRQ",
    "NDeleteRSP",
    "NEventReportRQ",
    "NEventReportRSP",
    "NGetRQ",
    "NGetRSP",
    "NSetRQ",
    "NSetRSP",
    "Priority",
    "Request",
    "Response",
    "decode_message",
]

_COMMAND_FIELD = 0x0100


def decode_message(data: bytes | bytearray | memoryview) -> Message:
    """The message that a whole command set holds (PS3.7 6.3).

    Raises DimseError where a request lacks a mandatory element but can be answered, and
    DimseProtocolError where the bytes cannot be followed: malformed, no or an unknown Command
    Field, a response without its essentials.
    """
    values = decode_command(data)
    try:
        command_field = decode_unsigned_short(values.get(_COMMAND_FIELD, b""))
    except ValueError:
        raise DimseProtocolError(
            "The command set has no usable CommandField (0000,0100).", status=MISTYPED_ARGUMENT
        ) from None
    message_class = MESSAGE_CLASSES.get(command_field)
    if message_class is None:
        raise DimseProtocolError(
            f"The Command Field {command_field:04X} is no operation of PS3.7 E.1.",
            status=UNRECOGNIZED_OPERATION,
        )
    return message_class.from_values(values)
