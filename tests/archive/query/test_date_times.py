"""Dates with times, offsets from UTC and DT values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.query.date_times import (
    date_time,
    date_time_range,
    day_after,
    day_before,
    offset_minutes,
    shifted,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024", "20240101000000"),
        ("202403", "20240301000000"),
        ("20240131", "20240131000000"),
        ("2024013110", "20240131100000"),
        ("20240131101530.500", "20240131101530.5"),
        ("20240131101530+0100", "20240131091530"),
        ("202401310030+0100", "20240130233000"),
        ("2024-0500", "20240101050000"),
        ("2024-9900", None),
        ("20241301", None),
        ("soon", None),
        ("", None),
    ],
)
def test_the_first_moment_of_a_date_time(text: str, moment: str | None):
    assert date_time(text) == moment


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2024-", ("20240101000000", None)),
        ("-2024", (None, "20241231235959.999999")),
        ("2023-2024", ("20230101000000", "20241231235959.999999")),
        ("20240131-0500-", ("20240131050000", None)),
        ("20240131+0000-2024020110", ("20240131000000", "20240201105959.999999")),
        ("soon-later", None),
    ],
)
def test_the_ends_of_a_range(text: str, ends: tuple[str | None, str | None] | None):
    assert date_time_range(text) == ends


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("+0000", 0), ("+0130", 90), ("-0500", -300), ("0100", None), ("+1500", None), ("", None)],
)
def test_offsets_from_utc(text: str, minutes: int | None):
    assert offset_minutes(text) == minutes


def test_the_calendar_has_ends():
    assert shifted(99991231, "235959", 1) is None
    assert shifted(20240230, "100000", 1) is None
    assert day_after(99991231) == 99991231
    assert day_before(20240301) == 20240229


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)), st.integers(-840, 840))
def test_shifting_is_what_the_calendar_says(moment: datetime, minutes: int):
    moment = moment.replace(microsecond=0)
    date, time = int(f"{moment.year:04d}{moment:%m%d}"), f"{moment:%H%M%S}"
    later = moment + timedelta(minutes=minutes)
    assert shifted(date, time, minutes) == (
        int(f"{later.year:04d}{later:%m%d}"), f"{later:%H%M%S}"
    )  # fmt: skip


@given(st.datetimes(datetime(1000, 1, 2), datetime(9998, 1, 1)), st.integers(-720, 720))
def test_a_date_time_with_an_offset_is_in_utc(moment: datetime, minutes: int):
    moment = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    utc = moment.astimezone(UTC)
    assert date_time(f"{moment:%Y%m%d%H%M%S%z}") == f"{utc:%Y%m%d%H%M%S}"
