"""Neutral data sets in the DICOM JSON Model (PS3.18 Annex F), to it and from it.

Neutral (`recoding`) means little endian and UTF-8, which is what the model is made for; what comes
from a peer or a file is made neutral first.
"""

from __future__ import annotations

import binascii
import json
import math
import re
import struct
from base64 import b64decode, b64encode
from typing import Any

from isocenter.dictionary.elements import implicit_vr
from isocenter.encoding.character_sets import CHARACTER_SET_VRS, UTF_8
from isocenter.encoding.elements import DEEPEST, Elements, RawElement
from isocenter.encoding.errors import LimitExceeded, MalformedDataSet
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET

JSONModel = dict[str, dict[str, Any]]
"""A data set: attributes by tag as eight hexadecimal digits, each with `vr` and maybe a value."""

_NUMBERS = {
    **{"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q"},
    **{"FL": "<f", "FD": "<d"},
}
_DECIMALS = frozenset({"DS", "IS"})
_ONE_TEXT = frozenset({"LT", "ST", "UR", "UT"})  # a backslash separates nothing in them
_TEXTS = frozenset({"AE", "AS", "CS", "DA", "DT", "LO", "PN", "SH", "TM", "UC", "UI"}) | _ONE_TEXT
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_TAG = re.compile(r"[0-9A-Fa-f]{8}")


