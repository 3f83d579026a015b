"""What a key of an identifier asks for (PS3.4 C.2.2.2), apart from any database.

The matching type follows from the VR and the characters of the value: universal, single value,
list of UID, wildcard, range. A backslash outside a UI makes alternatives as well: many clients
ask for "CT\\MR", and the standard leaves it open unless multiple values were negotiated.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from isocenter.archive.index.values import (
    MAX_TEXT_CHARACTERS,
    date_number,
    integer,
    padded_time,
    plain_text,
)
from isocenter.archive.names import MAX_NAME_CHARACTERS
from isocenter.archive.query.errors import InvalidQuery
from isocenter.dictionary.elements import format_tag, lookup_element

# SQLite binds at least 32,766 values in one statement, and nests at least 1,000 expressions.
MAX_VALUES = 30_000
MAX_PATTERNS = 100  # and names, since each is compared like a pattern

_NUMERIC = frozenset({"IS", "US"})
_RANGES = frozenset({"DA", "TM"})
_LAST_TIME = "235959.999999"
_STARS = re.compile(r"\*[*]+")


class AnyOf(NamedTuple):
    """The attribute equals one of `values` or matches one of `patterns` (`*` and `?`).

    With neither, nothing can match.
    """

    values: tuple[str | int, ...]
    patterns: tuple[str, ...] = ()


class Between(NamedTuple):
    """The date or time lies in a range with both ends included; None leaves an end open."""

    low: str | int | None
    high: str | int | None


Criterion = AnyOf | Between


def parse_key(tag: int, vr: str, text: str) -> Criterion | None:
    """Return what `text` asks of the element `tag`, None for universal matching.

    Raises:
        InvalidQuery: the value has no meaning for this VR.
    """
    values = [value for part in text.split("\\") if (value := part.strip(" \0"))]
    if not values or any(value.strip("*") == "" for value in values):
        return None
    if vr in _RANGES and len(values) == 1 and "-" in values[0]:
        return _range(tag, vr, values[0])
    if vr == "UI" or vr in _NUMERIC or vr in _RANGES:
        return AnyOf(tuple(_exact(tag, vr, value) for value in values))
    return _alternatives(tag, vr, values)


def _alternatives(tag: int, vr: str, values: list[str]) -> AnyOf:
    limit = MAX_NAME_CHARACTERS if vr == "PN" else MAX_TEXT_CHARACTERS
    exact: list[str] = []
    patterns: list[str] = []
    for value in values:
        pattern = plain_text(_STARS.sub("*", value), limit=len(value))
        if len(pattern) - pattern.count("*") > limit:
            continue  # longer than anything that the index holds
        (patterns if "*" in pattern or "?" in pattern else exact).append(pattern)
    if len(patterns) + (len(exact) if vr == "PN" else 0) > MAX_PATTERNS:
        raise InvalidQuery(f"{_name(tag)} lists more than {MAX_PATTERNS} patterns.", tag)
    return AnyOf(tuple(exact), tuple(patterns))


def _exact(tag: int, vr: str, value: str) -> str | int:
    parsed: str | int | None
    if vr == "UI":
        parsed = None if "*" in value or "?" in value else value
    elif vr in _NUMERIC:
        parsed = integer(value.encode("ascii", "replace")) if len(value) <= 12 else None
    else:
        parsed = date_number(value) if vr == "DA" else padded_time(value)
    if parsed is None:
        raise InvalidQuery(f"{_name(tag)} holds what is no value for its VR, {vr}.", tag)
    return parsed


def _range(tag: int, vr: str, text: str) -> Between | None:
    first, _, last = (part.strip() for part in text.partition("-"))
    low = _exact(tag, vr, first) if first else None
    high = _exact(tag, vr, last) if last else None
    if vr == "TM" and last:
        high = _end_of_time(last, str(high))
    return None if low is None and high is None else Between(low, high)


def _end_of_time(text: str, padded: str) -> str:
    """The last moment that `text` covers: "10" lasts until 10:59:59.999999."""
    digits = text.replace(":", "")
    if "." in digits:
        return padded
    return digits + _LAST_TIME[len(digits) :]


def check_size(criteria: Mapping[int, Criterion]) -> None:
    """Raises InvalidQuery when there are more values than one statement can hold."""
    sizes = {tag: len(c.values) for tag, c in criteria.items() if isinstance(c, AnyOf)}
    if sum(sizes.values()) > MAX_VALUES:
        longest = max(sizes, key=sizes.__getitem__)
        raise InvalidQuery(
            f"A query lists at most {MAX_VALUES} values; {_name(longest)} lists {sizes[longest]}.",
            longest,
        )


def _name(tag: int) -> str:
    entry = lookup_element(tag)
    return f"{entry.name} {format_tag(tag)}" if entry else format_tag(tag)
