"""VRs that PS3.6 leaves to other elements, decided when implicit VR becomes explicit."""

from __future__ import annotations

from collections.abc import Callable

from isocenter.dictionary.elements import lookup_element
from isocenter.encoding.pixel_description import PIXEL_REPRESENTATION

WAVEFORM_BITS_ALLOCATED = 0x54001004
VR_DECIDERS = frozenset({PIXEL_REPRESENTATION, WAVEFORM_BITS_ALLOCATED})
"""The elements that decide about others."""

_MAYBE_UNDECIDED = frozenset({"OW", "US"})  # what `implicit_vr` says of undecided elements
_WAVEFORM_GROUP = 0x5400


def decided_vr(tag: int, vr: str, value_of: Callable[[int], bytes]) -> str:
    """The VR of an element that had none, where `implicit_vr` says `vr`.

    `value_of` gives the little endian value of a deciding element, empty where there is none.
    """
    if vr not in _MAYBE_UNDECIDED:
        return vr
    entry = lookup_element(tag)
    if entry is None:
        return vr
    if entry.vr == "US or SS":
        return "SS" if _number(value_of(PIXEL_REPRESENTATION)) == 1 else "US"
    if entry.vr == "OB or OW" and tag >> 16 == _WAVEFORM_GROUP:
        return "OB" if _number(value_of(WAVEFORM_BITS_ALLOCATED)) == 8 else "OW"
    return vr


def _number(value: bytes) -> int:
    return int.from_bytes(value[:2], "little")
