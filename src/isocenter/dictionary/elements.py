"""The registry of data elements, PS3.6 chapters 6 to 9 and PS3.7 Annex E.

A tag is an int, 0xGGGGEEEE. The table is large, so it is loaded at the first look-up.
"""

import re
from functools import cache
from typing import NamedTuple

from isocenter.dictionary.errors import DictionaryError

_TAG = re.compile(r"\(?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})\)?")

# PS3.6 leaves the VR of some elements to other elements of the data set. Reading needs one:
# the one whose bytes are never misread as something longer.
_UNDECIDED_VR = {
    "NONE": "UN",  # items and delimiters, which have no value of their own
    "OB or OW": "OW",
    "US or OW": "OW",
    "US or SS": "US",
    "US or SS or OW": "OW",
}


class ElementEntry(NamedTuple):
    """One row of the registry; `vr` may name alternatives, such as "US or SS"."""

    tag: int
    vr: str
    vm: str
    name: str
    keyword: str
    retired: bool


def lookup_element(tag: int) -> ElementEntry | None:
    """The registry's entry for `tag`, None for a private or unknown one.

    A repeating group (PS3.5 7.6), such as (6002,3000), finds the row of its kind.
    """
    from isocenter.dictionary._element_table import ELEMENTS, REPEATERS

    facts = ELEMENTS.get(tag)
    if facts is not None:
        return ElementEntry(tag, *facts)
    if tag & 0x10000:
        return None
    for mask, pattern, vr, vm, name, keyword, retired in REPEATERS:
        if tag & mask == pattern:
            return ElementEntry(tag, vr, vm, name, keyword, retired)
    return None


def implicit_vr(tag: int) -> str:
    """The one VR to read `tag` with where the bytes do not say it (PS3.5 7.1.3).

    Unknown elements are "UN", private creators (PS3.5 7.8.1) "LO", group lengths "UL".
    """
    from isocenter.dictionary._element_table import ELEMENTS

    facts = ELEMENTS.get(tag)
    if facts is not None:
        return _UNDECIDED_VR.get(facts[0], facts[0])
    element = tag & 0xFFFF
    if element == 0:
        return "UL"
    if tag & 0x10000:
        return "LO" if 0x10 <= element <= 0xFF else "UN"
    entry = lookup_element(tag)
    return "UN" if entry is None else _UNDECIDED_VR.get(entry.vr, entry.vr)


@cache
def sequence_tags() -> frozenset[int]:
    """The tags for which `implicit_vr` says "SQ"."""
    from isocenter.dictionary._element_table import ELEMENTS, REPEATERS

    tags = {tag for tag, facts in ELEMENTS.items() if facts[0] == "SQ"}
    for _mask, pattern, vr, *_ in REPEATERS:
        if vr == "SQ":  # in any even group of its kind, PS3.5 7.6
            tags.update(pattern | number << 16 for number in range(0, 0x100, 2))
    return frozenset(tags)


def tag_for_keyword(keyword: str) -> int | None:
    """The tag of the element with this keyword, such as "PatientName"; None for no element."""
    return _tags_by_keyword().get(keyword)


def parse_tag(text: str) -> int:
    """The tag that a person wrote: "0010,0010", "(0010,0010)", "00100010" or "PatientName".

    Raises:
        DictionaryError: the text is neither a tag nor a keyword of PS3.6.
    """
    match = _TAG.fullmatch(text.strip())
    if match is not None:
        return int(match[1] + match[2], 16)
    tag = tag_for_keyword(text.strip())
    if tag is None:
        raise DictionaryError(
            f"{text[:64]!r} is neither a tag nor a keyword of PS3.6; "
            "write it as 0010,0010 or PatientName."
        )
    return tag


def format_tag(tag: int) -> str:
    """The tag as the standard writes it: "(0010,0010)"."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@cache
def _tags_by_keyword() -> dict[str, int]:
    from isocenter.dictionary._element_table import ELEMENTS, REPEATERS

    # The first group of each repeating kind answers for its keyword, as in (6000,3000).
    tags = {keyword: tag for _, tag, _, _, _, keyword, _ in REPEATERS if keyword}
    tags.update({facts[3]: tag for tag, facts in ELEMENTS.items() if facts[3]})
    return tags
