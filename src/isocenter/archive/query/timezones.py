"""Timezone query adjustment (PS3.4 C.2.2.2.1.2, C.4.1.1.3.1): dates and times in the asker's zone.

The zone of an entity is its Timezone Offset From UTC. An entity without one, and a date without a
time, stay as they are: nothing says by how much they differ.
"""

from collections.abc import Iterable

from isocenter.archive.index.attributes import TIMEZONE_OFFSET_FROM_UTC
from isocenter.archive.query.criteria import AnyOf, Between, Criterion
from isocenter.archive.query.data_sets import point_of
from isocenter.archive.query.date_times import (
    PAIRS,
    day_after,
    day_before,
    has_zone,
    offset_minutes,
    shifted,
)
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import neutral_text

ZONED_PAIRS = tuple(pair for pair in PAIRS if has_zone(pair[0]))
"""Dates and times that are those of a clock; a birthday is the same everywhere."""

ZONED = frozenset(tag for pair in ZONED_PAIRS for tag in pair)


def asked_zone(identifier: Elements) -> int | None:
    """The minutes from UTC that an identifier is written in, None where it does not say."""
    element = identifier.get(TIMEZONE_OFFSET_FROM_UTC)
    return None if element is None else offset_minutes(neutral_text(element))


def with_partners(tags: Iterable[int]) -> frozenset[int]:
    """What must be known to adjust the dates and times among `tags`."""
    asked = frozenset(tags)
    return frozenset(tag for pair in ZONED_PAIRS if asked & set(pair) for tag in pair)


def widened(criterion: Criterion) -> Between | None:
    """A range of dates that holds, in any zone, what `criterion` asks of a date in its own."""
    if isinstance(criterion, Between):
        low, high = criterion
    elif isinstance(criterion, AnyOf) and criterion.values and not criterion.empty:
        low, high = min(map(int, criterion.values)), max(map(int, criterion.values))
    else:
        return None
    return Between(
        None if low is None else day_before(int(low)),
        None if high is None else day_after(int(high)),
    )


def adjusted(elements: Elements, zone: int) -> Elements:
    """The elements with every date and time in `zone`, and Timezone Offset From UTC to say so."""
    stored = asked_zone(elements)
    if stored is None:
        return elements
    moved = dict(elements)
    for date_tag, time_tag in ZONED_PAIRS:
        date, time = point_of(elements, date_tag, time_tag)
        if date is None or time is None:
            continue
        point = shifted(date, time, zone - stored)
        if point is not None:
            moved[date_tag] = RawElement("DA", b"%08d" % point[0])
            moved[time_tag] = RawElement("TM", point[1].encode())
    sign = "-" if zone < 0 else "+"
    text = f"{sign}{abs(zone) // 60:02d}{abs(zone) % 60:02d}"
    moved[TIMEZONE_OFFSET_FROM_UTC] = RawElement("SH", text.encode())
    return moved
