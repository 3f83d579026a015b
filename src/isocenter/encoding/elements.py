"""Small data sets, wholly in memory: the identifiers of C-FIND, C-MOVE and the N-services.

Values stay bytes in the byte order of the transfer syntax; sequences are lists of data sets.
"""

import struct
from collections.abc import Callable, Set
from itertools import repeat
from typing import NamedTuple

from isocenter.dictionary.elements import format_tag, implicit_vr
from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    TruncatedDataSet,
)
from isocenter.encoding.forms import (
    LONG_VRS,
    PADDED_WITH_SPACE,
    SHORT_VRS,
    UNDEFINED_LENGTH,
    Buffer,
    Form,
    detect_form,
    form_of,
    has_explicit_vr,
    implicit_form,
)
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.encoding.nesting import skip_undefined

Value = bytes | list["Elements"]
"""A value field as it stands, or the items of a sequence."""


class RawElement(NamedTuple):
    """One data element without its tag. A `value` that is a list belongs to VR "SQ"."""

    vr: str
    value: Value


Elements = dict[int, RawElement]
"""A data set: elements by tag."""

OnItem = Callable[[int, "Elements"], None]
"""Takes the tag of a sequence of the data set itself, and one of its items."""

DEEPEST = 128
"""Decoding and encoding recurse once per sequence; no limit may ask for more than this."""


def decode_elements(
    buffer: Buffer,
    syntax: TransferSyntax,
    limits: ScanLimits = DEFAULT_LIMITS,
    *,
    on_item: OnItem | None = None,
) -> Elements:
    """The elements of the data set that fills `buffer`.

    Implicit VRs come from PS3.6. As in `scan`, a body that shows the other kind of VR than
    `syntax` says is read as what it is. With `on_item`, the items of the data set's own sequences
    are handed over one by one as they are read, and not kept: for lists of a hundred thousand.

    Raises:
        TruncatedDataSet: the buffer ends inside an element.
        MalformedDataSet: items or delimiters stand where none can be, or encapsulated data.
        LimitExceeded: more elements or deeper nesting than `limits` allow.
        ValueError: the syntax is deflated (inflate first).
    """
    if syntax.deflated:
        raise ValueError("A deflated data set must be inflated before it is decoded.")
    form = detect_form(buffer, 0, form_of(syntax))
    return _Decoder(buffer, limits, on_item).data_set(0, len(buffer), form, 0)[0]


def pick_elements(
    buffer: Buffer, syntax: TransferSyntax, wanted: Set[int], limits: ScanLimits = DEFAULT_LIMITS
) -> tuple[Elements, bool]:
    """Those of the `wanted` elements, sequences included, that a data set's top level has.

    `buffer` is the data set or its beginning. False says that it ends before all were passed:
    elements stand in ascending order (PS3.5 7.1), so nothing is read behind the last one wanted,
    nor behind pixel data.

    Raises:
        MalformedDataSet, LimitExceeded, ValueError: as for `decode_elements`.
    """
    if syntax.deflated:
        raise ValueError("A deflated data set must be inflated before it is read.")
    form = detect_form(buffer, 0, form_of(syntax))
    picked: Elements = {}
    try:
        complete = _Decoder(buffer, limits, None).pick(wanted, form, picked)
    except TruncatedDataSet:
        return picked, False
    return picked, complete