def parse_json(text: str | bytes) -> Any:
    """JSON text as Python values. Raises MalformedDataSet."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedDataSet("The text is not JSON") from None


def to_json(elements: Elements) -> JSONModel:
    """A neutral data set as DICOM JSON; with Specific Character Set where text is beyond ASCII.

    What is no value of its VR is kept: a number as the text that it is, binary values that do not
    fit as UN.
    """
    model = _data_set_json(elements)
    if _beyond_ascii(elements):
        character_set = {"vr": "CS", "Value": [UTF_8]}
        model = dict(sorted({f"{SPECIFIC_CHARACTER_SET:08X}": character_set, **model}.items()))
    return model


def from_json(model: object, limits: ScanLimits = DEFAULT_LIMITS) -> Elements:
    """The neutral data set that a DICOM JSON object tells of.

    Raises:
        MalformedDataSet: `model` is no DICOM JSON, or refers to bulk data elsewhere.
        LimitExceeded: more elements or deeper nesting than `limits` allow.
    """
    return _Reader(limits).data_set(model, 0)


def _beyond_ascii(elements: Elements) -> bool:
    return any(
        any(map(_beyond_ascii, value))
        if isinstance(value, list)
        else vr in CHARACTER_SET_VRS and not value.isascii()
        for vr, value in elements.values()
    )


def _data_set_json(elements: Elements) -> JSONModel:
    return {f"{tag:08X}": _attribute_json(elements[tag]) for tag in sorted(elements)}


def _attribute_json(element: RawElement) -> dict[str, Any]:
    vr, value = element
    values: list[Any] | None = []
    if isinstance(value, list):
        values = [_data_set_json(item) for item in value]
    elif vr in _NUMBERS or vr == "AT":
        values = _numbers(value, vr)
        vr = vr if values is not None else "UN"
    elif vr in _TEXTS or vr in _DECIMALS:
        text = _text(value, vr).rstrip(" \0")
        if text:
            values = [text] if vr in _ONE_TEXT else [_value(t, vr) for t in text.split("\\")]
    else:
        vr, values = vr if vr in _BULK else "UN", None
    if values is None and isinstance(value, bytes) and value:
        return {"vr": vr, "InlineBinary": b64encode(value).decode("ascii")}
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _text(value: bytes, vr: str) -> str:
    if vr in CHARACTER_SET_VRS:
        return value.decode("utf-8", "replace")
    return value.decode("ascii", "replace").replace("\ufffd", "?")


def _numbers(value: bytes, vr: str) -> list[Any] | None:
    """The values of a binary VR; None where the bytes are no whole number of them."""
    code = _NUMBERS.get(vr, "<HH")
    if len(value) % struct.calcsize(code):
        return None
    unpacked = struct.iter_unpack(code, value)
    if vr == "AT":
        return [f"{group:04X}{element:04X}" for group, element in unpacked]
    return [n if math.isfinite(n) else str(n).replace("nan", "NaN") for (n,) in unpacked]


def _value(text: str, vr: str) -> Any:
    text = text.strip(" \0")
    if not text:
        return None
    if vr in _DECIMALS:
        return _decimal(text)
    if vr != "PN":
        return text
    groups = zip(_GROUPS, text.split("=", len(_GROUPS) - 1), strict=False)
    return {name: group for name, group in groups if group} or None


def _decimal(text: str) -> int | float | str:
    """A number where nothing of the text is lost by it, the text otherwise (PS3.18 F.2.3)."""
    for convert in (int, float):
        try:
            number = convert(text)
        except ValueError:
            continue
        if str(number) == text and (isinstance(number, int) or math.isfinite(number)):
            return number
    return text


class _Reader:
    """One pass over one model, with what is left of its limits."""

    def __init__(self, limits: ScanLimits) -> None:
        self.elements_left = limits.max_elements
        self.max_depth = min(limits.max_depth, DEEPEST)

    def data_set(self, model: object, depth: int) -> Elements:
        if not isinstance(model, dict):
            raise MalformedDataSet("DICOM JSON has an object where each data set or item stands")
        if depth > self.max_depth:
            raise LimitExceeded("Sequences are nested deeper than the limit")
        elements: Elements = {}
        for name, attribute in model.items():
            self._spend()
            if not _TAG.fullmatch(name):
                raise MalformedDataSet(
                    f"{name[:64]!r} is no tag of DICOM JSON, which are written as 00100010"
                )
            tag = int(name, 16)
            if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET:
                elements[tag] = self._attribute(tag, attribute, depth)
        return elements

    def _attribute(self, tag: int, attribute: object, depth: int) -> RawElement:
        if not isinstance(attribute, dict):
            raise _malformed(tag, "is not an object with a vr")
        if "BulkDataURI" in attribute:
            raise _malformed(tag, "refers to bulk data elsewhere, which is not fetched")
        vr = attribute["vr"] if "vr" in attribute else implicit_vr(tag)
        values = attribute.get("Value", [])
        if not isinstance(values, list):
            raise _malformed(tag, "has a Value that is not an array")
        if vr == "SQ":
            return RawElement(vr, [self._item(item, depth + 1) for item in values])
        try:
            if vr in _BULK:
                inline = _string(attribute.get("InlineBinary", ""))
                return RawElement(vr, b64decode(inline, validate=True))
            return RawElement(vr, _encoded(vr, values))
        except (ValueError, TypeError, OverflowError, struct.error, binascii.Error):
            raise _malformed(tag, "has a value that is none of its vr") from None

    def _item(self, item: object, depth: int) -> Elements:
        self._spend()
        return self.data_set(item, depth)

    def _spend(self) -> None:
        self.elements_left -= 1
        if self.elements_left < 0:
            raise LimitExceeded("The data set has more elements than the limit allows")


def _encoded(vr: object, values: list[Any]) -> bytes:
    """Raises ValueError, TypeError, OverflowError, struct.error."""
    if not isinstance(vr, str):
        raise TypeError
    if (code := _NUMBERS.get(vr)) is not None:
        convert = float if vr in ("FL", "FD") else int
        return b"".join(struct.pack(code, convert(value)) for value in values)
    encoding = "utf-8" if vr in CHARACTER_SET_VRS else "ascii"
    if len(values) == 1 and vr in _TEXTS and isinstance(values[0], str):  # nearly every element
        return values[0].encode(encoding)
    if vr == "AT":
        tags = [int(value, 16) for value in values]
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
    if vr == "PN":
        texts = [_person_name(value) for value in values]
    elif vr in _DECIMALS:
        texts = [_number_text(value) for value in values]
    elif vr in _TEXTS:
        texts = ["" if value is None else _string(value) for value in values]
    else:
        raise ValueError
    # Lone surrogates, which JSON can spell, are an error here (a ValueError).
    return "\\".join(texts).encode(encoding)


def _person_name(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):  # how many programs write it
        return value
    if not isinstance(value, dict):
        raise TypeError
    groups = [_string(value.get(name, "")) for name in _GROUPS]
    while groups and not groups[-1]:
        groups.pop()
    return "=".join(groups)


def _number_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError
    return str(value)


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _malformed(tag: int, what: str) -> MalformedDataSet:
    return MalformedDataSet(f"{tag:08X} {what}")
