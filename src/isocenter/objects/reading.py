"""Reading an instance for judgement: bounded like all reading here, and going on after faults.

What other readers refuse is what a validator must tell of. So a fault becomes a finding, and
reading goes on where that can be done without guessing; bulk data is passed over, never kept.
"""

from __future__ import annotations

import struct
from typing import NamedTuple, NoReturn

from isocenter.dictionary.elements import format_tag, implicit_vr
from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.elements import DEEPEST, Elements, RawElement
from isocenter.encoding.errors import EncodingError, LimitExceeded
from isocenter.encoding.forms import (
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Buffer,
    Form,
    detect_form,
    form_of,
    has_explicit_vr,
    implicit_form,
)
from isocenter.encoding.fragments import Fragments, read_fragments
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.instance import PIXEL_TAGS, Instance, PixelField

LONGEST_KEPT = 1 << 20
"""Bytes of one value that are kept; of a longer one its beginning."""

MOST_KEPT = 64 << 20
"""Bytes of all values together; values beyond it count as present and are not looked at."""

MOST_FRAGMENTS = 1_000_000

_KNOWN_VRS = LONG_VRS | SHORT_VRS
_NOT_IN_DATA_SET = 0xFFFE


class _Stopped(Exception):
    """Reading cannot go on; a finding says why."""


def read_elements(
    buffer: Buffer,
    syntax: TransferSyntax,
    findings: Findings,
    limits: ScanLimits = DEFAULT_LIMITS,
) -> Instance:
    """The data set that fills `buffer`, as far as it can be read. Never raises for what it finds.

    `syntax` must not be deflated: inflate first.
    """
    stated = form_of(syntax)
    form = detect_form(buffer, 0, stated)
    if form.implicit_vr != stated.implicit_vr and len(buffer) >= 8:
        findings.add(
            "wrong-form",
            f"The data set has {'implicit' if form.implicit_vr else 'explicit'} VRs, though its "
            "transfer syntax says otherwise.",
        )
    reader = _Reader(buffer, findings, limits)
    elements: Elements = {}
    try:
        reader.data_set(elements, 0, len(buffer), form, ())
        complete = True
    except _Stopped:
        complete = False
    return Instance(elements, syntax, reader.pixels, form.implicit_vr, complete)


class _Header(NamedTuple):
    tag: int
    vr: str
    value: int
    length: int
    explicit: bool


