"""A composite instance as the validator sees it: raw elements, and looking into them.

The elements are those of `encoding`: bytes as they came. A `Scope` is one data set among those
that it lies in, which is what a condition of PS3.3 speaks of.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from isocenter.encoding.character_sets import CHARACTER_SET_VRS, decode_text
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.value_rules import split_values

SPECIFIC_CHARACTER_SET = 0x00080005

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UN"})

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, Double Float and plain Pixel Data."""

MOST_NUMBERS = 4096
"""Numbers of one element that are looked at."""


class PixelField(NamedTuple):
    """What stands in Pixel Data, whose bytes are never kept."""

    tag: int
    vr: str
    length: int
    """Bytes, of all fragments where it is encapsulated."""
    encapsulated: bool
    fragments: int
    offsets: int
    """Entries of the Basic Offset Table."""


@dataclass(slots=True)
class Instance:
    """A data set that was read, with the facts of its encoding."""

    elements: Elements
    syntax: TransferSyntax = EXPLICIT_VR_LITTLE_ENDIAN
    pixels: PixelField | None = None
    implicit: bool = False
    """Whether the bytes hold no VRs, so that those of the elements are PS3.6's."""
    complete: bool = True
    """False where reading stopped before the end: what is missing may lie behind it."""


class Scope:
    """One data set, the one that its sequence lies in, and so up to the instance."""

    __slots__ = (
        "_items",
        "_values",
        "character_set",
        "elements",
        "little_endian",
        "parent",
        "root",
        "sequence",
    )

    def __init__(
        self,
        elements: Elements,
        parent: Scope | None = None,
        sequence: int = 0,
        *,
        little_endian: bool = True,
    ) -> None:
        self.elements = elements
        self.parent = parent
        self.sequence = sequence
        self.root: Scope = parent.root if parent is not None else self
        self.little_endian: bool = little_endian if parent is None else parent.little_endian
        self._values: dict[int, tuple[str, ...]] = {}
        self._items: dict[int, list[Scope]] = {}
        declared = elements.get(SPECIFIC_CHARACTER_SET)
        if declared is not None and isinstance(declared.value, bytes):
            self.character_set: str | None = declared.value.decode("latin-1").strip(" \0")
        else:
            self.character_set = parent.character_set if parent is not None else None

    def holder(self, tag: int) -> Scope | None:
        """The nearest data set around and including this one that has `tag`."""
        scope: Scope | None = self
        while scope is not None:
            if tag in scope.elements:
                return scope
            scope = scope.parent
        return None

    def has(self, tag: int) -> bool:
        """Whether this very data set has the attribute, empty or not."""
        return tag in self.elements

    def has_value(self, tag: int) -> bool:
        """Whether this very data set has the attribute with a value."""
        element = self.elements.get(tag)
        return element is not None and not is_empty(element)

    def values(self, tag: int) -> tuple[str, ...]:
        """The values as text without padding, numbers in decimal; none for bulk data."""
        known = self._values.get(tag)
        if known is None:
            element = self.elements.get(tag)
            known = () if element is None else tuple(self._decoded(tag, element))
            self._values[tag] = known
        return known

    def value(self, tag: int, number: int = 1) -> str:
        """Value `number`, counted from 1; "" where there is none."""
        values = self.values(tag)
        return values[number - 1] if len(values) >= number else ""

    def integer(self, tag: int) -> int | None:
        """The first value as an integer, None where it is none."""
        text = self.value(tag)
        try:
            return int(text) if len(text) <= 20 else None
        except ValueError:
            return None

    def decimals(self, tag: int) -> list[float]:
        """All values as numbers; empty where one of them is none."""
        try:
            return [float(text) for text in self.values(tag) if len(text) <= 64]
        except ValueError:
            return []

    def items(self, tag: int) -> list[Scope]:
        """The items of a sequence of this data set."""
        known = self._items.get(tag)
        if known is None:
            element = self.elements.get(tag)
            items = element.value if element is not None else b""
            known = [Scope(one, self, tag) for one in items] if isinstance(items, list) else []
            self._items[tag] = known
        return known

    def _decoded(self, tag: int, element: RawElement) -> Iterator[str]:
        vr, value = element
        if vr == "UN":  # PS3.5 6.2.2: what a writer did not know may be known here
            vr = implicit_vr(tag)
        if isinstance(value, list) or vr in _BULK or not value:
            return
        order = "<" if self.little_endian else ">"
        if code := _NUMBERS.get(vr):
            size = struct.calcsize("<" + code)
            count = min(len(value) // size, MOST_NUMBERS)
            numbers = struct.unpack_from(f"{order}{count}{code}", value)
            yield from (repr(n) if code in "fd" else str(n) for n in numbers)
        elif vr == "AT":
            count = min(len(value) // 4, MOST_NUMBERS)
            words = struct.unpack_from(f"{order}{count * 2}H", value)
            yield from (f"{words[n]:04X}{words[n + 1]:04X}" for n in range(0, count * 2, 2))
        elif value.isascii() or vr not in CHARACTER_SET_VRS:
            yield from split_values(vr, value.decode("latin-1"))
        else:
            yield from split_values(vr, decode_text(value, self.character_set, vr))


def is_empty(element: RawElement) -> bool:
    """Whether there is no value: no bytes, no items, or padding alone."""
    value = element.value
    if isinstance(value, list):
        return not value
    return not value or (len(value) <= 64 and not value.strip(b" \0") and element.vr in _TEXT)


_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI"}
) | {"UR", "UT"}
