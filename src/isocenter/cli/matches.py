"""The identifiers that a query brings back, as text for a table and as DICOM JSON."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from typing import Any

from isocenter.cli.query_keys import SPECIFIC_CHARACTER_SET, Key
from isocenter.dictionary.elements import format_tag
from isocenter.encoding.character_sets import decode_text
from isocenter.encoding.elements import Elements, RawElement

_NUMBERS = {
    **{"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q"},
    **{"FL": "f", "FD": "d"},
}


def table_row(match: Elements, keys: Sequence[Key]) -> list[str]:
    """The values of `keys` in a match as text; what is absent is empty."""
    character_set = match.get(SPECIFIC_CHARACTER_SET)
    declared = character_set.value if character_set else None
    declared = declared if isinstance(declared, bytes) else None
    return [_text(match.get(key.tag), declared) for key in keys]


def to_json(match: Elements) -> dict[str, Any]:
    """A match in the DICOM JSON Model (PS3.18 Annex F), all text in Unicode."""
    from io import BytesIO

    from pydicom.filereader import read_dataset

    from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
    from isocenter.encoding.elements import encode_elements

    encoded = encode_elements(match, EXPLICIT_VR_LITTLE_ENDIAN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a peer's odd values are shown, not commented on
        data_set = read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)
        data_set.decode()
        # PS3.18 F.2.1: JSON is UTF-8, whatever the peer's character set was.
        if "SpecificCharacterSet" in data_set:
            data_set.SpecificCharacterSet = "ISO_IR 192"
        model: dict[str, Any] = data_set.to_json_dict(suppress_invalid_tags=True)
    return model


def _text(element: RawElement | None, character_set: bytes | None) -> str:
    if element is None:
        return ""
    vr, value = element
    if isinstance(value, list):
        return f"({len(value)} items)" if value else ""
    if code := _NUMBERS.get(vr):
        count = len(value) // struct.calcsize(f"<{code}")
        numbers = struct.unpack_from(f"<{count}{code}", value)
        return "\\".join(f"{number:g}" if code in "fd" else str(number) for number in numbers)
    if vr == "AT":
        pairs = struct.iter_unpack("<HH", value[: len(value) // 4 * 4])
        return "\\".join(format_tag(group << 16 | element) for group, element in pairs)
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW", "UN") and value:
        return f"({len(value)} bytes)"
    return decode_text(value, character_set, vr)
