"""Data sets in memory from one Specific Character Set (0008,0005) to another (PS3.5 6.1)."""

from collections.abc import Iterator

from isocenter.encoding.character_sets import CHARACTER_SET_VRS, decode_text, encode_text
from isocenter.encoding.elements import Elements, RawElement

SPECIFIC_CHARACTER_SET = 0x00080005


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
