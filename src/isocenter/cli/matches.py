"""The identifiers that a query brings back, as text for a table and as DICOM JSON."""

from __future__ import annotations

import logging
import struct
import warnings
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isocenter.cli.query_keys import SPECIFIC_CHARACTER_SET, Key
from isocenter.dictionary.elements import format_tag
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.character_sets import decode_text
from isocenter.encoding.elements import Elements, RawElement, encode_elements

if TYPE_CHECKING:
    from pydicom import Dataset

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
    """A match in the DICOM JSON Model (PS3.18 Annex F), all text in Unicode.

    A value that is not what its VR demands is given as VR UN, byte for byte.
    """
    from io import BytesIO

    from pydicom.filereader import read_dataset

    encoded = encode_elements(match, EXPLICIT_VR_LITTLE_ENDIAN)
    with _quiet_pydicom():
        data_set = read_dataset(BytesIO(encoded), is_implicit_VR=False, is_little_endian=True)
        model = {f"{tag:08X}": _element_json(data_set, tag, match[tag]) for tag in sorted(match)}
    # PS3.18 F.2.1: JSON is UTF-8, whatever the peer's character set was.
    if f"{SPECIFIC_CHARACTER_SET:08X}" in model:
        model[f"{SPECIFIC_CHARACTER_SET:08X}"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return model


def _element_json(data_set: Dataset, tag: int, raw: RawElement) -> dict[str, Any]:
    from pydicom.charset import decode_element

    try:
        element = data_set[tag]
        if element.VR == "SQ":
            for item in element.value:
                item.decode()
        else:
            decode_element(element, data_set._character_set)
        return element.to_json_dict(None, 0)
    except Exception:  # pydicom raises whatever its converters happen to raise
        value = raw.value if isinstance(raw.value, bytes) else b""
        return (
            {"vr": "UN", "InlineBinary": b64encode(value).decode("ascii")}
            if value
            else {"vr": raw.vr}
        )


@contextmanager
def _quiet_pydicom() -> Iterator[None]:
    """A peer's odd values are shown, not commented on: by warning or log, in another's words."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


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
