"""Data sets from the transfer syntax they have to an uncompressed one, without any loss.

What can be converted is said by `can_convert` alone: negotiation asks it, and so does whoever
describes a node. Lossily compressed images are decompressed like others, and keep the attributes
that tell of it (PS3.3 C.7.6.1.1.5); nothing is ever compressed anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    transfer_syntax,
)
from isocenter.encoding.codecs import CODECS
from isocenter.encoding.deflate import inflate
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.forms import Buffer, detect_form, form_of
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.pixel_description import PIXEL_REPRESENTATION
from isocenter.encoding.rewriting import Rewriter
from isocenter.encoding.scanner import scan

TARGETS = (EXPLICIT_VR_LITTLE_ENDIAN.uid, IMPLICIT_VR_LITTLE_ENDIAN.uid)
"""What can be converted to, the better one first: it says what each element is."""

_UNCOMPRESSED = frozenset(
    {*TARGETS, EXPLICIT_VR_BIG_ENDIAN.uid, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid}
)
_LIMITS = ScanLimits(max_elements=5_000_000)


class NotConvertible(EncodingError):
    """There is no way from one transfer syntax to the other."""


def can_convert(source_uid: str, target_uid: str) -> bool:
    """Whether data sets of one transfer syntax can be turned into those of another."""
    return target_uid in TARGETS and (source_uid in _UNCOMPRESSED or source_uid in CODECS)


class Conversion:
    """A data set in another transfer syntax: `length` bytes, which come when it is iterated.

    Pixels are decoded frame by frame while they are asked for; the rest is done at once.

    Args:
        data_set: the whole data set; it must stay as it is until the conversion is done.
        maximum: bytes that the data set may have afterwards, and inflated.

    Raises:
        NotConvertible: `can_convert` says no.
        UndecodablePixelData: the pixel data is damaged, or of a kind that is not decoded; also
            while iterating.
        EncodingError: the data set is damaged, or would cost more than the limits allow.
    """

    def __init__(self, data_set: Buffer, source_uid: str, target_uid: str, maximum: int) -> None:
        if not can_convert(source_uid, target_uid):
            raise NotConvertible(f"Transfer syntax {source_uid} cannot be converted")
        source = transfer_syntax(source_uid)
        if source.deflated:
            data_set = inflate(data_set, replace(_LIMITS, max_inflated=maximum))
            source = EXPLICIT_VR_LITTLE_ENDIAN
        self._data_set = memoryview(data_set)
        form = detect_form(data_set, 0, form_of(source))
        rewriter = Rewriter(
            self._data_set,
            form,
            form_of(transfer_syntax(target_uid)),
            CODECS.get(source_uid),
            _LIMITS,
            maximum,
            _known_ahead(self._data_set) if form.implicit_vr else {},
        )
        rewriter.run()
        self._parts = rewriter.parts
        self.length = rewriter.length

    def __iter__(self) -> Iterator[Buffer]:
        for part in self._parts:
            if isinstance(part, bytearray):
                yield part
            elif isinstance(part, range):
                yield self._data_set[part.start : part.stop]
            else:
                yield from part


def _known_ahead(data_set: memoryview) -> dict[int, bytes]:
    """What decides about VRs also of elements that come before it."""
    return scan(data_set, IMPLICIT_VR_LITTLE_ENDIAN, {PIXEL_REPRESENTATION}, limits=_LIMITS).values
