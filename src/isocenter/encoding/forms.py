"""The four shapes of a data element header, PS3.5 7.1: explicit or implicit VR, either byte order.

A header's tag is read as one 32-bit *word*. Little endian stores group and element as two
16-bit numbers, so there the word is 0xEEEEGGGG; `Form.word` turns a tag into its word once,
and nothing is put together again for each element.
"""

from mmap import mmap
from struct import Struct
from typing import NamedTuple

from isocenter.dictionary.transfer_syntaxes import TransferSyntax

Buffer = bytes | bytearray | memoryview | mmap
"""Anything whose bytes can be read in place. A memoryview must be contiguous and of bytes."""

UNDEFINED_LENGTH = 0xFFFFFFFF

ITEM = 0xFFFEE000
ITEM_DELIMITATION = 0xFFFEE00D
SEQUENCE_DELIMITATION = 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010

LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""VRs with two reserved bytes and a 32-bit length (PS3.5 Table 7.1-1)."""

_TEXT_SHORT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM"}
)
SHORT_VRS = _TEXT_SHORT_VRS | {"AT", "FD", "FL", "SL", "SS", "UI", "UL", "US"}
"""VRs with a 16-bit length (PS3.5 Table 7.1-2)."""

PADDED_WITH_SPACE = _TEXT_SHORT_VRS | {"UC", "UR", "UT"}
"""VRs whose values get a space to be even, where all others get a zero byte (PS3.5 6.2)."""


class Form(NamedTuple):
    """How the elements of one data set are laid out, with all that a reader needs at hand."""

    implicit_vr: bool
    little_endian: bool
    header: Struct
    """Word, VR code and 16-bit length; for implicit VR word and 32-bit length."""
    tag_and_length: Struct
    """Word and 32-bit length: implicit VR headers, items and delimiters."""
    length: Struct
    """The 32-bit length of a long explicit VR header."""
    vr_code: Struct
    """The number that `header` has for a VR's two letters."""
    short_vrs: frozenset[int]
    long_vrs: frozenset[int]
    sequence_vrs: frozenset[int]
    """Codes of SQ and UN, whose undefined length means items with data sets."""
    item: int
    item_end: int
    sequence_end: int
    pixel_data: int

    def word(self, tag: int) -> int:
        """The 32-bit number that this form's headers hold for `tag`; its own inverse."""
        return _swapped(tag) if self.little_endian else tag


def _swapped(tag: int) -> int:
    return tag >> 16 | (tag & 0xFFFF) << 16


def _form(*, implicit_vr: bool, little_endian: bool) -> Form:
    order = "<" if little_endian else ">"

    vr_code = Struct(order + "H")

    def codes(vrs: frozenset[str]) -> frozenset[int]:
        return frozenset(vr_code.unpack(vr.encode())[0] for vr in vrs)

    def word(tag: int) -> int:
        return _swapped(tag) if little_endian else tag

    return Form(
        implicit_vr,
        little_endian,
        header=Struct(order + ("II" if implicit_vr else "IHH")),
        tag_and_length=Struct(order + "II"),
        length=Struct(order + "I"),
        vr_code=vr_code,
        short_vrs=codes(SHORT_VRS),
        long_vrs=codes(LONG_VRS),
        sequence_vrs=codes(frozenset({"SQ", "UN"})),
        item=word(ITEM),
        item_end=word(ITEM_DELIMITATION),
        sequence_end=word(SEQUENCE_DELIMITATION),
        pixel_data=word(PIXEL_DATA),
    )


_FORMS = {
    (implicit_vr, little_endian): _form(implicit_vr=implicit_vr, little_endian=little_endian)
    for implicit_vr in (False, True)
    for little_endian in (False, True)
}

LITTLE_ENDIAN_IMPLICIT = _FORMS[True, True]
"""The form of values of VR UN without a length, whatever is around them (PS3.5 6.2.2)."""


def form_of(syntax: TransferSyntax) -> Form:
    """The form that `syntax` gives to a data set."""
    return _FORMS[syntax.implicit_vr, syntax.little_endian]


def has_explicit_vr(buffer: Buffer, position: int) -> bool:
    """Whether the element at `position` shows two capital letters where a VR would stand.

    An implicit VR header has the length there, which looks so only from 16,705 bytes up.
    """
    vr = bytes(buffer[position + 4 : position + 6])
    return len(vr) == 2 and vr.isalpha() and vr.isupper()


def has_known_vr(buffer: Buffer, position: int) -> bool:
    """Whether a VR of PS3.5 6.2 stands in the element header at `position`."""
    vr = bytes(buffer[position + 4 : position + 6]).decode("latin-1")
    return vr in SHORT_VRS or vr in LONG_VRS


def detect_form(buffer: Buffer, position: int, stated: Form) -> Form:
    """The form that the first element, at `position`, shows a data set to have.

    Some files hold implicit VR where their transfer syntax says explicit, or the reverse; the
    bytes are right then. The byte order is taken as stated.
    """
    if len(buffer) - position < 8:
        return stated
    if stated.implicit_vr:
        return _FORMS[not has_known_vr(buffer, position), stated.little_endian]
    return _FORMS[not has_explicit_vr(buffer, position), stated.little_endian]


def implicit_form(form: Form) -> Form:
    """The form of the same byte order with implicit VRs."""
    return _FORMS[True, form.little_endian]
