"""The rules of PS3.5 6.2, VR by VR, on the fields that everyone meets first and beyond."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.valuerep import validate_value

from isocenter.dictionary._element_table import ELEMENTS
from isocenter.dictionary.value_representations import VALUE_REPRESENTATIONS
from isocenter.encoding.forms import LONG_VRS, SHORT_VRS
from isocenter.encoding.value_rules import (
    check_multiplicity,
    check_number,
    check_text,
    split_values,
)


def kinds(vr: str, value: str) -> list[str]:
    return [problem.kind for problem in check_text(vr, value)]


GOOD = [
    ("PN", "Doe^John^^Dr.^Jr."),
    ("PN", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    ("PN", "X" * 64 + "=" + "Y" * 64),
    ("LO", "4711"),
    ("LO", "X" * 64),
    ("DA", "19700101"),
    ("DA", "20240229"),
    ("CS", "M"),
    ("CS", "HEAD_NECK 2"),
    ("UI", "1.2.840.10008.5.1.4.1.1.2"),
    ("UI", "2.25." + "1" * 59),
    ("UI", "0.0"),
    ("TM", "07"),
    ("TM", "0759"),
    ("TM", "075959.123456"),
    ("TM", "235960"),
    ("DT", "2024"),
    ("DT", "20240229101112.5+0130"),
    ("AS", "018M"),
    ("DS", "-1.5E-3"),
    ("DS", " 12 "),
    ("IS", "-2147483648"),
    ("AE", "STORE_SCP 1"),
    ("SH", "X" * 16),
    ("LT", "two\r\nlines and a \\ backslash"),
    ("UR", "https://example.org/a?b=c"),
    ("UN", "\x00\x01"),
]


@pytest.mark.parametrize(("vr", "value"), GOOD)
def test_a_value_as_the_standard_wants_it_is_in_order(vr: str, value: str) -> None:
    assert kinds(vr, value) == []


@pytest.mark.parametrize(
    ("vr", "value", "kind"),
    [
        ("PN", "X" * 65, "length"),
        ("PN", "a^b^c^d^e^f", "form"),
        ("PN", "a=b=c=d", "form"),
        ("PN", "Doe\tJohn", "characters"),
        ("LO", "X" * 65, "length"),
        ("LO", "a\x07", "characters"),
        ("LO", "a\\b", "characters"),
        ("DA", "20230229", "range"),
        ("DA", "2024.02.29", "form"),
        ("DA", "2024", "form"),
        ("DA", "00000101", "range"),
        ("CS", "male", "characters"),
        ("CS", "X" * 17, "length"),
        ("UI", "1.2.03", "form"),
        ("UI", "1..2", "form"),
        ("UI", "1.2.", "form"),
        ("UI", "1.2.a", "characters"),
        ("UI", "3.1", "form"),
        ("UI", "1.40.1", "form"),
        ("UI", "2.25." + "1" * 60, "length"),
        ("TM", "24", "range"),
        ("TM", "12:30:00", "form"),
        ("TM", "1260", "range"),
        ("TM", "123456.1234567", "form"),
        ("DT", "20241301", "range"),
        ("DT", "2024-0000", "range"),
        ("DT", "2024+1500", "range"),
        ("AS", "18Y", "form"),
        ("DS", "1,5", "form"),
        ("DS", "0.12345678901234567", "length"),
        ("IS", "2147483648", "range"),
        ("IS", "1.0", "form"),
        ("AE", "   ", "form"),
        ("AE", "Ä", "characters"),
        ("SH", "X" * 17, "length"),
        ("UR", " http://example.org", "form"),
        ("UR", "http://a b", "characters"),
    ],
)
def test_a_value_that_breaks_a_rule_is_found(vr: str, value: str, kind: str) -> None:
    assert kind in kinds(vr, value)


def test_an_empty_value_is_a_question_of_types_not_of_form() -> None:
    assert all(kinds(vr, "") == [] for vr in VALUE_REPRESENTATIONS)


@pytest.mark.parametrize(
    ("vr", "value", "in_order"),
    [
        ("US", 0, True),
        ("US", 65535, True),
        ("US", 65536, False),
        ("US", -1, False),
        ("SS", -32768, True),
        ("SS", 32768, False),
        ("UL", 1 << 32, False),
        ("SV", -(1 << 63), True),
    ],
)
def test_numbers_have_ranges(vr: str, value: int, in_order: bool) -> None:
    assert (list(check_number(vr, value)) == []) is in_order


@pytest.mark.parametrize(
    ("vm", "counts"),
    [
        ("1", {1}),
        ("3", {3}),
        ("1-3", {1, 2, 3}),
        ("1-n", set(range(1, 9))),
        ("2-n", set(range(2, 9))),
        ("2-2n", {2, 4, 6, 8}),
        ("3-3n", {3, 6}),
        ("1 or 3", {1, 3}),
    ],
)
def test_multiplicities_are_read_as_ps36_writes_them(vm: str, counts: set[int]) -> None:
    assert {count for count in range(9) if check_multiplicity(vm, count)} == counts


def test_every_multiplicity_of_the_dictionary_can_be_met() -> None:
    for _, vm, *_ in ELEMENTS.values():
        assert any(check_multiplicity(vm, count) for count in range(1, 100))


def test_padding_is_no_part_of_a_value() -> None:
    assert split_values("CS", "ORIGINAL\\ PRIMARY ") == ["ORIGINAL", "PRIMARY"]
    assert split_values("LT", " a\\b ") == [" a\\b"]
    assert split_values("UI", "1.2\0") == ["1.2"]


def test_every_vr_of_the_encoding_is_described() -> None:
    assert set(VALUE_REPRESENTATIONS) == LONG_VRS | SHORT_VRS


@given(st.sampled_from(sorted(VALUE_REPRESENTATIONS)), st.text(max_size=80))
def test_any_text_is_judged(vr: str, value: str) -> None:
    for problem in check_text(vr, value):
        assert problem.kind in {"length", "characters", "form", "range"}


@given(st.dates())
def test_every_day_is_a_date(day) -> None:
    assert kinds("DA", day.strftime("%Y%m%d").rjust(8, "0")) == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_decimal_strings_are_what_python_reads_as_numbers(number: float) -> None:
    text = f"{number:.8g}"
    assert kinds("DS", text) == []
    assert math.isfinite(float(text))


@given(st.sampled_from(["DA", "TM", "DT", "AS", "UI"]), st.from_regex(r"\A[0-9.+WY]{1,20}\Z"))
def test_what_pydicom_refuses_is_refused_here(vr: str, value: str) -> None:
    accepted, _ = _pydicom_says(vr, value)
    if not accepted:
        assert kinds(vr, value)


def _pydicom_says(vr: str, value: str) -> tuple[bool, str]:
    from pydicom.config import RAISE

    try:
        validate_value(vr, value, RAISE)
    except ValueError as error:
        return False, str(error)
    return True, ""
