"""An identifier sorted: what the index answers, what stored headers do, and what nobody does."""

from collections.abc import Mapping
from typing import NamedTuple

from isocenter.archive.index.attributes import TIMEZONE_OFFSET_FROM_UTC, Level
from isocenter.archive.query.computed import COLUMNS
from isocenter.archive.query.criteria import Criterion, Rules, check_size, parse_key
from isocenter.archive.query.data_sets import combined_interval
from isocenter.archive.query.date_times import PAIRS, Interval
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query.model import QUERY_RETRIEVE_LEVEL
from isocenter.archive.query.timezones import ZONED, asked_zone, widened, with_partners
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import neutral_text

# Said in an identifier about the query, not asked of the archive's content.
_NO_KEYS = frozenset(
    {
        0x00080005,  # Specific Character Set
        QUERY_RETRIEVE_LEVEL,
        0x00080054,  # Retrieve AE Title
        TIMEZONE_OFFSET_FROM_UTC,
        0x00880130,  # Storage Media File-set ID and UID
        0x00880140,
    }
)

# What no stored header says, and what nothing here finds out.
_NEVER_STORED = frozenset(
    {
        0x00080053,  # Query/Retrieve View
        0x00080063,  # Anatomic Regions in Study Code Sequence
        0x00081190,  # Retrieve URL
    }
)

# A pattern costs its own length times that of a header's value, for each header.
MAX_PATTERN_BYTES = 2048

# Values of these are no keys: too large, or not known to be anything.
_BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


class Keys(NamedTuple):
    """What an identifier asks for, by who answers it."""

    returned: tuple[int, ...]
    """Attributes that the index returns."""
    criteria: dict[int, Criterion]
    intervals: dict[tuple[int, int], Interval]
    header: Elements
    """Keys on attributes of the stored header."""
    checked: Elements
    """Keys that the index cannot decide: they are held against each answer."""
    extra: frozenset[int]
    """Attributes that nobody asked for but that `checked` and `zone` need."""
    zone: int | None
    """The minutes from UTC of the answers; None where times are not adjusted."""
    unsupported: frozenset[int]


def sort_keys(at: Level, identifier: Elements, rules: Rules, *, headers: bool) -> Keys:
    """Sort the keys of a query at level `at`; `headers` says whether stored ones can be read.

    Raises:
        InvalidQuery: a key cannot mean anything.
    """
    asked = {tag: key for tag, key in identifier.items() if tag & 0xFFFF}
    returned = tuple(tag for tag, key in asked.items() if _is_indexed(at, tag, key))
    header = {tag: key for tag, key in asked.items() if headers and _is_in_header(tag, key.vr)}
    _check_patterns(header)
    criteria = _criteria(asked, returned, rules)
    check_size(criteria)
    left_out = asked.keys() - set(returned) - header.keys()
    keys = Keys(
        returned=returned,
        criteria=criteria,
        intervals={},
        header=header,
        checked=header,
        extra=frozenset(),
        zone=asked_zone(asked) if rules.timezone_adjustment and at >= Level.STUDY else None,
        unsupported=frozenset((left_out | _unheeded(asked, returned)) - _NO_KEYS),
    )
    if keys.zone is not None:
        return _in_any_zone(at, keys, asked)
    return _combined(keys) if rules.combined_date_time else keys


def _is_indexed(at: Level, tag: int, key: RawElement) -> bool:
    column = COLUMNS.get(tag)
    return column is not None and column.level <= at and not isinstance(key.value, list)


def _is_in_header(tag: int, vr: str) -> bool:
    """Private elements are left out: their meaning hangs on a block that a key does not reserve."""
    known = tag in COLUMNS or tag in _NO_KEYS or tag in _NEVER_STORED
    return not known and vr not in _BULK and not tag & 0x10000


def _unheeded(asked: Elements, returned: tuple[int, ...]) -> set[int]:
    """Keys with values on attributes that are returned but cannot be matched."""
    unmatched = (tag for tag in returned if COLUMNS[tag].condition is None)
    return {tag for tag in unmatched if neutral_text(asked[tag]).strip("* \0")}


def _check_patterns(header: Elements) -> None:
    if _pattern_bytes(header) > MAX_PATTERN_BYTES:
        raise InvalidQuery(
            f"The keys that are not in the index hold more than {MAX_PATTERN_BYTES} bytes of "
            "patterns; narrow the query by other keys."
        )


def _pattern_bytes(header: Elements) -> int:
    total = 0
    for value in (key.value for key in header.values()):
        if isinstance(value, list):
            total += sum(map(_pattern_bytes, value))
        elif b"*" in value or b"?" in value:
            total += len(value)
    return total


def _criteria(asked: Elements, returned: tuple[int, ...], rules: Rules) -> dict[int, Criterion]:
    criteria = {}
    for tag in returned:
        column = COLUMNS[tag]
        if column.condition is None or not asked[tag].value:
            continue
        criterion = parse_key(tag, column.vr, neutral_text(asked[tag]), rules)
        if criterion is not None:
            criteria[tag] = criterion
    return criteria


def _combined(keys: Keys) -> Keys:
    """Ranges of dates and times that mean one interval together (PS3.4 C.2.2.2.5)."""
    criteria, intervals = dict(keys.criteria), {}
    for date, time in PAIRS:
        if date in criteria and time in criteria:
            span = combined_interval(criteria[date], criteria[time])
            if span is not None:
                del criteria[date], criteria[time]
                intervals[date, time] = span
    return keys._replace(criteria=criteria, intervals=intervals)


def _in_any_zone(at: Level, keys: Keys, asked: Mapping[int, RawElement]) -> Keys:
    """Dates and times are decided when they have been adjusted; the index narrows the dates."""
    zoned = {tag: asked[tag] for tag in keys.criteria if tag in ZONED}
    criteria = {tag: found for tag, found in keys.criteria.items() if tag not in ZONED}
    for date, _ in PAIRS:
        if date in zoned and (wide := widened(keys.criteria[date])) is not None:
            criteria[date] = wide
    extra = with_partners((*keys.returned, *keys.header)) | {TIMEZONE_OFFSET_FROM_UTC}
    indexed = {tag for tag in extra if tag in COLUMNS and COLUMNS[tag].level <= at}
    in_header = {tag for tag in extra if tag not in COLUMNS}
    return keys._replace(
        criteria=criteria,
        checked={**keys.checked, **zoned},
        extra=frozenset((indexed | in_header) - set(keys.returned) - keys.header.keys()),
    )
