"""The -k options of a query: from `PatientName=DOE*` to the identifier of a C-FIND-RQ."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from isocenter.dictionary.elements import (
    format_tag,
    implicit_vr,
    lookup_element,
    parse_tag,
    tag_for_keyword,
)
from isocenter.encoding.character_sets import choose_character_set, encode_text
from isocenter.encoding.elements import Elements, RawElement
from isocenter.errors import IsocenterError

SPECIFIC_CHARACTER_SET = 0x00080005
QUERY_RETRIEVE_LEVEL = 0x00080052
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

# What is asked for at each level when the command line names no return keys of its own.
_RETURN_KEYS = {
    "PATIENT": ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    "STUDY": (
        *("PatientName", "PatientID", "StudyDate", "ModalitiesInStudy", "StudyDescription"),
        *("AccessionNumber", "StudyInstanceUID"),
    ),
    "SERIES": (
        *("Modality", "SeriesNumber", "SeriesDescription", "SeriesInstanceUID"),
        "StudyInstanceUID",
    ),
    "IMAGE": (
        *("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"),
        "StudyInstanceUID",
    ),
}

# Values of these VRs are binary (PS3.5 6.2); the identifier goes out in little endian.
_BINARY = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q"}
_BINARY_REAL = {"FL": "<f", "FD": "<d"}
_NO_TEXT = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ"})


class QueryKeyError(IsocenterError, ValueError):
    """A -k that cannot be part of an identifier."""


class Key(NamedTuple):
    """One -k: an attribute, and the value to match or "" to ask for it."""

    tag: int
    vr: str
    value: str

    @property
    def name(self) -> str:
        """The keyword, or the tag where there is none."""
        entry = lookup_element(self.tag)
        return entry.keyword if entry and entry.keyword else format_tag(self.tag)


def parse_key(text: str) -> Key:
    """`PatientName=DOE*`, `0010,0010=DOE*`, `(0010,0010)` or `PatientName`.

    Raises QueryKeyError, or DictionaryError for a name that PS3.6 does not know.
    """
    attribute, _, value = text.partition("=")
    if "." in attribute or "[" in attribute:
        raise QueryKeyError(
            f"-k {attribute}: a path into a sequence is not in this version; "
            "ask for attributes of the top level."
        )
    tag = parse_tag(attribute)
    if tag >> 16 < 0x0008 or tag >> 16 == 0xFFFE or tag & 0xFFFF == 0:
        raise QueryKeyError(f"-k {attribute}: {format_tag(tag)} is not an attribute of a data set.")
    return Key(tag, implicit_vr(tag), value)


def complete_keys(keys: Iterable[Key], level: str | None, default_level: str) -> list[Key]:
    """The keys with the level, and with the usual return keys where none were asked for.

    A key without a value is a wish of its own, and then only what was named is asked for.
    """
    named = {key.tag: key for key in keys}
    given = named.pop(QUERY_RETRIEVE_LEVEL, None)
    level = level or (given.value.strip().upper() if given and given.value else default_level)
    if level not in LEVELS:
        raise QueryKeyError(
            f"{level!r} is not a level of a query; it is one of {', '.join(LEVELS)}."
        )
    if all(key.value for key in named.values()):
        for keyword in _RETURN_KEYS[level]:
            tag = tag_for_keyword(keyword)
            assert tag is not None
            named.setdefault(tag, Key(tag, implicit_vr(tag), ""))
    return [Key(QUERY_RETRIEVE_LEVEL, "CS", level), *named.values()]


def columns(keys: Sequence[Key]) -> list[Key]:
    """The keys whose values a table shows."""
    hidden = (QUERY_RETRIEVE_LEVEL, SPECIFIC_CHARACTER_SET)
    return [key for key in keys if key.tag not in hidden]


def identifier(keys: Sequence[Key]) -> Elements:
    """The data set of the request, in little endian and in a character set that can carry it."""
    wish = next((key.value for key in keys if key.tag == SPECIFIC_CHARACTER_SET), None)
    character_set = choose_character_set((key.value for key in keys), wish)
    elements = {key.tag: RawElement(key.vr, _encoded(key, character_set)) for key in keys}
    if character_set is not None:
        elements[SPECIFIC_CHARACTER_SET] = RawElement("CS", character_set.encode("ascii"))
    return elements


def _encoded(key: Key, character_set: str | None) -> bytes | list[Elements]:
    if not key.value:
        return [] if key.vr == "SQ" else b""
    if key.vr in _NO_TEXT:
        raise QueryKeyError(
            f"-k {key.name}: a value of VR {key.vr} cannot be matched; leave it out."
        )
    try:
        if key.vr in _BINARY:
            return _packed(_BINARY[key.vr], [int(part) for part in key.value.split("\\")])
        if key.vr in _BINARY_REAL:
            return _packed(_BINARY_REAL[key.vr], [float(part) for part in key.value.split("\\")])
        if key.vr == "AT":
            tags = [parse_tag(part) for part in key.value.split("\\")]
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        return encode_text(key.value, character_set, key.vr)
    except (ValueError, OverflowError, struct.error):
        raise QueryKeyError(
            f"-k {key.name}: {key.value!r} is not a value of VR {key.vr}."
        ) from None


def _packed(form: str, numbers: Sequence[int | float]) -> bytes:
    return b"".join(struct.pack(form, number) for number in numbers)
