"""The identifier of a C-FIND, C-MOVE or C-GET request (PS3.4 C.4.1.1.3, C.4.2.1.4, K.4.1.1.3).

It is put together from keys, on top of a data set where there is one, and goes out in little
endian and in a character set that can carry it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from isocenter.encoding.character_sets import choose_character_set
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import (
    SPECIFIC_CHARACTER_SET,
    declared_character_set,
    recode,
    texts_of,
)
from isocenter.services.information_models import InformationModel
from isocenter.services.query_keys import Key, QueryKeyError, Step, encode_value, parse_key

QUERY_RETRIEVE_LEVEL = 0x00080052


def query_identifier(
    model: InformationModel,
    keys: Iterable[Key],
    base: Elements | None = None,
    level: str | None = None,
) -> Elements:
    """The identifier of a query: the keys on top of `base`, with the level of the model.

    The level is the given one, else that of the keys, else the model's highest. Where nothing is
    asked for (every attribute has a value to match), the usual attributes of the level are.
    Raises QueryKeyError.
    """
    keys = list(keys)
    identifier = build_identifier(keys, base)
    chosen = checked_level(model, level or level_of(identifier) or model.default_level)
    identifier.pop(QUERY_RETRIEVE_LEVEL, None)
    if not _asks(identifier):
        wishes = [parse_key(path) for path in model.usual[chosen]]
        known = {(key.within, key.tag) for key in leaves(identifier)}
        wishes = [key for key in wishes if (key.within, key.tag) not in known]
        identifier = build_identifier(wishes, identifier)
    return with_level(identifier, chosen)


def checked_level(model: InformationModel, level: str) -> str:
    """`level`, if the model has it. Raises QueryKeyError."""
    if level == model.default_level or level in model.levels:
        return level
    if not model.levels:
        raise QueryKeyError(f"The {model.name} model has no levels; leave {level!r} out.")
    raise QueryKeyError(
        f"{level!r} is not a level of the {model.name} model; it has {', '.join(model.levels)}."
    )


def level_of(identifier: Elements) -> str:
    """The Query/Retrieve Level that an identifier names, in capitals; "" for none."""
    element = identifier.get(QUERY_RETRIEVE_LEVEL)
    if element is None or not isinstance(element.value, bytes):
        return ""
    return element.value.decode("ascii", "replace").strip(" \0").upper()


def with_level(identifier: Elements, level: str) -> Elements:
    """The identifier with its Query/Retrieve Level; without one where `level` is empty."""
    if not level:
        return identifier
    return {QUERY_RETRIEVE_LEVEL: RawElement("CS", level.encode("ascii")), **identifier}


def build_identifier(keys: Sequence[Key], base: Elements | None = None) -> Elements:
    """A new data set: that of `base` with the keys put in, in their order.

    Text stays in the character set of `base`, or goes to the one that a key asks for, where that
    carries everything; else all of it becomes UTF-8. Raises QueryKeyError.
    """
    base = base or {}
    declared = declared_character_set(base)
    wish = next((key.value for key in keys if key.tag == SPECIFIC_CHARACTER_SET), declared)
    texts = [*texts_of(base), *(key.value for key in keys)]
    character_set = choose_character_set(texts, wish)
    identifier = recode(base, character_set)
    for key in keys:
        if key.tag != SPECIFIC_CHARACTER_SET:
            _put(identifier, key, character_set)
    if character_set is not None:
        identifier[SPECIFIC_CHARACTER_SET] = RawElement("CS", character_set.encode("ascii"))
    return identifier


def leaves(identifier: Elements, within: tuple[Step, ...] = ()) -> Iterator[Key]:
    """The attributes of an identifier that hold values, as keys without them."""
    for tag, (vr, value) in identifier.items():
        if isinstance(value, list) and any(value):
            for number, item in enumerate(value):
                yield from leaves(item, (*within, Step(tag, number)))
        elif tag not in (SPECIFIC_CHARACTER_SET, QUERY_RETRIEVE_LEVEL):
            yield Key(tag, vr, "", within)


def find_element(elements: Elements, key: Key) -> RawElement | None:
    """The element that a key names, in a data set of any kind."""
    for sequence, number in key.within:
        found = elements.get(sequence)
        if found is None or not isinstance(found.value, list) or len(found.value) <= number:
            return None
        elements = found.value[number]
    return elements.get(key.tag)


def _asks(identifier: Elements) -> bool:
    return any(
        not value or (isinstance(value, list) and any(map(_asks, value)))
        for _, value in identifier.values()
    )


def _put(elements: Elements, key: Key, character_set: str | None) -> None:
    for sequence, number in key.within:
        elements = _item(elements, sequence, number)
    if key.item is not None:
        _item(elements, key.tag, key.item)
    elif key.vr == "SQ" and not key.value:
        elements[key.tag] = RawElement("SQ", [])
    else:
        elements[key.tag] = RawElement(key.vr, encode_value(key, character_set))


def _item(elements: Elements, sequence: int, number: int) -> Elements:
    """That item of a sequence, which gets empty ones up to it where it is too short."""
    found = elements.get(sequence)
    items = found.value if found is not None and isinstance(found.value, list) else []
    items.extend({} for _ in range(number + 1 - len(items)))
    elements[sequence] = RawElement("SQ", items)
    return items[number]
