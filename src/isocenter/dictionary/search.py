"""Finding a data element or a UID by whatever a person remembers of it.

An exact tag or keyword is one answer; words are compared with the names of PS3.6, and the best
matches come first. Nothing is loaded but the two tables.
"""

import difflib
import re
from collections.abc import Iterable
from functools import cache

from isocenter.dictionary.elements import ElementEntry, lookup_element
from isocenter.dictionary.uids import UIDEntry, lookup_uid

LONGEST_QUERY = 200
"""Characters of a query that are looked at."""

_TAG = re.compile(r"\(?\s*(?:0[xX])?([0-9A-Fa-f]{4})\s*[,:. ]?\s*([0-9A-Fa-f]{4})\s*\)?")
_REPEATING = re.compile(r"\(?\s*(50|60|7[fF])[xX]{2}\s*,?\s*([0-9A-Fa-f]{4})\s*\)?")
_WORD = re.compile(r"[a-z]+|[0-9]+")
_IN_KEYWORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def find_tag(text: str) -> int | None:
    """The tag that `text` spells: "0010,0010", "(0010,0010)", "0x00100010", "60xx,3000"."""
    if match := _TAG.fullmatch(text.strip()):
        return int(match[1] + match[2], 16)
    if match := _REPEATING.fullmatch(text.strip()):
        return int(f"{match[1]}00{match[2]}", 16)
    return None


def find_elements(text: str, limit: int = 20) -> list[ElementEntry]:
    """The elements that `text` may mean, the likeliest first; only one where it is exact.

    `text` is a tag in any usual spelling, a keyword, or words of a name in any case and order,
    also with letters wrong or missing at the end.
    """
    text = text[:LONGEST_QUERY]
    tag = find_tag(text)
    if tag is not None:
        entry = lookup_element(tag)
        return [entry] if entry is not None else []
    bare = "".join(_words(text))
    exact = _by_bare_name().get(bare)
    entries = [exact] if exact is not None else _ranked(text, limit)
    return [entry for tag in entries if (entry := lookup_element(tag)) is not None]


def find_uids(text: str, limit: int = 20) -> list[UIDEntry]:
    """The registered UIDs that `text` may mean: itself, a keyword, or words of a name."""
    from isocenter.dictionary._uid_table import UIDS

    text = text[:LONGEST_QUERY].strip()
    entry = lookup_uid(text)
    if entry is not None:
        return [entry]
    if re.fullmatch(r"[0-9.]+", text):
        return []
    entries = [UIDEntry(uid, *facts) for uid, facts in UIDS.items()]
    bare = "".join(_words(text))
    for one in entries:
        if bare and bare in (one.keyword.lower(), "".join(_words(one.name))):
            return [one]
    scored = [(_score(_words(text), _words(one.name)), one) for one in entries]
    best = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: (-pair[0], pair[1]))
    return [one for _, one in best[:limit]]


def _ranked(text: str, limit: int) -> list[int]:
    wanted = _words(text)
    if not wanted:
        return []
    scored = []
    for tag, words, retired in _names():
        score = _score(wanted, words)
        if score > 0:
            scored.append((-score + (0.5 if retired else 0.0), len(words), tag))
    if not scored:
        return _close(wanted, limit)
    return [tag for _, _, tag in sorted(scored)[:limit]]


def _score(wanted: list[str], words: list[str]) -> float:
    """How well `words` answer; 0 where a wanted word is not there at all."""
    if not wanted:
        return 0.0
    total = 0.0
    for one in wanted:
        if one in words:
            total += 1.0
        elif any(word.startswith(one) for word in words):
            total += 0.7
        elif len(one) >= 4 and any(one in word for word in words):
            total += 0.4
        else:
            return 0.0
    return total * len(wanted) / (len(wanted) + 0.2 * abs(len(words) - len(wanted)))


def _close(wanted: list[str], limit: int) -> list[int]:
    """Where no name has all words: each is taken for the nearest word that some name has."""
    vocabulary = _vocabulary()
    nearest = [difflib.get_close_matches(one, vocabulary, n=1, cutoff=0.75) for one in wanted]
    if not all(nearest):
        return []
    corrected = [found[0] for found in nearest]
    return _ranked(" ".join(corrected), limit) if corrected != wanted else []


def _words(text: str) -> list[str]:
    """Lower-case words; "Patient's" is "patients", and a keyword falls into its words."""
    spaced = _IN_KEYWORD.sub(" ", text.replace("'", "").replace("’", ""))
    return _WORD.findall(spaced.lower())


@cache
def _names() -> tuple[tuple[int, list[str], bool], ...]:
    from isocenter.dictionary._element_table import ELEMENTS, REPEATERS

    rows: list[tuple[int, str, bool]] = [
        (tag, name, retired) for tag, (_, _, name, _, retired) in ELEMENTS.items()
    ]
    rows.extend((tag, name, retired) for _, tag, _, _, name, _, retired in REPEATERS)
    return tuple((tag, _words(name), retired) for tag, name, retired in rows if name)


@cache
def _by_bare_name() -> dict[str, int]:
    from isocenter.dictionary._element_table import ELEMENTS, REPEATERS

    rows: Iterable[tuple[int, str, str, bool]] = (
        *((tag, name, keyword, retired) for _, tag, _, _, name, keyword, retired in REPEATERS),
        *(
            (tag, name, keyword, retired)
            for tag, (_, _, name, keyword, retired) in ELEMENTS.items()
        ),
    )
    found: dict[str, int] = {}
    for tag, name, keyword, _ in sorted(rows, key=lambda row: (not row[3], -row[0])):
        # Later rows win: those that are not retired, and the lowest tag among them.
        found["".join(_words(name))] = tag
        found["".join(_words(keyword))] = tag
    found.pop("", None)
    return found


@cache
def _vocabulary() -> tuple[str, ...]:
    return tuple(sorted({word for _, words, _ in _names() for word in words}))
