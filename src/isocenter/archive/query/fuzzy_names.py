"""Fuzzy semantic matching of person names (PS3.4 C.2.2.2.1.1), where it was negotiated.

Each component group of a name is a set of words: its components, and what spaces, hyphens, commas,
dots and apostrophes separate inside of them, without case and accents. A group of a key matches
when each of its words has a word of its own in a group of the name, in any order, that

* is the same, or
* begins with it, or (with wildcards in the key) matches it as a pattern, or
* sounds alike: both have the same code.

The code is Soundex with three changes that names in an archive need: the first letter counts by its
sound as well (Karl and Carl), vowels in front are all alike (Emil and Ämil), and no code is cut
short. Words without Latin letters have no sound and are compared as they are written.
"""

import re
from functools import lru_cache

from isocenter.archive.names import person_name_keys
from isocenter.archive.query.wildcards import wildcard

_WORD = re.compile(r"[^\s^=,.'\-\\]+")
_MOST_WORDS = 16

_VOWELS = "aeiouy"
_SOUNDS = {
    letter: sound
    for sound, letters in enumerate(("", "bfpvw", "cgjkqsxz", "dt", "l", "mn", "r"))
    for letter in letters
}


def resembles(key: str, name: str) -> bool:
    """Whether a component group of the PN value `name` is alike to one of the key's."""
    groups = person_name_keys(name)
    return any(
        alike(words(wanted), words(group)) for wanted in person_name_keys(key) for group in groups
    )


def resembles_search_text(wanted: str, names: str) -> bool:
    """The same, for one group of a key and `names.search_text`, or a single comparable group."""
    return any(alike(words(wanted), words(group)) for group in names.split("\\"))


@lru_cache(maxsize=65536)
def words(group: str) -> tuple[str, ...]:
    """The words of one component group in comparable form; a pattern may be given as well."""
    return tuple(word for word in _WORD.findall(group) if word.strip("*"))[:_MOST_WORDS]


def alike(wanted: tuple[str, ...], found: tuple[str, ...]) -> bool:
    """Whether each of the wanted words finds a word of its own."""
    rest = list(found)
    for word in sorted(wanted, key=len, reverse=True):
        match = next((other for other in rest if other == word), None) or next(
            (other for other in rest if _resembles(word, other)), None
        )
        if match is None:
            return False
        rest.remove(match)
    return bool(wanted)


@lru_cache(maxsize=16384)
def _resembles(word: str, other: str) -> bool:
    if "*" in word or "?" in word:
        return wildcard(word)(other)
    if other.startswith(word):
        return True
    code = sound(word)
    return bool(code) and code == sound(other)


@lru_cache(maxsize=65536)
def sound(word: str) -> str:
    """The code of a word's sound; empty where it has no Latin letters, or just one."""
    letters = [letter for letter in word if "a" <= letter <= "z"]
    if len(letters) < 2 or len(letters) < len(word):
        return ""
    code = ["0" if letters[0] in _VOWELS else str(_SOUNDS.get(letters[0], "h"))]
    last = code[0]
    for letter in letters[1:]:
        if letter == "h":  # silent, and does not part two letters of one sound
            continue
        current = str(_SOUNDS.get(letter, ""))
        if current and current != last:
            code.append(current)
        last = current
    return "".join(code)
