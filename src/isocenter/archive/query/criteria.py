"""What a key of an identifier asks for (PS3.4 C.2.2.2), apart from any database.

The matching type follows from the VR and the characters of the value: universal, single value,
list of UID, wildcard, range, and where it was negotiated empty value. A backslash outside a UI
makes alternatives as well: many clients ask for "CT\\MR", and the standard leaves it open unless
multiple values were negotiated.
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
from isocenter.archive.query.date_times import date_time, date_time_range, end_of_time
from isocenter.archive.query.errors import InvalidQuery
from isocenter.dictionary.elements import format_tag, lookup_element

# SQLite binds at least 32,766 values in one statement, and nests at least 1,000 expressions.
MAX_VALUES = 30_000
MAX_PATTERNS = 100  # and names, since each is compared like a pattern
MAX_FUZZY_NAMES = 8  # each is held against every person of the archive

_NUMERIC = frozenset({"IS", "US"})
_RANGES = frozenset({"DA", "DT", "TM"})
_STARS = re.compile(r"\*[*]+")
_EMPTY = '""'


class Rules(NamedTuple):
    """What extended negotiation changes about matching (PS3.4 C.5.1.1)."""

    combined_date_time: bool = False
    """A date and its time are one point, and their ranges one interval (C.2.2.2.5)."""

    fuzzy_names: bool = False
    """Person names match by their words in any order, and by sound (see `fuzzy_names`)."""

    timezone_adjustment: bool = False
    """Dates and times are meant, and answered, in the identifier's timezone (C.2.2.2.1.1)."""

    empty_values: bool = False
    """Two double quotes ask for entities without a value."""


STANDARD = Rules()
"""What holds where nothing was negotiated."""


class AnyOf(NamedTuple):
    """The attribute equals one of `values` or matches one of `patterns` (`*` and `?`).

    `empty` asks for entities without a value, too. With none of these, nothing can match. `fuzzy`
    names are compared by `fuzzy_names`, and are all in `values`.
    """

    values: tuple[str | int, ...]
    patterns: tuple[str, ...] = ()
    empty: bool = False
    fuzzy: bool = False


class Between(NamedTuple):
    """The date or time lies in a range with both ends included; None leaves an end open."""

    low: str | int | None
    high: str | int | None


Criterion = AnyOf | Between


def parse_key(
    tag: int, vr: str, text: str, rules: Rules = STANDARD, *, limit: int = MAX_TEXT_CHARACTERS
) -> Criterion | None:
    """Return what `text` asks of the element `tag`, None for universal matching.

    Text longer than `limit` characters can equal nothing.

    Raises:
        InvalidQuery: the value has no meaning for this VR.
    """
    values = [value for part in text.split("\\") if (value := part.strip(" \0"))]
    if not values or any(value.strip("*") == "" for value in values):
        return None
    empty = rules.empty_values and _EMPTY in values
    if empty:
        values = [value for value in values if value != _EMPTY]
    if vr in _RANGES and len(values) == 1 and "-" in values[0]:
        return _range(tag, vr, values[0])
    if vr == "UI" or vr in _NUMERIC or vr in _RANGES:
        return AnyOf(tuple(_exact(tag, vr, value) for value in values), empty=empty)
    criterion = _alternatives(tag, values, MAX_NAME_CHARACTERS if vr == "PN" else limit)
    if vr == "PN":
        names = criterion.values + criterion.patterns
        if len(names) > (MAX_FUZZY_NAMES if rules.fuzzy_names else MAX_PATTERNS):
            raise _too_many(tag)
        if rules.fuzzy_names:
            return AnyOf(names, empty=empty, fuzzy=True)
    return criterion._replace(empty=empty)


def _alternatives(tag: int, values: list[str], limit: int) -> AnyOf:
    exact: list[str] = []
    patterns: list[str] = []
    for value in values:
        pattern = plain_text(_STARS.sub("*", value), limit=len(value))
        if len(pattern) - pattern.count("*") > limit:
            continue  # longer than anything that is compared
        (patterns if "*" in pattern or "?" in pattern else exact).append(pattern)
    if len(patterns) > MAX_PATTERNS:
        raise _too_many(tag)
    return AnyOf(tuple(exact), tuple(patterns))


def _too_many(tag: int) -> InvalidQuery:
    return InvalidQuery(f"{element_name(tag)} lists too many names or patterns.", tag)


def _exact(tag: int, vr: str, value: str) -> str | int:
    parsed: str | int | None
    if vr == "UI":
        parsed = None if "*" in value or "?" in value else value
    elif vr in _NUMERIC:
        parsed = integer(value.encode("ascii", "replace")) if len(value) <= 12 else None
    elif vr == "DT":
        parsed = date_time(value)
    else:
        parsed = date_number(value) if vr == "DA" else padded_time(value)
    if parsed is None:
        raise InvalidQuery(f"{element_name(tag)} holds what is no value for its VR, {vr}.", tag)
    return parsed


def _range(tag: int, vr: str, text: str) -> Criterion | None:
    if vr == "DT":
        return _date_time_range(tag, text)
    first, _, last = (part.strip() for part in text.partition("-"))
    low = _exact(tag, vr, first) if first else None
    high = _exact(tag, vr, last) if last else None
    if vr == "TM" and last:
        high = end_of_time(last, str(high))
    return None if low is None and high is None else Between(low, high)


def _date_time_range(tag: int, text: str) -> Criterion | None:
    if (single := date_time(text)) is not None:  # the hyphen was that of an offset from UTC
        return AnyOf((single,))
    ends = date_time_range(text)
    if ends is None:
        raise InvalidQuery(f"{element_name(tag)} holds what is no value for its VR, DT.", tag)
    return None if ends == (None, None) else Between(*ends)


def check_size(criteria: Mapping[int, Criterion]) -> None:
    """Raises InvalidQuery when there are more values than one statement can hold."""
    sizes = {tag: len(c.values) for tag, c in criteria.items() if isinstance(c, AnyOf)}
    if sum(sizes.values()) > MAX_VALUES:
        longest = max(sizes, key=sizes.__getitem__)
        raise InvalidQuery(
            f"A query lists at most {MAX_VALUES} values; "
            f"{element_name(longest)} lists {sizes[longest]}.",
            longest,
        )


def element_name(tag: int) -> str:
    """What an element is called in an error: its name and tag."""
    entry = lookup_element(tag)
    return f"{entry.name} {format_tag(tag)}" if entry else format_tag(tag)
