"""A small value as text and back: what a person types in a key, whatever the VR.

Binary numbers become decimal text and tags eight hexadecimal digits, several of them separated by
backslashes like any other values (PS3.5 6.4).
"""

import struct

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.character_sets import CHARACTER_SET_VRS, decode_text, encode_text
from isocenter.encoding.errors import MalformedDataSet

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN", "SQ"})


def value_text(
    value: bytes, vr: str, syntax: TransferSyntax, character_set: bytes | str | None
) -> str:
    """The text of a value field; empty for bulk data and for numbers that do not fit their VR."""
    if vr in _BINARY:
        return ""
    if vr == "AT" and len(value) % 4 == 0:
        order = "<" if syntax.little_endian else ">"
        words = struct.unpack(f"{order}{len(value) // 2}H", value)
        pairs = zip(words[::2], words[1::2], strict=True)
        return "\\".join(f"{group:04X}{element:04X}" for group, element in pairs)
    if (code := _NUMBERS.get(vr)) is None:
        return decode_text(value, character_set, vr)
    size = struct.calcsize("<" + code)
    if len(value) % size:
        return ""
    order = "<" if syntax.little_endian else ">"
    numbers = struct.unpack(f"{order}{len(value) // size}{code}", value)
    return "\\".join(map(str, numbers))


def text_value(text: str, vr: str, syntax: TransferSyntax, character_set: str | None) -> bytes:
    """The value field that holds `text`.

    Characters that the VR cannot have become question marks.

    Raises:
        MalformedDataSet: `text` is no number, or no tag, where the VR needs one.
        UnicodeEncodeError: the character set cannot carry the text.
    """
    if not text or vr in _BINARY:
        return b""
    order = "<" if syntax.little_endian else ">"
    try:
        if vr == "AT":
            tags = [int(part, 16) for part in text.split("\\")]
            words = [word for tag in tags for word in (tag >> 16, tag & 0xFFFF)]
            return struct.pack(f"{order}{len(words)}H", *words)
        if (code := _NUMBERS.get(vr)) is not None:
            number = float if code in "fd" else int
            numbers = [number(part) for part in text.split("\\")]
            return struct.pack(f"{order}{len(numbers)}{code}", *numbers)
    except (ValueError, struct.error):
        raise MalformedDataSet(f"A value of VR {vr} holds text that it cannot hold") from None
    if vr not in CHARACTER_SET_VRS:
        return text.encode("ascii", "replace")
    return encode_text(text, character_set, vr)