class _Decoder:
    """One pass over one buffer, with what is left of its limits."""

    def __init__(self, buffer: Buffer, limits: ScanLimits, on_item: OnItem | None) -> None:
        self.buffer = buffer
        self.on_item = on_item
        self.elements_left = limits.max_elements
        self.max_depth = min(limits.max_depth, DEEPEST)

    def data_set(
        self, position: int, end: int | None, form: Form, depth: int
    ) -> tuple[Elements, int]:
        """Elements up to `end`, or up to an Item Delimitation Item where `end` is None."""
        elements: Elements = {}
        while end is None or position < end:
            self._spend(position)
            tag, vr, value, length = self._header(position, form)
            if form.word(tag) == form.item_end and end is None:
                return elements, value
            if tag >> 16 == 0xFFFE:
                raise MalformedDataSet("An item stands outside of any sequence", position)
            if length == UNDEFINED_LENGTH or vr == "SQ":
                elements[tag], position = self._sequence(tag, vr, value, length, form, depth)
            else:
                elements[tag] = RawElement(vr, self._value(position, value, length))
                position = value + length
        if position != end:
            raise MalformedDataSet("An element is longer than the item it lies in", position)
        return elements, position

    def pick(self, wanted: Set[int], form: Form, picked: Elements) -> bool:
        """Put elements of the top level into `picked`; say whether the last of them was passed."""
        position, end, last = 0, len(self.buffer), max(wanted, default=-1)
        while position < end:
            self._spend(position)
            tag, vr, value, length = self._header(position, form)
            if tag > last or form.word(tag) == form.pixel_data:
                return True
            undefined = length == UNDEFINED_LENGTH
            if tag not in wanted:
                position = self._passed(vr, value, form) if undefined else value + length
            elif undefined or vr == "SQ":
                picked[tag], position = self._sequence(tag, vr, value, length, form, 0)
            else:
                picked[tag] = RawElement(vr, self._value(position, value, length))
                position = value + length
        return False

    def _passed(self, vr: str, value: int, form: Form) -> int:
        """The position after an element of undefined length."""
        sequence = form.implicit_vr or vr in ("SQ", "UN")
        budget = repeat(None, self.elements_left)
        return skip_undefined(self.buffer, value, form, sequence, budget, self.max_depth)

    def _header(self, position: int, form: Form) -> tuple[int, str, int, int]:
        """Tag, VR, start of the value, length."""
        try:
            word, length = form.tag_and_length.unpack_from(self.buffer, position)
            tag = form.word(word)
            if form.implicit_vr or not has_explicit_vr(self.buffer, position):
                return tag, implicit_vr(tag), position + 8, length
            vr = bytes(self.buffer[position + 4 : position + 6]).decode("ascii")
            if vr in LONG_VRS:
                (length,) = form.length.unpack_from(self.buffer, position + 8)
                return tag, vr, position + 12, length
            return tag, vr, position + 8, form.header.unpack_from(self.buffer, position)[2]
        except struct.error:
            raise TruncatedDataSet("The data set ends inside an element", position) from None

    def _value(self, position: int, value: int, length: int) -> bytes:
        if value + length > len(self.buffer):
            raise TruncatedDataSet("The data set ends inside an element", position)
        return bytes(self.buffer[value : value + length])

    def _sequence(
        self, tag: int, vr: str, value: int, length: int, form: Form, depth: int
    ) -> tuple[RawElement, int]:
        if depth >= self.max_depth:
            raise LimitExceeded("Sequences are nested deeper than the limit", value)
        if form.word(tag) == form.pixel_data or (vr not in ("SQ", "UN") and not form.implicit_vr):
            raise MalformedDataSet("Encapsulated data stands where a small value must", value)
        end = None if length == UNDEFINED_LENGTH else value + length
        items, position = self._items(tag, value, end, form, depth + 1)
        return RawElement("SQ", items), position

    def _items(
        self, tag: int, position: int, end: int | None, form: Form, depth: int
    ) -> tuple[list[Elements], int]:
        on_item = self.on_item if depth == 1 else None
        items: list[Elements] = []
        while end is None or position < end:
            self._spend(position)
            try:
                word, length = form.tag_and_length.unpack_from(self.buffer, position)
            except struct.error:
                raise TruncatedDataSet("The data set ends inside a sequence", position) from None
            position += 8
            if word == form.sequence_end and end is None:
                return items, position
            if word != form.item:
                raise MalformedDataSet("An item was expected", position - 8)
            inside = form
            if not form.implicit_vr and not has_explicit_vr(self.buffer, position):
                inside = implicit_form(form)
            item_end = None if length == UNDEFINED_LENGTH else position + length
            item, position = self.data_set(position, item_end, inside, depth)
            if on_item is None:
                items.append(item)
            else:
                on_item(tag, item)
        if position != end:
            raise MalformedDataSet("An item is longer than the sequence it lies in", position)
        return items, position

    def _spend(self, position: int) -> None:
        self.elements_left -= 1
        if self.elements_left < 0:
            raise LimitExceeded("The data set has more elements than the limit allows", position)


def encode_elements(elements: Elements, syntax: TransferSyntax) -> bytes:
    """The bytes of `elements` in ascending order of tags, padded to even lengths (PS3.5 7.1).

    Sequences and items get their lengths. Values must already be in the byte order of `syntax`.

    Raises:
        EncodingError: a value is longer than its VR can say, or a VR is none of PS3.5 6.2.
        LimitExceeded: sequences are nested too deeply.
        ValueError: the syntax is deflated (encode as explicit VR little endian, then deflate).
    """
    if syntax.deflated:
        raise ValueError("A data set is encoded first and deflated afterwards.")
    return _encode_data_set(elements, form_of(syntax), 0)


def encode_item(elements: Elements, syntax: TransferSyntax) -> bytes:
    """One item of a sequence; items joined are the value of an element of VR "SQ".

    Raises what `encode_elements` does.
    """
    return _encode_item(elements, form_of(syntax), 1)


def _encode_data_set(elements: Elements, form: Form, depth: int) -> bytes:
    if depth > DEEPEST:
        raise LimitExceeded("Sequences are nested deeper than the limit")
    parts = []
    for tag in sorted(elements):
        vr, value = elements[tag]
        if isinstance(value, list):
            value = b"".join(_encode_item(item, form, depth + 1) for item in value)
        elif len(value) % 2:
            value = bytes(value) + (b" " if vr in PADDED_WITH_SPACE else b"\0")
        parts.append(_encode_header(tag, vr, len(value), form))
        parts.append(value)
    return b"".join(parts)


def _encode_item(item: Elements, form: Form, depth: int) -> bytes:
    content = _encode_data_set(item, form, depth)
    return form.tag_and_length.pack(form.item, len(content)) + content


def _encode_header(tag: int, vr: str, length: int, form: Form) -> bytes:
    word = form.word(tag)
    if form.implicit_vr:
        return form.tag_and_length.pack(word, length)
    code = int.from_bytes(vr.encode("ascii", "replace"), "little" if form.little_endian else "big")
    if vr in LONG_VRS:
        return form.header.pack(word, code, 0) + form.length.pack(length)
    if vr not in SHORT_VRS:
        raise EncodingError(f"{format_tag(tag)} has no VR of PS3.5 6.2.")
    if length > 0xFFFF:
        raise EncodingError(f"{format_tag(tag)} is too long for its VR {vr}.")
    return form.header.pack(word, code, length)
