"""Identifiers (PS3.4 C.4.1.1.3), provider: what is asked, and what is answered."""

from __future__ import annotations

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, recoded_elements
from isocenter.encoding.texts import value_text
from isocenter.errors import IsocenterError

MOST_KEYS = 2_000
"""Keys of an identifier, in sequences too: each costs time for every match, and a place in it."""


class InvalidIdentifier(IsocenterError):
    """A query that the engine cannot take; `offending_tag` names the key at fault."""

    def __init__(self, message: str, offending_tag: int | None = None) -> None:
        super().__init__(message)
        self.offending_tag = offending_tag


def check_keys(identifier: Elements) -> None:
    """Raises InvalidIdentifier where there are more than `MOST_KEYS`."""
    if _count_keys(identifier) > MOST_KEYS:
        raise InvalidIdentifier(f"A query has at most {MOST_KEYS} keys")


def _count_keys(elements: Elements) -> int:
    sequences = (value for _, value in elements.values() if isinstance(value, list))
    return len(elements) + sum(_count_keys(item) for items in sequences for item in items)


def empty_answer(identifier: Elements, unsupported: frozenset[int]) -> Elements:
    """What was asked for without values, for those matches that have none (PS3.4 C.4.1.1.3.2)."""
    return {
        tag: RawElement(key.vr, [] if isinstance(key.value, list) else b"")
        for tag, key in identifier.items()
        if tag not in unsupported
    }


def requested_character_set(elements: Elements) -> str | None:
    """The Specific Character Set of an identifier as it came, None where it has none."""
    declared = elements.get(SPECIFIC_CHARACTER_SET)
    if declared is None or not isinstance(declared.value, bytes):
        return None
    return declared.value.decode("ascii", "replace").strip(" \0")


def encode_answer(
    answer: Elements, syntax: TransferSyntax, requested_character_set: str | None
) -> bytes:
    """Encode a response's identifier, in the requested character set where it can carry it.

    Otherwise UTF-8 is used, so that nothing is lost (PS3.4 C.4.1.1.3.2, PS3.5 6.1.2.3).
    """
    return encode_elements(recoded_elements(answer, syntax, requested_character_set), syntax)


def identifier_texts(elements: Elements, syntax: TransferSyntax) -> dict[int, str]:
    """The keys of an identifier as text; sequences are left out."""
    declared = elements.get(SPECIFIC_CHARACTER_SET)
    character_set = declared.value if declared and isinstance(declared.value, bytes) else None
    return {
        tag: value_text(element.value, element.vr, syntax, character_set)
        for tag, element in elements.items()
        if isinstance(element.value, bytes) and tag & 0xFFFF
    }
