"""Dates and times as one: combined date-time matching, DT values and offsets from UTC.

PS3.4 C.2.2.2.5 (range matching), PS3.5 6.2 (DA, TM, DT).
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from isocenter.archive.index.values import date_number, padded_time

PAIRS: tuple[tuple[int, int], ...] = (
    (0x00080012, 0x00080013),  # Instance Creation
    (0x00080020, 0x00080030),  # Study
    (0x00080021, 0x00080031),  # Series
    (0x00080022, 0x00080032),  # Acquisition
    (0x00080023, 0x00080033),  # Content
    (0x00100030, 0x00100032),  # Patient's Birth
    (0x00181200, 0x00181201),  # Last Calibration
    (0x00400002, 0x00400003),  # Scheduled Procedure Step Start
    (0x00400004, 0x00400005),  # Scheduled Procedure Step End
    (0x00400244, 0x00400245),  # Performed Procedure Step Start
    (0x00400250, 0x00400251),  # Performed Procedure Step End
    (0x00402004, 0x00402005),  # Issue of Imaging Service Request
)
"""The dates (DA) that have a time (TM), by tag."""

_TIME_OF = dict(PAIRS)
_BIRTH_DATE = 0x00100030

_LAST_TIME = "235959.999999"
_OFFSET = re.compile(r"([+-])(\d\d)([0-5]\d)", re.ASCII)
_DATE_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(\d{2,6}(?:\.\d{1,6})?)?([+-]\d{4})?", re.ASCII)
_LONGEST_OFFSET = 14 * 60


class Interval(NamedTuple):
    """Points of time between two ends, both included; None leaves an end open.

    A point is a date and a time in the forms of the index: 20240131 and "101530.5".
    """

    low: tuple[int, str] | None
    high: tuple[int, str] | None

    def holds(self, date: int | None, time: str | None) -> bool:
        """A date without a time is any time of that day."""
        if date is None:
            return False
        if self.low is not None and (date, _LAST_TIME if time is None else time) < self.low:
            return False
        return self.high is None or (date, time or "") <= self.high


def interval(
    dates: tuple[int | None, int | None], times: tuple[str | None, str | None]
) -> Interval | None:
    """The interval from the first date at the first time to the last date at the last time.

    Ends are None where they are open. None where a time would have no date to belong to.
    """
    if (dates[0] is None and times[0] is not None) or (dates[1] is None and times[1] is not None):
        return None
    low = None if dates[0] is None else (dates[0], times[0] or "")
    high = None if dates[1] is None else (dates[1], times[1] or _LAST_TIME)
    return Interval(low, high)


def end_of_time(text: str, padded: str) -> str:
    """The last moment that a TM covers: "10" lasts until 10:59:59.999999."""
    digits = text.replace(":", "")
    if "." in digits:
        return padded
    return digits + _LAST_TIME[len(digits) :]


def date_time(text: str) -> str | None:
    """The first moment that a DT covers, comparable as text; None for what is no DT.

    With an offset it is in UTC, without one it stays as it is: nothing says which zone it is in.
    """
    return _moment(text, last=False)


def date_time_range(text: str) -> tuple[str | None, str | None] | None:
    """The ends of a range of DTs; None for what is no range.

    The hyphen of a range is told from that of an offset by what stands on both of its sides.
    """
    for found in re.finditer("-", text):
        first, last = text[: found.start()].strip(), text[found.end() :].strip()
        low, high = _moment(first, last=False), _moment(last, last=True)
        if (low is not None or not first) and (high is not None or not last):
            return low, high
    return None


def offset_minutes(text: str) -> int | None:
    """An offset from UTC such as "+0130" in minutes, None for anything else."""
    match = _OFFSET.fullmatch(text.strip(" \0"))
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    if minutes > _LONGEST_OFFSET:
        return None
    return -minutes if match[1] == "-" else minutes


def shifted(date: int, time: str, minutes: int) -> tuple[int, str] | None:
    """A point of time some minutes later; None outside of the calendar."""
    whole, dot, fraction = time.partition(".")
    hour, minute, second = (int(whole[place : place + 2]) for place in (0, 2, 4))
    try:  # a leap second is the one before it
        moment = datetime(
            date // 10000, date // 100 % 100, date % 100, hour, minute, min(second, 59)
        )
        moment += timedelta(minutes=minutes)
    except (ValueError, OverflowError):
        return None
    day = moment.year * 10000 + moment.month * 100 + moment.day
    return day, f"{moment:%H%M%S}{dot}{fraction}"


def day_before(date: int) -> int:
    """The day before; the date itself outside of the calendar."""
    moved = shifted(date, "000000", -24 * 60)
    return date if moved is None else moved[0]


def day_after(date: int) -> int:
    """The day after; the date itself outside of the calendar."""
    moved = shifted(date, "000000", 24 * 60)
    return date if moved is None else moved[0]


def has_zone(date_tag: int) -> bool:
    """Whether a date is one of the archive's clock; a birthday is the same in every zone."""
    return date_tag != _BIRTH_DATE


def _moment(text: str, *, last: bool) -> str | None:
    match = _DATE_TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, time, offset = match.groups()
    month, day = month or ("12" if last else "01"), day or ("31" if last else "01")
    date, padded = date_number(year + month + day), padded_time(time or "00")
    minutes = offset_minutes(offset) if offset else 0
    if date is None or padded is None or minutes is None:
        return None
    if last:
        padded = end_of_time(time or "", padded)
    date, padded = (shifted(date, padded, -minutes) if minutes else None) or (date, padded)
    return f"{date:08d}{padded}"
