"""The words of conformance statements: names of SOP classes and syntaxes, UIDs, yes and no."""

from __future__ import annotations

import re
from functools import cache
from itertools import dropwhile, takewhile
from typing import Literal, NamedTuple

from isocenter.dictionary._uid_table import UIDS

Kind = Literal["SOP class", "transfer syntax"]

_UID = re.compile(r"(?<![\d.])(?:1\.2\.840\.10008(?:\.\d{1,10}){1,12}|[12](?:\.\d{1,40}){5,20})")
_YES = frozenset({"y", "yes", "x", "✓", "✔", "●", "supported", "true"})
_NO = frozenset({"n", "no", "-", "–", "—", "none", "false"})
_SHORTEST = 8
"""Letters that a name must have to be looked for in running text."""


class Known(NamedTuple):
    """A UID of PS3.6 that a text names."""

    uid: str
    kind: Kind


def uids_in(text: str) -> list[str]:
    """What looks like a UID, in the order of the text; a full stop at the end is none of it."""
    return [found.rstrip(".") for found in _UID.findall(text)]


def kind_of(uid: str) -> Kind | None:
    """What a UID of PS3.6 is; None for any other, and for what is neither."""
    facts = UIDS.get(uid)
    if facts is None:
        return None
    if facts[1] == "Transfer Syntax":
        return "transfer syntax"
    return "SOP class" if facts[1].endswith("SOP Class") else None


def named_at_start(text: str) -> Known | None:
    """The SOP class or transfer syntax whose name a row begins with; the longest name counts."""
    words = text.split()[:24]
    for count in range(len(words), 0, -1):
        bare = _bare(" ".join(words[:count]))
        if len(bare) < _SHORTEST:
            return None
        if (found := _names().get(bare)) is not None:
            return found
    return None


def names_disagree(text: str, uid: str) -> bool:
    """Whether a row begins with the name of another UID than the one in it."""
    named = named_at_start(text)
    return named is not None and named.uid != uid and named.kind == kind_of(uid)


def answers_in(text: str) -> list[bool | None]:
    """The cells of a row from its first yes or no on; None for a cell that is neither ("Option").

    Where the columns are lost, single spaces between all words, only answers at the end count.
    """
    cells = [cell for cell in re.split(r"\s{2,}|\t|\|", text.strip()) if cell.strip()]
    answers = [_answer(cell) for cell in cells]
    if len(cells) > 1 or answers != [None]:
        return list(dropwhile(lambda answer: answer is None, answers))
    words = [_answer(word) for word in text.split()]
    at_end = list(takewhile(lambda answer: answer is not None, reversed(words)))
    return at_end[::-1]


def _answer(cell: str) -> bool | None:
    word = cell.strip().lower().rstrip("*.")
    if word in _YES:
        return True
    return False if word in _NO else None


@cache
def _names() -> dict[str, Known]:
    names: dict[str, Known] = {}
    for uid, (name, _, keyword, _) in UIDS.items():
        kind = kind_of(uid)
        if kind is None:
            continue
        spellings = [name, keyword, name.partition(" (")[0], name.partition(":")[0]]
        spellings += [one.removesuffix(" SOP Class") for one in spellings]
        for spelling in spellings:
            if len(_bare(spelling)) >= _SHORTEST:
                names.setdefault(_bare(spelling), Known(uid, kind))
    return names


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
