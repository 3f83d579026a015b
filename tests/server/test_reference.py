"""What `isocenter tag`, `uid` and `vr` answer, as a web page would ask."""

import json

import pytest

from isocenter.dictionary.elements import parse_tag
from isocenter.server.reference import (
    check_value,
    element_facts,
    search_elements,
    search_uids,
    vr_facts,
)

FIRST_FIELDS = {
    "PatientName": ("PN", "PATIENT", "2"),
    "PatientID": ("LO", "PATIENT", "2"),
    "PatientBirthDate": ("DA", "PATIENT", "2"),
    "PatientSex": ("CS", "PATIENT", "2"),
    "StudyInstanceUID": ("UI", "STUDY", "1"),
    "StudyDate": ("DA", "STUDY", "2"),
    "StudyTime": ("TM", "STUDY", "2"),
    "StudyDescription": ("LO", "STUDY", "3"),
    "Rows": ("US", "IMAGE", "1"),
    "Columns": ("US", "IMAGE", "1"),
    "BitsAllocated": ("US", "IMAGE", "1"),
    "HighBit": ("US", "IMAGE", "1"),
}


@pytest.mark.parametrize(("keyword", "expected"), FIRST_FIELDS.items())
def test_the_twelve_fields_that_everyone_meets_first(
    keyword: str, expected: tuple[str, str, str]
) -> None:
    vr, level, type_ = expected
    facts = element_facts(parse_tag(keyword))
    assert facts["vr"] == vr
    assert facts["query"]["level"] == level
    ct = next(one for one in facts["iods"] if one["iod"] == "CT Image")
    assert type_ in {use["type"] for use in ct["uses"] if use["usage"] == "M"}
    assert json.loads(json.dumps(facts)) == facts


def test_a_private_element_is_described_by_its_number() -> None:
    assert search_elements("0009,1001")[0]["name"] == "Private element"
    assert search_elements("0009,0010")[0]["name"] == "Private Creator"
    assert element_facts(0x00091001)["basic_profile"]["action"] == "X"


def test_a_code_element_lists_a_bounded_number_of_places() -> None:
    facts = element_facts(parse_tag("CodeValue"))
    assert len(facts["modules"]) < facts["places"]
    assert len(json.dumps(facts)) < 200_000


def test_a_storage_sop_class_has_its_iod() -> None:
    (facts,) = search_uids("CTImageStorage")
    assert facts["iod"]["name"] == "CT Image"
    assert {"module": "patient", "usage": "M"} in facts["iod"]["modules"]


def test_a_transfer_syntax_has_none() -> None:
    (facts,) = search_uids("1.2.840.10008.1.2")
    assert facts["iod"] is None


def test_vrs_are_described() -> None:
    assert len(vr_facts()) == 34
    assert vr_facts("pn")[0]["name"] == "Person Name"
    assert vr_facts("XX") == []


@pytest.mark.parametrize(
    ("vr", "text", "count"),
    [
        ("PN", "Doe^John", 0),
        ("PN", "a^b^c^d^e^f", 1),
        ("UI", "1.2.03", 1),
        ("DA", "20240230", 1),
        ("TM", "2561", 1),
        ("CS", "ORIGINAL\\primary", 1),
        ("US", "512", 0),
        ("US", "70000", 1),
        ("US", "five", 1),
        ("US or SS", "-1", 1),
        ("LO", "x" * 65, 1),
    ],
)
def test_values_are_checked_against_their_vr(vr: str, text: str, count: int) -> None:
    assert len(check_value(vr, text)) == count
