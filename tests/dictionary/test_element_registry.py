"""The registry of data elements and the ways to write a tag."""

import pytest
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from isocenter.dictionary._element_table import ELEMENTS
from isocenter.dictionary.elements import (
    ElementEntry,
    format_tag,
    implicit_vr,
    lookup_element,
    parse_tag,
    sequence_tags,
    tag_for_keyword,
)
from isocenter.dictionary.errors import DictionaryError
from isocenter.encoding.forms import LONG_VRS, SHORT_VRS
from isocenter.errors import IsocenterError
from tools.make_dictionary import later_elements


def test_every_element_that_pydicom_knows_is_known() -> None:
    later = later_elements()
    for tag, (vr, vm, name, retired, keyword) in DicomDictionary.items():
        facts = later.get(tag, (vr, vm, name, keyword, bool(retired)))
        assert lookup_element(tag) == (tag, *facts)


@pytest.mark.parametrize(
    ("tag", "keyword"),
    [
        (0x00100012, "NameToUse"),
        (0x00189390, "MetalArtifactReductionSequence"),
        (0x30040020, "DoseUnitCodeSequence"),
    ],
)
def test_elements_of_edition_2026_are_known(tag: int, keyword: str) -> None:
    entry = lookup_element(tag)
    assert entry is not None
    assert entry.keyword == keyword
    assert tag_for_keyword(keyword) == tag


def test_what_a_later_edition_retired_is_retired() -> None:
    entry = lookup_element(0x00102160)  # Ethnic Group, which (0010,2162) took the place of
    assert entry is not None
    assert entry.retired


def test_every_repeating_element_is_known_in_any_group() -> None:
    for pattern, (vr, vm, name, retired, keyword) in RepeatersDictionary.items():
        tag = int(pattern.replace("x", "2"), 16)
        assert lookup_element(tag) == (tag, vr, vm, name, keyword, bool(retired))


@pytest.mark.parametrize("tag", [0x00091001, 0x60013000, 0x50010010, 0x0010FFFF])
def test_private_and_unknown_elements_have_no_entry(tag: int) -> None:
    assert lookup_element(tag) is None


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, "PN"),
        (0x00280106, "US"),
        (0x7FE00010, "OW"),
        (0x60023000, "OW"),
        (0x00090010, "LO"),
        (0x00091001, "UN"),
        (0x00100000, "UL"),
        (0x0010FFFF, "UN"),
        (0xFFFEE000, "UN"),
    ],
)
def test_implicit_form_gives_each_element_one_vr(tag: int, vr: str) -> None:
    assert implicit_vr(tag) == vr


def test_sequences_are_those_that_implicit_form_takes_for_one() -> None:
    known = set(ELEMENTS) | {0x50002600 | group << 16 for group in range(0x100)}
    assert sequence_tags() == {tag for tag in known if implicit_vr(tag) == "SQ"}


def test_every_vr_of_the_registry_can_be_encoded() -> None:
    vrs = {implicit_vr(tag) for tag in DicomDictionary}
    assert vrs <= LONG_VRS | SHORT_VRS


@pytest.mark.parametrize(
    "text", ["0010,0010", "(0010,0010)", "00100010", "PatientName", " PatientName "]
)
def test_a_tag_can_be_written_in_several_ways(text: str) -> None:
    assert parse_tag(text) == 0x00100010


@pytest.mark.parametrize("text", ["", "0010", "0010,00100", "Patient Name", "patientname", "0x10"])
def test_a_text_that_names_no_element_is_refused(text: str) -> None:
    with pytest.raises(DictionaryError) as caught:
        parse_tag(text)
    assert isinstance(caught.value, (IsocenterError, ValueError))


def test_keywords_and_tags_name_the_same_elements() -> None:
    assert tag_for_keyword("StudyInstanceUID") == 0x0020000D
    assert tag_for_keyword("OverlayData") == 0x60003000
    assert tag_for_keyword("NoSuchKeyword") is None


def test_a_tag_is_written_as_the_standard_writes_it() -> None:
    assert format_tag(0x7FE00010) == "(7FE0,0010)"
    assert parse_tag(format_tag(0x0020000D)) == 0x0020000D


def test_an_entry_names_its_columns() -> None:
    entry = lookup_element(0x00080060)
    assert isinstance(entry, ElementEntry)
    assert (entry.keyword, entry.vr, entry.vm, entry.retired) == ("Modality", "CS", "1", False)
