"""Passing over elements of undefined length: sequences (PS3.5 7.5) and fragments (PS3.5 A.4).

What has a length is skipped by it. What has none must be walked to its delimiter; that walk
keeps its own stack, so that depth costs no recursion and ends at a limit.
"""

import struct
from collections.abc import Iterator

from isocenter.encoding.errors import LimitExceeded, MalformedDataSet, TruncatedDataSet
from isocenter.encoding.forms import (
    UNDEFINED_LENGTH,
    Buffer,
    Form,
    has_explicit_vr,
    implicit_form,
)

Budget = Iterator[None]
"""One `next` for each element, item or fragment that may still be walked; shared by all levels."""


def skip_undefined(
    buffer: Buffer, position: int, form: Form, sequence: bool, budget: Budget, max_depth: int
) -> int:
    """The position after an element of undefined length whose value starts at `position`.

    `sequence` tells items that hold data sets from fragments of encapsulated pixel data.

    Raises:
        TruncatedDataSet: the buffer ends before the element does.
        MalformedDataSet: something else stands where an item or a delimiter must.
        LimitExceeded: the nesting or the number of elements passes the limits.
    """
    try:
        if sequence:
            return _skip_sequence(buffer, position, form, budget, max_depth)
        return _skip_fragments(buffer, position, form, budget)
    except struct.error:
        raise TruncatedDataSet(
            "The data set ends inside an element of undefined length", position
        ) from None


def too_many_elements(position: int) -> LimitExceeded:
    """The error for a data set whose elements outnumber the limit."""
    return LimitExceeded("The data set has more elements than the limit allows", position)


def _skip_fragments(buffer: Buffer, position: int, form: Form, budget: Budget) -> int:
    unpack, item, sequence_end = form.tag_and_length.unpack_from, form.item, form.sequence_end
    for _ in budget:
        word, length = unpack(buffer, position)
        if word == sequence_end:
            return position + 8
        if word != item or length == UNDEFINED_LENGTH:
            raise MalformedDataSet("A fragment of encapsulated data was expected", position)
        position += 8 + length
    raise too_many_elements(position)


def _skip_sequence(
    buffer: Buffer, position: int, form: Form, budget: Budget, max_depth: int
) -> int:
    enclosing: list[tuple[Form, Form]] = []  # per open sequence: form around it, form of its item
    unpack, item, sequence_end = form.tag_and_length.unpack_from, form.item, form.sequence_end
    for _ in budget:
        word, length = unpack(buffer, position)
        if word == item:
            position += 8
            if length != UNDEFINED_LENGTH:
                position += length
                continue
            inside = _item_form(buffer, position, form)
        elif word == sequence_end:
            position += 8
            if not enclosing:
                return position
            form, inside = enclosing.pop()
        else:
            raise MalformedDataSet("An item or the end of its sequence was expected", position)
        position, opened = _walk_item(buffer, position, inside, budget)
        if opened:
            enclosing.append((form, inside))
            form = inside
            if len(enclosing) >= max_depth:
                raise LimitExceeded("Sequences are nested deeper than the limit", position)
    raise too_many_elements(position)


def _item_form(buffer: Buffer, position: int, form: Form) -> Form:
    """The form of one item: below explicit VR some writers, and UN (PS3.5 6.2.2), use implicit."""
    if form.implicit_vr or has_explicit_vr(buffer, position):
        return form
    return implicit_form(form)


def _walk_item(buffer: Buffer, position: int, form: Form, budget: Budget) -> tuple[int, bool]:
    if form.implicit_vr:
        return _walk_implicit_item(buffer, position, form, budget)
    return _walk_explicit_item(buffer, position, form, budget)


def _walk_implicit_item(
    buffer: Buffer, position: int, form: Form, budget: Budget
) -> tuple[int, bool]:
    """Walk to the item's end, or to the first item of a sequence inside it (then True)."""
    unpack, item_end = form.header.unpack_from, form.item_end
    for _ in budget:
        word, length = unpack(buffer, position)
        position += 8
        if length == UNDEFINED_LENGTH:
            if word != form.pixel_data:
                return position, True
            position = _skip_fragments(buffer, position, form, budget)
        elif word == item_end:
            return position, False
        else:
            position += length
    raise too_many_elements(position)


def _walk_explicit_item(
    buffer: Buffer, position: int, form: Form, budget: Budget
) -> tuple[int, bool]:
    """Walk to the item's end, or to the first item of a sequence inside it (then True)."""
    unpack, short_vrs, long_vrs = form.header.unpack_from, form.short_vrs, form.long_vrs
    for _ in budget:
        word, vr, length = unpack(buffer, position)
        if vr in short_vrs:
            position += 8 + length
            continue
        if vr in long_vrs:
            (length,) = form.length.unpack_from(buffer, position + 8)
            value = position + 12
        elif word == form.item_end:
            return position + 8, False
        else:
            value = position + 8
            if not has_explicit_vr(buffer, position):
                _, length = form.tag_and_length.unpack_from(buffer, position)
                vr = 0
        position = value
        if length != UNDEFINED_LENGTH:
            position += length
        elif word != form.pixel_data and (vr == 0 or vr in form.sequence_vrs):
            return position, True
        else:
            position = _skip_fragments(buffer, position, form, budget)
    raise too_many_elements(position)
