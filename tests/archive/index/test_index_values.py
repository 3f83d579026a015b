import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isocenter.archive.index.values import (
    MAX_TEXT_CHARACTERS,
    date_number,
    integer,
    padded_time,
    plain_text,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("20240131", 20240131),
        ("2024.01.31", 20240131),
        ("2024-01-31", 20240131),
        (" 20240131 ", 20240131),
        ("20241301", None),
        ("20240100", None),
        ("2024", None),
        ("", None),
        ("２０２４０１３１", None),
    ],
)
def test_a_date_becomes_a_number_or_nothing(text: str, number: int | None) -> None:
    assert date_number(text) == number


@pytest.mark.parametrize(
    ("text", "padded"),
    [
        ("10", "100000"),
        ("1015", "101500"),
        ("101530", "101530"),
        ("10:15:30", "101530"),
        ("101530.120000", "101530.12"),
        ("101530.000000", "101530"),
        ("235960", "235960"),
        ("24", None),
        ("1060", None),
        ("1", None),
        ("noon", None),
    ],
)
def test_a_time_is_padded_so_that_texts_compare_as_times(text: str, padded: str | None) -> None:
    assert padded_time(text) == padded


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        (b"12", 12),
        (b" -7 ", -7),
        (b"+3\0", 3),
        (b"2147483647", 2147483647),
        (b"2147483648", None),
        (b"1.5", None),
        (b"1\\2", None),
        (b"9" * 4000, None),
        (b"\xff", None),
    ],
)
def test_an_integer_string_becomes_a_number_or_nothing(raw: bytes, number: int | None) -> None:
    assert integer(raw) == number


@given(st.text())
@example("a\0b\ud800")
@example("x" * 1000)
def test_plain_text_is_short_printable_and_encodable(text: str) -> None:
    plain = plain_text(text)
    assert len(plain) <= MAX_TEXT_CHARACTERS
    assert plain == plain.strip(" ")
    assert not any(ord(character) < 32 for character in plain)
    plain.encode("utf-8")


@given(st.binary(max_size=24))
def test_no_bytes_make_an_integer_fail(raw: bytes) -> None:
    assert integer(raw) is None or abs(integer(raw) or 0) < 2**31