class _Reader:
    """One pass over one buffer, with what is left of its limits."""

    def __init__(self, buffer: Buffer, findings: Findings, limits: ScanLimits) -> None:
        self.buffer = buffer
        self.findings = findings
        self.elements_left = limits.max_elements
        self.bytes_left = MOST_KEPT
        self.max_depth = min(limits.max_depth, DEEPEST)
        self.pixels: PixelField | None = None

    def data_set(
        self, elements: Elements, position: int, end: int | None, form: Form, path: Path
    ) -> int:
        """Read elements up to `end`, or an Item Delimitation Item; return where they end."""
        last = -1
        size = len(self.buffer)
        while end is None or position < end:
            if end is not None and end == size and self._is_padding(position, path):
                return end
            self._spend(path)
            header = self._header(position, form, path)
            tag = header.tag
            if tag >> 16 == _NOT_IN_DATA_SET:
                if form.word(tag) == form.item_end and end is None:
                    return header.value
                self._stop(
                    "malformed", "An item or delimiter stands outside of any sequence.", path
                )
            if tag <= last:
                self._order(tag, tag in elements, path)
            last = max(tag, last)
            if header.explicit and header.vr not in _KNOWN_VRS:
                self._add("vr-unknown", tag, "has a VR that PS3.5 does not have", path)
            position = self._element(elements, header, form, path)
        if position != end:
            self._stop("malformed", "An element is longer than the item that it lies in.", path)
        return position

    def _element(self, elements: Elements, header: _Header, form: Form, path: Path) -> int:
        tag, vr, value, length, _ = header
        if tag in PIXEL_TAGS and length == UNDEFINED_LENGTH:
            return self._encapsulated(elements, tag, vr, value, path)
        if length == UNDEFINED_LENGTH or vr == "SQ":
            items: list[Elements] = []
            elements[tag] = RawElement("SQ", items)
            return self._sequence(items, tag, vr, value, length, form, path)
        if value + length > len(self.buffer):
            self._stop("truncated", f"The file ends inside {name_of(tag)} {format_tag(tag)}.", path)
        if length % 2:
            self._add("odd-length", tag, f"has {length} bytes, an odd number", path)
        if tag in PIXEL_TAGS:
            if not path:
                self.pixels = PixelField(tag, vr, length, False, 0, 0)
            elements[tag] = RawElement(vr, b"\0" if length else b"")
            return value + length
        if tag & 0xFFFF == 0 and tag >> 16 > 2:
            self._add("group-length", tag, "is a group length, which is retired", path)
        elements[tag] = RawElement(vr, self._value(value, length))
        return value + length

    def _value(self, value: int, length: int) -> bytes:
        kept = min(length, LONGEST_KEPT, self.bytes_left)
        self.bytes_left -= kept
        if length and not kept:
            return b"\0"
        return bytes(self.buffer[value : value + kept])

    def _header(self, position: int, form: Form, path: Path) -> _Header:
        buffer = self.buffer
        try:
            word, length = form.tag_and_length.unpack_from(buffer, position)
            tag = form.word(word)
            if form.implicit_vr or tag >> 16 == _NOT_IN_DATA_SET:
                return _Header(tag, implicit_vr(tag), position + 8, length, False)
            if not has_explicit_vr(buffer, position):
                self._add("vr-unknown", tag, "has no VR where one must stand", path)
                return _Header(tag, implicit_vr(tag), position + 8, length, False)
            vr = bytes(buffer[position + 4 : position + 6]).decode("ascii", "replace")
            if vr in LONG_VRS:
                (length,) = form.length.unpack_from(buffer, position + 8)
                return _Header(tag, vr, position + 12, length, True)
            return _Header(
                tag, vr, position + 8, form.header.unpack_from(buffer, position)[2], True
            )
        except struct.error:
            self._stop("truncated", "The file ends inside the header of an element.", path)

    def _sequence(
        self,
        items: list[Elements],
        tag: int,
        vr: str,
        value: int,
        length: int,
        form: Form,
        path: Path,
    ) -> int:
        name = name_of(tag)
        if len(path) >= 2 * self.max_depth:
            self._stop("too-large", "Sequences are nested deeper than any object needs.", path)
        if vr not in ("SQ", "UN") and not form.implicit_vr:
            self._stop("malformed", f"{name} has VR {vr} and no length.", path)
        inside = implicit_form(form) if vr == "UN" and length == UNDEFINED_LENGTH else form
        end = None if length == UNDEFINED_LENGTH else value + length
        if end is not None and end > len(self.buffer):
            self._stop("truncated", f"The file ends inside {name} {format_tag(tag)}.", path)
        position = value
        while end is None or position < end:
            self._spend(path)
            try:
                word, size = inside.tag_and_length.unpack_from(self.buffer, position)
            except struct.error:
                self._stop("truncated", f"The file ends inside {name} {format_tag(tag)}.", path)
            position += 8
            if word == inside.sequence_end and end is None:
                return position
            if word != inside.item:
                self._stop("malformed", f"Something else stands where {name} needs an item.", path)
            own = inside
            if not own.implicit_vr and not has_explicit_vr(self.buffer, position) and size:
                own = implicit_form(own)
            item: Elements = {}
            items.append(item)
            item_end = None if size == UNDEFINED_LENGTH else position + size
            if item_end is not None and item_end > len(self.buffer):
                self._stop("truncated", f"The file ends inside an item of {name}.", path)
            position = self.data_set(item, position, item_end, own, (*path, name, len(items)))
        if position != end:
            self._stop("malformed", f"An item of {name} is longer than the sequence.", path)
        return position

    def _encapsulated(self, elements: Elements, tag: int, vr: str, value: int, path: Path) -> int:
        try:
            fragments: Fragments = read_fragments(self.buffer, value, MOST_FRAGMENTS)
        except LimitExceeded:
            self._stop("too-large", "Pixel Data has more fragments than any object needs.", path)
        except EncodingError:
            if not path:
                self.pixels = PixelField(tag, vr, 0, True, 0, 0)
            elements[tag] = RawElement(vr, b"\0")
            self._stop("truncated", "The fragments of Pixel Data are cut off or malformed.", path)
        length = sum(fragment.length for fragment in fragments.fragments)
        count = len(fragments.fragments)
        if not path:
            self.pixels = PixelField(tag, vr, length, True, count, len(fragments.offsets))
        elements[tag] = RawElement(vr, b"\0")
        return fragments.end

    def _is_padding(self, position: int, path: Path) -> bool:
        """Whether nothing but zeros follow, which senders and file systems append."""
        if path or bytes(self.buffer[position : position + 8]).strip(b"\0"):
            return False
        rest = memoryview(self.buffer)[position:]
        if any(
            bytes(rest[place : place + 65536]).strip(b"\0") for place in range(0, len(rest), 65536)
        ):
            return False
        self.findings.add("trailing-bytes", f"{len(rest)} bytes of zeros follow the data set.")
        return True

    def _order(self, tag: int, twice: bool, path: Path) -> None:
        if twice:
            self._add("tag-twice", tag, "stands twice", path)
        else:
            self._add("tag-order", tag, "does not stand in ascending order of tags", path)

    def _add(self, check: str, tag: int, clause: str, path: Path) -> None:
        name = name_of(tag)
        self.findings.add(check, f"{name} {clause}.", path=(*path, name), tag=tag)

    def _spend(self, path: Path) -> None:
        self.elements_left -= 1
        if self.elements_left < 0:
            self._stop("too-large", "The data set has more elements than any object needs.", path)

    def _stop(self, check: str, sentence: str, path: Path) -> NoReturn:
        self.findings.add(check, sentence, path=path)
        raise _Stopped
