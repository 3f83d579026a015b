"""The identifiers that a query brings back, as text for a table and as DICOM JSON."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from isocenter.dictionary.elements import format_tag
from isocenter.encoding.character_sets import UTF_8, decode_text
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, declared_character_set
from isocenter.services.data_sets import quiet_pydicom, to_dataset
from isocenter.services.query_identifier import find_element
from isocenter.services.query_keys import Key

if TYPE_CHECKING:
    from pydicom import Dataset

_NUMBERS = {
    **{"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q"},
    **{"FL": "f", "FD": "d"},
}


def headings(keys: Sequence[Key]) -> list[str]:
    """What stands above the columns of a table: names, and paths where names are not enough."""
    names = Counter(key.name for key in keys)
    return [key.path if names[key.name] > 1 else key.name for key in keys]


def table_row(match: Elements, keys: Sequence[Key]) -> list[str]:
    """The values of `keys` in a match as text; what is absent is empty."""
    declared = declared_character_set(match)
    return [_text(find_element(match, key), declared) for key in keys]


def to_json(match: Elements) -> dict[str, Any]:
    """A match in the DICOM JSON Model (PS3.18 Annex F), all text in Unicode.

    A value that is not what its VR demands is given as VR UN, byte for byte.
    """
    data_set = to_dataset(match)
    with quiet_pydicom():
        model = {f"{tag:08X}": _element_json(data_set, tag, match[tag]) for tag in sorted(match)}
    # PS3.18 F.2.1: JSON is UTF-8, whatever the peer's character set was.
    if f"{SPECIFIC_CHARACTER_SET:08X}" in model:
        model[f"{SPECIFIC_CHARACTER_SET:08X}"] = {"vr": "CS", "Value": [UTF_8]}
    return model


def _element_json(data_set: Dataset, tag: int, raw: RawElement) -> dict[str, Any]:
    try:
        return data_set[tag].to_json_dict(None, 0)
    except Exception:  # pydicom raises whatever its converters happen to raise
        value = raw.value if isinstance(raw.value, bytes) else b""
        return (
            {"vr": "UN", "InlineBinary": b64encode(value).decode("ascii")}
            if value
            else {"vr": raw.vr}
        )


def _text(element: RawElement | None, character_set: str | None) -> str:
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
