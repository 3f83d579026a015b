"""Command sets (PS3.7 6.3): a message that was understood is one that can be said again."""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from fuzz.target import Target, check_error
from isocenter.dimse.elements import ELEMENTS
from isocenter.dimse.errors import DimseError
from isocenter.dimse.messages import MESSAGE_CLASSES, Message, decode_message

_VALUES: dict[str, Any] = {
    "priority": 0,
    "has_data_set": True,
    "offending_element": (0x00100010,),
    "attribute_identifier_list": (0x00100010, 0x00080018),
}


def one_input(data: bytes) -> None:
    try:
        message = decode_message(data)
    except DimseError as error:
        check_error(error)
        if error.response is not None:
            decode_message(error.response.encode())
        return
    try:
        encoded = message.encode()
    except ValueError:  # an AE title that is longer than any, say
        return
    try:
        again = decode_message(encoded)
    except DimseError as error:  # of padding alone nothing is left, which is no value
        check_error(error)
        return
    assert decode_message(again.encode()) == again


def messages() -> Iterator[Message]:
    """Each message once with its mandatory elements, and once with all."""
    for cls in MESSAGE_CLASSES.values():
        for everything in (False, True):
            yield cls(
                **{
                    field.name: _value(field.name)
                    for field in fields(cls)  # type: ignore[arg-type]
                    if everything or field.default is MISSING
                }
            )


def _value(name: str) -> Any:
    if name in _VALUES:
        return _VALUES[name]
    if name.endswith("_uid"):
        return "1.2.840.10008.1.1"
    if name.endswith(("_title", "_destination", "_comment")):
        return "FUZZER"
    return 1


def seeds() -> Iterator[bytes]:
    for message in messages():
        yield message.encode()


WORDS = (
    *(b"\0\0" + element.tag.to_bytes(2, "little") for element in ELEMENTS.values()),
    *(number.to_bytes(2, "little") for number in MESSAGE_CLASSES),
    b"\x02\0\0\0",
    b"\x01\x01",
)

TARGET = Target("bytes to `decode_message`, and back", one_input, seeds, WORDS, 1024, share=4)
