"""How many columns a text takes on a terminal: ideographs take two, combining marks none."""

from __future__ import annotations

import unicodedata


def width(text: str) -> int:
    """The number of terminal columns of `text`."""
    if text.isascii():
        return len(text)
    return sum(_width_of(character) for character in text)


def _width_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
