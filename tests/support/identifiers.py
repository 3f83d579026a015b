"""Identifiers and matches as texts by tag, which is how tests like to write them."""

from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.archive.query import find
from isocenter.archive.query.engine import Matches, Queryable
from isocenter.archive.query.model import Model
from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import neutral_text
from isocenter.encoding.texts import text_value
from isocenter.security.access import ALL_STUDIES


def element(tag: int, value: Any) -> RawElement:
    """A neutral element; a list makes a sequence."""
    vr = implicit_vr(tag)
    if isinstance(value, list):
        return RawElement(vr, value)
    return RawElement(vr, text_value(value, vr, EXPLICIT_VR_LITTLE_ENDIAN, "ISO_IR 192"))


def identifier(texts: Mapping[int, Any]) -> Elements:
    """A neutral identifier."""
    return {tag: element(tag, value) for tag, value in texts.items()}


def texts(elements: Elements) -> dict[int, str]:
    """The values of a match as text."""
    return {tag: neutral_text(found) for tag, found in elements.items()}


class TextMatches(Iterator[dict[int, str]]):
    """Matches as texts."""

    def __init__(self, matches: Matches) -> None:
        self.matches = matches
        self.unsupported = matches.unsupported
        self.close = matches.close

    def __next__(self) -> dict[int, str]:
        return texts(next(self.matches))


def find_texts(
    index: Queryable, model: Model, level: str, keys: Mapping[int, Any], **options: Any
) -> TextMatches:
    """`find`, with texts by tag on both sides; over all studies unless a scope is given."""
    asked = {"scope": ALL_STUDIES, **options}
    return TextMatches(find(index, model, level, identifier(keys), **asked))
