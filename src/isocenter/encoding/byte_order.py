"""Values from one byte order to the other, PS3.5 7.3: what is swapped is decided by the VR."""

from __future__ import annotations

from isocenter.encoding.errors import MalformedDataSet
from isocenter.encoding.forms import Buffer

_WIDTHS = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}
"""Bytes of the numbers that a value of this VR consists of; all other VRs are bytes."""


def is_swapped(vr: str) -> bool:
    """Whether values of `vr` look different in the other byte order."""
    return vr in _WIDTHS


def swap_value(value: Buffer, vr: str) -> bytes:
    """The value with the bytes of each number reversed.

    Raises MalformedDataSet where the value is no whole number of them.
    """
    width = _WIDTHS[vr]
    if len(value) % width:
        raise MalformedDataSet(f"A value of VR {vr} has a length that such values cannot have")
    swapped = bytearray(len(value))
    for byte in range(width):
        swapped[byte::width] = value[width - 1 - byte :: width]
    return bytes(swapped)
