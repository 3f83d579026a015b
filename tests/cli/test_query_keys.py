"""-k: from the command line to an identifier, and from an identifier back to text."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.cli.matches import table_row, to_json
from isocenter.cli.query_keys import (
    Key,
    QueryKeyError,
    columns,
    complete_keys,
    identifier,
    parse_key,
)
from isocenter.encoding.elements import Elements, RawElement
from isocenter.errors import IsocenterError
from tests.cli.helpers import text_elements

LEVEL, CHARACTER_SET, NAME, ROWS = 0x00080052, 0x00080005, 0x00100010, 0x00280010


@pytest.mark.parametrize("attribute", ["PatientName", "0010,0010", "(0010,0010)", "00100010"])
def test_every_spelling_of_a_key_is_understood(attribute: str) -> None:
    assert parse_key(f"{attribute}=DOE^J=x*") == Key(NAME, "PN", "DOE^J=x*")
    assert parse_key(attribute) == parse_key(f"{attribute}=") == Key(NAME, "PN", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=X",
        "PatienName=X",
        "0010",
        "0002,0010",
        "FFFE,E000",
        "0010,0000",
        "0000,0100=1",
        "ScheduledProcedureStepSequence[0].Modality=CT",
        "0040,0100[0].0008,0060",
    ],
)
def test_what_is_not_a_key_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(IsocenterError, match=r"\.$"):
        parse_key(text)


def test_a_bare_query_asks_for_the_usual_attributes_of_its_level() -> None:
    keys = complete_keys([parse_key("PatientName=DOE*")], None, "STUDY")
    assert keys[0] == Key(LEVEL, "CS", "STUDY")
    assert [key.name for key in columns(keys)][:3] == ["PatientName", "PatientID", "StudyDate"]
    assert "StudyInstanceUID" in {key.name for key in keys}


def test_who_names_return_keys_gets_only_those() -> None:
    keys = complete_keys([parse_key("PatientName=DOE*"), parse_key("StudyDate")], None, "STUDY")
    assert [key.name for key in columns(keys)] == ["PatientName", "StudyDate"]


def test_the_level_comes_from_the_option_the_key_or_the_model() -> None:
    key = parse_key("QueryRetrieveLevel=series")
    assert complete_keys([key], None, "STUDY")[0].value == "SERIES"
    assert complete_keys([key], "IMAGE", "STUDY")[0].value == "IMAGE"
    assert complete_keys([], None, "PATIENT")[0].value == "PATIENT"
    with pytest.raises(QueryKeyError, match="not a level"):
        complete_keys([parse_key("QueryRetrieveLevel=BANANA")], None, "STUDY")


def test_an_identifier_beyond_ascii_says_its_character_set() -> None:
    plain = identifier([parse_key("PatientName=DOE")])
    assert plain == {NAME: RawElement("PN", b"DOE")}
    greek = identifier([parse_key("PatientName=Διον*")])
    assert greek[CHARACTER_SET].value == b"ISO_IR 192"
    assert greek[NAME].value == "Διον*".encode()
    wished = identifier(
        [parse_key("SpecificCharacterSet=ISO_IR 100"), parse_key("PatientName=Bük")]
    )
    assert (wished[CHARACTER_SET].value, wished[NAME].value) == (b"ISO_IR 100", b"B\xfck")


def test_binary_values_are_encoded_as_numbers() -> None:
    keys = [parse_key(text) for text in ("Rows=512\\1024", "0018,9318=1.5", "0028,0009=00181063")]
    elements = identifier(keys)
    assert elements[ROWS].value == struct.pack("<HH", 512, 1024)
    assert elements[0x00189318].value == struct.pack("<d", 1.5)
    assert elements[0x00280009].value == b"\x18\x00\x63\x10"


@pytest.mark.parametrize("text", ["Rows=x", "Rows=70000", "PixelData=1", "0028,0009=banana"])
def test_a_value_that_its_vr_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(QueryKeyError, match=r"\.$"):
        identifier([parse_key(text)])


def test_a_sequence_is_asked_for_without_items() -> None:
    assert identifier([parse_key("ReferencedStudySequence")])[0x00081110] == RawElement("SQ", [])


def test_a_row_has_the_keys_in_their_order_and_nothing_for_what_is_absent() -> None:
    match = text_elements(PatientName="Дмитрий", PatientID="7 ")
    keys = [parse_key("PatientID"), parse_key("StudyDate"), parse_key("PatientName")]
    assert table_row(match, keys) == ["7", "", "Дмитрий"]


def test_values_that_are_no_text_are_shown_all_the_same() -> None:
    match: Elements = {
        ROWS: RawElement("US", struct.pack("<HH", 512, 7)),
        0x00189318: RawElement("FD", struct.pack("<d", 1.5) + b"odd"),
        0x00280009: RawElement("AT", b"\x18\x00\x63\x10"),
        0x00081110: RawElement("SQ", [{}, {}]),
        0x7FE00010: RawElement("OW", b"1234"),
    }
    keys = [Key(tag, "UN", "") for tag in match]
    assert table_row(match, keys) == ["512\\7", "1.5", "(0018,1063)", "(2 items)", "(4 bytes)"]


def test_json_is_the_dicom_json_model_in_unicode() -> None:
    match = identifier(
        [parse_key("SpecificCharacterSet=ISO_IR 100"), parse_key("PatientName=Bük^A")]
    )
    match[ROWS] = RawElement("US", struct.pack("<H", 512))
    model = to_json(match)
    assert model == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Bük^A"}]},
        "00280010": {"vr": "US", "Value": [512]},
    }


@given(
    st.dictionaries(
        st.sampled_from([NAME, ROWS, 0x00081110, 0x00080020, 0x00201208, 0x00189318, 0x00280009]),
        st.binary(max_size=40),
        max_size=4,
    )
)
def test_whatever_a_peer_puts_into_a_match_is_shown(values: dict[int, bytes]) -> None:
    from isocenter.dictionary.elements import implicit_vr

    match: Elements = {
        tag: RawElement(implicit_vr(tag), [] if implicit_vr(tag) == "SQ" else value)
        for tag, value in values.items()
    }
    row = table_row(match, [Key(tag, "UN", "") for tag in values])
    assert len(row) == len(values)
    json.dumps(to_json(match))
