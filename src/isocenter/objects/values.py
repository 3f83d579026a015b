"""VR, multiplicity and form of every element's values: PS3.5 6.2, PS3.6."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from isocenter.dictionary.elements import lookup_element
from isocenter.encoding.elements import RawElement
from isocenter.encoding.value_rules import SINGLE_VALUED_TEXT, check_multiplicity, check_text
from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.instance import PIXEL_TAGS, Scope, is_empty

MOST_VALUES_JUDGED = 2000
"""Values of one element whose form is judged; contours and lookup tables have millions."""

_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8, "AT": 4}
_BULK_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_BULK = frozenset({"OB", "UN", *_BULK_WIDTHS})


class _Known(NamedTuple):
    """What PS3.6 says of a tag."""

    vrs: frozenset[str]
    vm: str
    retired: bool
    registered: bool


@cache
def _known(tag: int) -> _Known:
    entry = lookup_element(tag)
    if entry is None:
        return _Known(frozenset(), "1-n", False, False)
    return _Known(frozenset(entry.vr.split(" or ")), entry.vm, entry.retired, True)


class ValueChecker:
    """Judges the elements of an instance at every depth, whatever their IOD."""

    def __init__(self, findings: Findings, implicit: bool) -> None:
        self.findings = findings
        self.implicit = implicit

    def check(self, scope: Scope, path: Path = ()) -> None:
        """Judge a data set and the items below it."""
        creators = {
            tag & 0xFFFF
            for tag in scope.elements
            if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF
        } if any(tag >> 16 & 1 for tag in scope.elements) else set()  # fmt: skip
        for tag, element in scope.elements.items():
            if tag >> 16 & 1:
                self._private(tag, scope, creators, path)
            else:
                self._standard(tag, element, scope, path)
            if isinstance(element.value, list):
                name = name_of(tag)
                for number, item in enumerate(scope.items(tag), 1):
                    self.check(item, (*path, name, number))

    def _private(self, tag: int, scope: Scope, creators: set[int], path: Path) -> None:
        element = tag & 0xFFFF
        if element > 0xFF and element >> 8 not in creators:
            self._add("private-without-creator", tag, "has no private creator", path)
        elif element > 0xFF:
            block = (tag & 0xFFFF0000) | element >> 8
            if not scope.has_value(block):
                self._add("private-without-creator", tag, "has no private creator", path)

    def _standard(self, tag: int, element: RawElement, scope: Scope, path: Path) -> None:
        known = _known(tag)
        vr = element.vr
        if not known.registered:
            if tag & 0xFFFF:
                self._add("unknown-element", tag, "is not in PS3.6", path)
            return
        if known.retired:
            self._add("retired-element", tag, "is retired", path)
        if not self.implicit and vr not in known.vrs and vr != "UN":
            expected = " or ".join(sorted(known.vrs))
            self._add("vr-differs", tag, f"has VR {vr} where PS3.6 has {expected}", path)
        if tag in PIXEL_TAGS or isinstance(element.value, list):
            return
        if element.value and not is_empty(element):
            self._value(tag, element, known, scope, path)

    def _value(
        self, tag: int, element: RawElement, known: _Known, scope: Scope, path: Path
    ) -> None:
        vr, value = element
        width = _WIDTHS.get(vr)
        if width is not None:
            if len(value) % width:
                self._add("value-length", tag, f"is no multiple of {width} bytes long", path)
            self._count(tag, known.vm, len(value) // width, path)
            return
        if vr in _BULK:
            if len(value) % _BULK_WIDTHS.get(vr, 1):
                self._add(
                    "value-length", tag, f"is no multiple of {_BULK_WIDTHS[vr]} bytes long", path
                )
            return
        if vr == "SQ":
            return
        values = scope.values(tag)
        if vr not in SINGLE_VALUED_TEXT:
            self._count(tag, known.vm, len(values), path)
        for number, one in enumerate(values[:MOST_VALUES_JUDGED], 1):
            if one:
                for kind, clause in check_text(vr, one):
                    which = f"value {number} " if len(values) > 1 else ""
                    self._add(f"value-{kind}", tag, f"{which}{clause}", path)

    def _count(self, tag: int, vm: str, count: int, path: Path) -> None:
        if not check_multiplicity(vm, count):
            self._add("value-multiplicity", tag, f"has {count} values where {vm} may be", path)

    def _add(self, check: str, tag: int, clause: str, path: Path) -> None:
        name = name_of(tag)
        verb = "" if clause.startswith("value ") else " "
        text = f"{name}: {clause}." if not verb else f"{name} {clause}."
        self.findings.add(check, text, path=(*path, name), tag=tag)
