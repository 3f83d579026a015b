"""Data sets of any origin in one form, so that values can be compared and answered as they are.

The *neutral* form of `Elements` is what passes between services and the archive: values little
endian, text in UTF-8, no padding at the end of text, VRs of PS3.5 6.2 only (others become UN), no
Specific Character Set and no group lengths. What comes from a peer or a file is brought into it
once, and out of it for each response.
"""

from collections.abc import Iterator
from struct import Struct, calcsize

from isocenter.dictionary.elements import sequence_tags
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.character_sets import (
    CHARACTER_SET_VRS,
    UTF_8,
    choose_character_set,
    decode_text,
    encode_text,
)
from isocenter.encoding.elements import Elements, RawElement, decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.forms import LONG_VRS, PADDED_WITH_SPACE, SHORT_VRS
from isocenter.encoding.texts import value_text

SPECIFIC_CHARACTER_SET = 0x00080005

_WORD_SIZES = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), calcsize("<H")),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), calcsize("<L")),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), calcsize("<Q")),
}
_IMPLICIT_HEADER = Struct("<HHI")
_KNOWN_VRS = SHORT_VRS | LONG_VRS
_PADDED = PADDED_WITH_SPACE | {"UI"}


def neutral_elements(
    elements: Elements, syntax: TransferSyntax, character_set: bytes | None = None
) -> Elements:
    """The elements of a data set that was decoded in `syntax`, in neutral form.

    `character_set` is that of the data set around an item, which may have its own (PS3.5 6.1.2.5).
    Bytes that the character set does not explain become U+FFFD.
    """
    declared = elements.get(SPECIFIC_CHARACTER_SET)
    if declared is not None and isinstance(declared.value, bytes):
        character_set = declared.value
    return {
        tag: _neutral(element, syntax, character_set)
        for tag, element in elements.items()
        if tag & 0xFFFF and tag != SPECIFIC_CHARACTER_SET
    }


def _neutral(
    element: RawElement, syntax: TransferSyntax, character_set: bytes | None
) -> RawElement:
    vr, value = element
    if vr not in _KNOWN_VRS:
        vr = "UN"
    if isinstance(value, list):
        return RawElement("SQ", [neutral_elements(item, syntax, character_set) for item in value])
    if vr in CHARACTER_SET_VRS and not (value.isascii() and b"\x1b" not in value):
        value = decode_text(value, character_set, vr).encode("utf-8", "replace")
    elif not syntax.little_endian:
        value = _swapped(vr, value)
    return RawElement(vr, value.rstrip(b" \0") if vr in _PADDED else value)


def recoded_elements(
    elements: Elements, syntax: TransferSyntax, requested_character_set: str | None
) -> Elements:
    """Neutral elements as a response in `syntax` needs them, with Specific Character Set.

    That is the requested one where it carries every text, UTF-8 otherwise, and none where ASCII
    suffices (PS3.4 C.4.1.1.3.2, PS3.5 6.1.2.3). What would make the response unreadable is left
    empty.
    """
    if syntax.implicit_vr:
        elements = _sayable_without_vr(elements)
    character_set = choose_character_set(_texts_beyond_ascii(elements), requested_character_set)
    recoded = elements
    if character_set not in (None, UTF_8) or not syntax.little_endian:
        recoded = _recoded(elements, syntax, character_set)
    if character_set is None:
        return recoded
    named = RawElement("CS", character_set.encode("ascii"))
    return {**recoded, SPECIFIC_CHARACTER_SET: named}


def _sayable_without_vr(elements: Elements) -> Elements:
    """Without values that an implicit VR reader would take for a sequence, and stumble over.

    It knows the VR by the tag alone. Some stored header has other bytes there, under a VR of its
    own.
    """
    changed: Elements = {}
    sequences = sequence_tags()
    for tag, (vr, value) in elements.items():
        if isinstance(value, list):
            changed[tag] = RawElement(vr, [_sayable_without_vr(item) for item in value])
        elif tag in sequences and not _is_sequence(tag, value):
            changed[tag] = RawElement("SQ", [])
    return elements | changed if changed else elements


def _is_sequence(tag: int, value: bytes) -> bool:
    header = _IMPLICIT_HEADER.pack(tag >> 16, tag & 0xFFFF, len(value))
    try:
        decode_elements(header + value, IMPLICIT_VR_LITTLE_ENDIAN)
    except EncodingError:
        return False
    return True


def neutral_text(element: RawElement) -> str:
    """The value of a neutral element as text; empty for sequences and bulk data.

    Numbers are decimal and tags hexadecimal, several values have backslashes between.
    """
    if isinstance(element.value, list):
        return ""
    if element.vr in _PADDED:
        return element.value.decode("utf-8", "replace")
    return value_text(element.value, element.vr, EXPLICIT_VR_LITTLE_ENDIAN, UTF_8)


def _texts_beyond_ascii(elements: Elements) -> Iterator[str]:
    for vr, value in elements.values():
        if isinstance(value, list):
            for item in value:
                yield from _texts_beyond_ascii(item)
        elif vr in CHARACTER_SET_VRS and not value.isascii():
            yield value.decode("utf-8", "replace")


def _recoded(elements: Elements, syntax: TransferSyntax, character_set: str | None) -> Elements:
    recoded: Elements = {}
    for tag, (vr, value) in elements.items():
        if isinstance(value, list):
            items = [_recoded(item, syntax, character_set) for item in value]
            recoded[tag] = RawElement(vr, items)
            continue
        if vr in CHARACTER_SET_VRS and not value.isascii():
            value = encode_text(value.decode("utf-8", "replace"), character_set, vr)
        elif not syntax.little_endian:
            value = _swapped(vr, value)
        recoded[tag] = RawElement(vr, value)
    return recoded


def _swapped(vr: str, value: bytes) -> bytes:
    """The value with the bytes of each of its numbers reversed; others as they are."""
    size = _WORD_SIZES.get(vr)
    if size is None or len(value) % size:
        return value
    swapped = bytearray(len(value))
    for place in range(size):
        swapped[place::size] = value[size - 1 - place :: size]
    return bytes(swapped)


def declared_character_set(elements: Elements, inherited: str | None = None) -> str | None:
    """The Specific Character Set of a data set; an item without one has that around it."""
    element = elements.get(SPECIFIC_CHARACTER_SET)
    if element is None or not isinstance(element.value, bytes):
        return inherited
    return element.value.decode("ascii", "replace").strip(" \0") or inherited


def texts_of(elements: Elements, inherited: str | None = None) -> Iterator[str]:
    """Every text that the character set has a say in."""
    character_set = declared_character_set(elements, inherited)
    for vr, value in elements.values():
        if isinstance(value, list):
            for item in value:
                yield from texts_of(item, character_set)
        elif vr in CHARACTER_SET_VRS:
            yield decode_text(value, character_set, vr)


def recode(elements: Elements, target: str | None, inherited: str | None = None) -> Elements:
    """A deep copy whose text is in `target`; the elements that declare a character set are gone.

    Raises:
        UnicodeEncodeError: the target cannot carry a text (UTF-8 carries any).
    """
    character_set = declared_character_set(elements, inherited)
    copied: Elements = {}
    for tag, (vr, value) in elements.items():
        if isinstance(value, list):
            copied[tag] = RawElement(vr, [recode(item, target, character_set) for item in value])
        elif vr not in CHARACTER_SET_VRS:
            copied[tag] = RawElement(vr, value)
        else:
            text = decode_text(value, character_set, vr)
            copied[tag] = RawElement(vr, encode_text(text, target, vr))
    copied.pop(SPECIFIC_CHARACTER_SET, None)
    return copied
