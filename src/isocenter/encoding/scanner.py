"""Reading a few attributes of a data set straight from its bytes.

This is the archive's hot path: every received instance passes through it once. The two loops
below therefore do, for each element, one `Struct.unpack_from`, one or two set look-ups and one
addition, and nothing else; what is rare (undefined length, odd VRs) is handled outside of them.
That the buffer has ended is not asked for each element: the unpacking itself fails there.
"""

import struct
from collections.abc import Iterable
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.errors import MalformedDataSet, TruncatedDataSet
from isocenter.encoding.forms import (
    UNDEFINED_LENGTH,
    Buffer,
    Form,
    detect_form,
    form_of,
    has_explicit_vr,
)
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.encoding.nesting import Budget, skip_undefined, too_many_elements

_CUT_OFF = 1 << 62
"""A position beyond any buffer."""


class Scan(NamedTuple):
    """What a scan found.

    `values` holds the wanted values as they stand, padding included. `position` is the end of
    the data set, or, where `complete` is False, the start of the first element that is not
    wholly inside the buffer. `syntax` is the transfer syntax that the bytes turned out to have.
    `end` is where that cut-off element ends, None where its length is not known: a data set that
    ends just there is complete.
    """

    values: dict[int, bytes]
    position: int
    complete: bool
    syntax: TransferSyntax
    end: int | None = None


class _Found(NamedTuple):
    """Where a loop ended: before the header at `position`, after the element at `element`."""

    position: int
    element: int


def scan(
    buffer: Buffer,
    syntax: TransferSyntax,
    wanted: Iterable[int],
    *,
    start: int = 0,
    final: bool = True,
    detect: bool = True,
    limits: ScanLimits = DEFAULT_LIMITS,
) -> Scan:
    """Walk the top level of the data set in `buffer[start:]` and keep the wanted values.

    Args:
        wanted: tags; a frozenset is fastest. Sequences and other elements of undefined length
            are passed over even when wanted.
        final: whether the data set ends with the buffer. If not, the buffer is its beginning:
            the scan stops at the first element that is cut off. To go on with more bytes, call
            again with `start=position`, `syntax=scan.syntax` and `detect=False`.
        detect: look at the first element to see whether the body is implicit VR where `syntax`
            says explicit or the reverse (it happens), and follow the bytes.

    Raises:
        TruncatedDataSet: the data set is final and ends inside an element.
        MalformedDataSet: an element of undefined length holds no items.
        LimitExceeded: more elements or deeper nesting than `limits` allow.
        ValueError: the syntax is deflated (inflate first), or `start` is outside the buffer.
    """
    if syntax.deflated:
        raise ValueError("A deflated data set must be inflated before it is scanned.")
    size = len(buffer)
    if not 0 <= start <= size:
        raise ValueError(f"There is no byte {start} in a buffer of {size}.")
    form = form_of(syntax)
    if detect and (shown := detect_form(buffer, start, form)) is not form:
        form = shown
        syntax = syntax._replace(implicit_vr=form.implicit_vr)
    words = _words(frozenset(wanted), form)
    values: dict[int, bytes] = {}
    walk = _walk_implicit if form.implicit_vr else _walk_explicit
    position, element = walk(buffer, start, form, words, values, limits, final)
    if position == size:
        return Scan(values, size, True, syntax)
    end = None
    if position > size:
        end = position if position < _CUT_OFF else None
        position = element
    elif final and not any(buffer[position:]):  # zeros appended by a sender or a file system
        return Scan(values, size, True, syntax)
    if final:
        raise TruncatedDataSet("The data set ends inside an element", position)
    return Scan(values, position, False, syntax, end)


@lru_cache(maxsize=64)
def _words(wanted: frozenset[int], form: Form) -> dict[int, int]:
    return {form.word(tag): tag for tag in wanted}


def _walk_explicit(
    buffer: Buffer,
    position: int,
    form: Form,
    words: dict[int, int],
    values: dict[int, bytes],
    limits: ScanLimits,
    final: bool,
) -> _Found:
    unpack, unpack_length = form.header.unpack_from, form.length.unpack_from
    short_vrs, long_vrs = form.short_vrs, form.long_vrs
    size, max_value_length = len(buffer), limits.max_value_length
    budget: Budget = repeat(None, limits.max_elements)
    element = position
    try:
        for _ in budget:
            word, vr, length = unpack(buffer, position)
            value = position + 8
            if vr not in short_vrs:
                if vr in long_vrs:
                    (length,) = unpack_length(buffer, value)
                    value += 4
                else:
                    length = _length_of_odd_vr(buffer, position, form)
                if length == UNDEFINED_LENGTH:
                    element = position
                    sequence = vr in form.sequence_vrs or vr not in long_vrs
                    position = _skip(buffer, value, form, word, sequence, budget, limits, final)
                    continue
            element = position
            position = value + length
            if word in words and position <= size:
                if length > max_value_length:
                    values[words[word]] = bytes(buffer[value : value + max_value_length])
                else:
                    values[words[word]] = bytes(buffer[value:position])
        raise too_many_elements(position)
    except struct.error:
        return _Found(position, element)


def _walk_implicit(
    buffer: Buffer,
    position: int,
    form: Form,
    words: dict[int, int],
    values: dict[int, bytes],
    limits: ScanLimits,
    final: bool,
) -> _Found:
    unpack = form.header.unpack_from
    size, max_value_length = len(buffer), limits.max_value_length
    budget: Budget = repeat(None, limits.max_elements)
    element = position
    try:
        for _ in budget:
            word, length = unpack(buffer, position)
            element = position
            value = position + 8
            if length == UNDEFINED_LENGTH:
                position = _skip(buffer, value, form, word, True, budget, limits, final)
                continue
            position = value + length
            if word in words and position <= size:
                if length > max_value_length:
                    values[words[word]] = bytes(buffer[value : value + max_value_length])
                else:
                    values[words[word]] = bytes(buffer[value:position])
        raise too_many_elements(position)
    except struct.error:
        return _Found(position, element)


def _length_of_odd_vr(buffer: Buffer, position: int, form: Form) -> int:
    """The length in a header whose VR is not of PS3.5 6.2.

    Two capital letters may be a VR yet to come, and those have the short form (PS3.5 6.2.2).
    Anything else is what some writers produce when they switch to implicit VR half-way.
    """
    if has_explicit_vr(buffer, position):
        length: int = form.header.unpack_from(buffer, position)[2]
    else:
        length = form.tag_and_length.unpack_from(buffer, position)[1]
    return length


def _skip(
    buffer: Buffer,
    value: int,
    form: Form,
    word: int,
    sequence: bool,
    budget: Budget,
    limits: ScanLimits,
    final: bool,
) -> int:
    """The position after an element of undefined length, _CUT_OFF if the buffer ends inside it."""
    if word in (form.item, form.item_end, form.sequence_end):
        raise MalformedDataSet("An item stands outside of any sequence", value - 8)
    try:
        return skip_undefined(
            buffer,
            value,
            form,
            sequence and word != form.pixel_data,
            budget,
            limits.max_depth,
        )
    except TruncatedDataSet:
        if final:
            raise
        return _CUT_OFF
