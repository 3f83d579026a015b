"""Finding elements and UIDs by what a person remembers of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary._element_table import ELEMENTS
from isocenter.dictionary.search import find_elements, find_tag, find_uids


@pytest.mark.parametrize(
    "text",
    [
        "0010,0010",
        "(0010,0010)",
        "(0010, 0010)",
        "00100010",
        "0x00100010",
        "0010 0010",
        "0010:0010",
        " 0010,0010 ",
        "PatientName",
        "patientname",
        "Patient's Name",
        "patients name",
        "patient name",
        "PATIENT NAME",
    ],
)
def test_an_exact_spelling_finds_one_element(text: str) -> None:
    assert [entry.keyword for entry in find_elements(text)] == ["PatientName"]


@pytest.mark.parametrize(
    ("words", "keyword"),
    [
        ("patient birth", "PatientBirthDate"),
        ("image posit", "ImagePositionPatient"),
        ("patint nam", "PatientName"),
        ("pixl data", "PixelData"),
        ("study date", "StudyDate"),
        ("high bit", "HighBit"),
    ],
)
def test_words_find_the_likeliest_element_first(words: str, keyword: str) -> None:
    assert find_elements(words)[0].keyword == keyword


def test_a_repeating_group_is_found_by_its_pattern_and_in_any_group() -> None:
    assert find_elements("60xx,3000")[0].keyword == "OverlayData"
    assert find_elements("6002,3000")[0].tag == 0x60023000


def test_a_retired_element_stands_behind_those_in_use() -> None:
    found = find_elements("ethnic group")
    assert [entry.keyword for entry in found][:1] == ["EthnicGroup"]
    assert not find_elements("ethnic")[0].retired


def test_what_is_like_nothing_finds_nothing() -> None:
    assert find_elements("qqqqqq wwwwww") == []
    assert find_elements("") == []
    assert find_uids("qqqqqq") == []


@given(st.sampled_from(sorted(ELEMENTS)))
def test_every_keyword_finds_its_element(tag: int) -> None:
    keyword = ELEMENTS[tag][3]
    if keyword:
        assert keyword in [entry.keyword for entry in find_elements(keyword)]


@given(st.text())
def test_any_text_at_all_is_answered(text: str) -> None:
    assert len(find_elements(text, 5)) <= 5
    assert len(find_uids(text, 5)) <= 5
    find_tag(text)


@pytest.mark.parametrize(
    "text", ["1.2.840.10008.5.1.4.1.1.2", "CTImageStorage", "ct image storage", "CT Image Storage"]
)
def test_an_exact_spelling_finds_one_uid(text: str) -> None:
    assert [entry.name for entry in find_uids(text)] == ["CT Image Storage"]


def test_words_list_uids() -> None:
    names = [entry.name for entry in find_uids("explicit")]
    assert "Explicit VR Little Endian" in names
    assert len(names) > 1
