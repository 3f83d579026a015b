"""Keys of a query as people write them: `PatientName=DOE*`, `0010,0020=4711`, and paths into
sequences such as `ScheduledProcedureStepSequence[0].Modality=CT`.

A path names each sequence by tag or keyword, with the number of its item in brackets (from 0, and
0 where it is left out), and ends with the attribute. That is DCMTK's notation.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

from isocenter.dictionary.elements import format_tag, implicit_vr, lookup_element, parse_tag
from isocenter.encoding.character_sets import encode_text
from isocenter.errors import IsocenterError

DEEPEST_PATH = 16  # sequences; PS3.3 nests half as deep
MOST_ITEMS = 100  # of one sequence: whoever writes [4000000] has mistyped

# Values of these VRs are binary (PS3.5 6.2); the identifier goes out in little endian.
_BINARY = {"US": "<H", "SS": "<h", "UL": "<L", "SL": "<l", "UV": "<Q", "SV": "<q"}
_BINARY_REAL = {"FL": "<f", "FD": "<d"}
_NO_TEXT = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN", "SQ"})

# A tag in parentheses has its comma, a tag without them too: neither holds a dot or a bracket.
_STEP = re.compile(r"(?P<attribute>[^.\[\]]+)(?:\[(?P<item>[0-9]{1,9})\])?")


class QueryKeyError(IsocenterError, ValueError):
    """A key that cannot be part of an identifier."""


class Step(NamedTuple):
    """One sequence of a path, and which of its items, counted from 0."""

    sequence: int
    item: int

    def __str__(self) -> str:
        return f"{attribute_name(self.sequence)}[{self.item}]"


class Key(NamedTuple):
    """An attribute, and the value to match or "" to ask for it; `within` leads into sequences.

    `item` is set where an item of a sequence is asked for with nothing in it.
    """

    tag: int
    vr: str
    value: str
    within: tuple[Step, ...] = ()
    item: int | None = None

    @property
    def name(self) -> str:
        """The keyword, or the tag where there is none."""
        return attribute_name(self.tag)

    @property
    def path(self) -> str:
        """The whole path, in the notation that `parse_key` reads."""
        item = "" if self.item is None else f"[{self.item}]"
        return ".".join([*map(str, self.within), self.name + item])


def attribute_name(tag: int) -> str:
    """The keyword, or the tag where there is none."""
    entry = lookup_element(tag)
    return entry.keyword if entry and entry.keyword else format_tag(tag)


def parse_key(text: str) -> Key:
    """`PatientName=DOE*`, `0010,0010=DOE*`, `(0010,0010)`, or a path into a sequence.

    `(0040,0100)[0]` at the end of a path asks for an item of a sequence without naming anything
    in it. Raises QueryKeyError, or DictionaryError for a name that PS3.6 does not know.
    """
    path, _, value = text.partition("=")
    if path.count(".") > DEEPEST_PATH:
        raise QueryKeyError(f"Key {path[:64]}...: a path has at most {DEEPEST_PATH} sequences.")
    *within, (tag, item) = (_step(part, path) for part in path.split("."))
    for sequence in (*(sequence for sequence, _ in within), *(() if item is None else (tag,))):
        if implicit_vr(sequence) != "SQ":
            name = attribute_name(sequence)
            raise QueryKeyError(f"Key {path}: {name} is no sequence, so it has no items.")
    steps = tuple(Step(sequence, number or 0) for sequence, number in within)
    return Key(tag, implicit_vr(tag), value, steps, item)


def _step(text: str, path: str) -> tuple[int, int | None]:
    match = _STEP.fullmatch(text.strip())
    if match is None:
        raise QueryKeyError(
            f"Key {path[:64]!r} is no path; write it as PatientName, 0010,0010 or "
            "ScheduledProcedureStepSequence[0].Modality."
        )
    tag = parse_tag(match["attribute"])
    if tag >> 16 < 0x0008 or tag >> 16 == 0xFFFE or tag & 0xFFFF == 0:
        raise QueryKeyError(f"Key {path}: {format_tag(tag)} is not an attribute of a data set.")
    item = int(match["item"]) if match["item"] else None
    if item is not None and item >= MOST_ITEMS:
        raise QueryKeyError(f"Key {path}: items are counted from 0 to {MOST_ITEMS - 1}.")
    return tag, item


def encode_value(key: Key, character_set: str | None) -> bytes:
    """The value field of a key, in little endian and not padded.

    Raises QueryKeyError where the VR, or the character set, cannot hold the value.
    """
    if not key.value:
        return b""
    if key.vr in _NO_TEXT:
        raise QueryKeyError(
            f"Key {key.path}: a value of VR {key.vr} cannot be matched; leave it out."
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
            f"Key {key.path}: {key.value[:64]!r} is not a value of VR {key.vr}."
        ) from None


def _packed(form: str, numbers: Sequence[int | float]) -> bytes:
    return b"".join(struct.pack(form, number) for number in numbers)
