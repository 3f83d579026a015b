"""Keys of a query: from what people write to the identifier that is sent."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.errors import IsocenterError
from isocenter.services.information_models import (
    PATIENT_ROOT,
    PATIENT_STUDY_ONLY,
    QUERY_MODELS,
    STUDY_ROOT,
    WORKLIST,
)
from isocenter.services.query_identifier import (
    build_identifier,
    find_element,
    leaves,
    query_identifier,
)
from isocenter.services.query_keys import MOST_ITEMS, Key, QueryKeyError, Step, parse_key

LEVEL, CHARACTER_SET, NAME, ROWS = 0x00080052, 0x00080005, 0x00100010, 0x00280010
STEPS, MODALITY, TITLE = 0x00400100, 0x00080060, 0x00400001


def keys(*texts: str) -> list[Key]:
    return [parse_key(text) for text in texts]


def names(identifier: Elements) -> list[str]:
    return [key.path for key in leaves(identifier)]


@pytest.mark.parametrize("attribute", ["PatientName", "0010,0010", "(0010,0010)", "00100010"])
def test_every_spelling_of_a_key_is_understood(attribute: str) -> None:
    assert parse_key(f"{attribute}=DOE^J=x*") == Key(NAME, "PN", "DOE^J=x*")
    assert parse_key(attribute) == parse_key(f"{attribute}=") == Key(NAME, "PN", "")


@pytest.mark.parametrize(
    "path",
    [
        "ScheduledProcedureStepSequence[0].Modality",
        "ScheduledProcedureStepSequence.Modality",
        "(0040,0100)[0].(0008,0060)",
        "0040,0100[0].0008,0060",
        "00400100.Modality",
    ],
)
def test_every_spelling_of_a_path_is_understood(path: str) -> None:
    key = parse_key(f"{path}=CT")
    assert key == Key(MODALITY, "CS", "CT", (Step(STEPS, 0),))
    assert parse_key(f"{key.path}=CT") == key


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
        "PatientName.Modality=CT",
        "PatientName[0]",
        "ScheduledProcedureStepSequence[-1].Modality",
        "ScheduledProcedureStepSequence[*].Modality",
        f"ScheduledProcedureStepSequence[{MOST_ITEMS}].Modality",
        "ScheduledProcedureStepSequence[999999999999].Modality",
        "ScheduledProcedureStepSequence..Modality",
        ".Modality",
        "ScheduledProcedureStepSequence[0]Modality",
        ".".join(["ContentSequence"] * 5000),
    ],
)
def test_what_is_not_a_key_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(IsocenterError, match=r"\.$"):
        parse_key(text)


@given(st.text(alphabet="()[].,=0123456789ABCDEFaMS ScheduledProcedureStepSequence*", max_size=60))
def test_whatever_is_written_is_a_key_or_a_sentence(text: str) -> None:
    key = None
    with suppress(IsocenterError):
        key = parse_key(text)
    assert key is None or parse_key(key.path) == key._replace(value="")


def test_a_path_puts_its_value_into_an_item() -> None:
    identifier = build_identifier(
        keys(
            "ScheduledProcedureStepSequence[0].Modality=CT",
            "ScheduledProcedureStepSequence.ScheduledStationAETitle",
            "ScheduledProcedureStepSequence[2].Modality=MR",
        )
    )
    first = {MODALITY: RawElement("CS", b"CT"), TITLE: RawElement("AE", b"")}
    third = {MODALITY: RawElement("CS", b"MR")}
    assert identifier == {STEPS: RawElement("SQ", [first, {}, third])}
    last = parse_key("ScheduledProcedureStepSequence[2].Modality")
    assert find_element(identifier, last) == RawElement("CS", b"MR")
    assert find_element(identifier, parse_key("ReferencedStudySequence[0].Modality")) is None


def test_a_sequence_is_asked_for_without_items_or_with_an_empty_one() -> None:
    assert build_identifier(keys("ReferencedStudySequence")) == {0x00081110: RawElement("SQ", [])}
    assert build_identifier(keys("ReferencedStudySequence[0]")) == {
        0x00081110: RawElement("SQ", [{}])
    }


def test_a_bare_query_asks_for_the_usual_attributes_of_its_level() -> None:
    identifier = query_identifier(STUDY_ROOT, keys("PatientName=DOE*"))
    assert identifier[LEVEL].value == b"STUDY"
    assert names(identifier)[:3] == ["PatientName", "PatientID", "StudyDate"]
    assert "StudyInstanceUID" in names(identifier)


def test_a_bare_worklist_query_asks_for_what_a_modality_shows_and_has_no_level() -> None:
    step = "ScheduledProcedureStepSequence[0]."
    identifier = query_identifier(WORKLIST, keys(f"{step}Modality=CT"))
    assert LEVEL not in identifier
    assert {"PatientName", "AccessionNumber", f"{step}ScheduledStationAETitle"} <= set(
        names(identifier)
    )
    modality = find_element(identifier, parse_key(f"{step}Modality"))
    assert modality == RawElement("CS", b"CT")


def test_who_names_return_keys_gets_only_those() -> None:
    identifier = query_identifier(STUDY_ROOT, keys("PatientName=DOE*", "StudyDate"))
    assert names(identifier) == ["PatientName", "StudyDate"]
    step = "ScheduledProcedureStepSequence[0].Modality"
    assert names(query_identifier(WORKLIST, keys("PatientName=DOE*", step))) == [
        "PatientName",
        step,
    ]


def test_the_level_comes_from_the_option_the_key_or_the_model() -> None:
    (key,) = keys("QueryRetrieveLevel=series")
    assert query_identifier(STUDY_ROOT, [key])[LEVEL].value == b"SERIES"
    assert query_identifier(STUDY_ROOT, [key], level="IMAGE")[LEVEL].value == b"IMAGE"
    assert query_identifier(PATIENT_ROOT, [])[LEVEL].value == b"PATIENT"
    assert query_identifier(PATIENT_STUDY_ONLY, [])[LEVEL].value == b"PATIENT"


@pytest.mark.parametrize(
    ("model", "level"),
    [
        (STUDY_ROOT, "BANANA"),
        (STUDY_ROOT, "PATIENT"),
        (PATIENT_STUDY_ONLY, "SERIES"),
        (PATIENT_STUDY_ONLY, "IMAGE"),
        (WORKLIST, "STUDY"),
    ],
)
def test_a_level_that_the_model_lacks_is_refused(model, level: str) -> None:
    with pytest.raises(QueryKeyError, match=r"level.*\.$"):
        query_identifier(model, [], level=level)
    with pytest.raises(QueryKeyError, match=r"level.*\.$"):
        query_identifier(model, keys(f"QueryRetrieveLevel={level}"))


def test_keys_of_the_line_override_those_of_the_file() -> None:
    base = build_identifier(
        keys("PatientName=DOE*", "StudyDate", "ScheduledProcedureStepSequence.Modality=CT")
    )
    changed = query_identifier(
        STUDY_ROOT, keys("PatientName=ROE*", "ScheduledProcedureStepSequence.Modality=MR"), base
    )
    assert changed[NAME].value == b"ROE*"
    assert changed[STEPS].value == [{MODALITY: RawElement("CS", b"MR")}]
    assert base[NAME].value == b"DOE*"
    assert base[STEPS].value == [{MODALITY: RawElement("CS", b"CT")}]


def test_an_identifier_beyond_ascii_says_its_character_set() -> None:
    assert build_identifier(keys("PatientName=DOE")) == {NAME: RawElement("PN", b"DOE")}
    greek = build_identifier(keys("PatientName=Διον*"))
    assert greek[CHARACTER_SET].value == b"ISO_IR 192"
    assert greek[NAME].value == "Διον*".encode()
    wished = build_identifier(keys("SpecificCharacterSet=ISO_IR 100", "PatientName=Bük"))
    assert (wished[CHARACTER_SET].value, wished[NAME].value) == (b"ISO_IR 100", b"B\xfck")


def test_a_key_in_another_script_takes_the_file_to_utf_8() -> None:
    base = build_identifier(keys("SpecificCharacterSet=ISO_IR 100", "PatientName=Bük"))
    both = build_identifier(keys("StudyDescription=Διον*"), base)
    assert both[CHARACTER_SET].value == b"ISO_IR 192"
    assert both[NAME].value == "Bük".encode()
    same = build_identifier(keys("StudyDescription=Köln"), base)
    assert (same[CHARACTER_SET].value, same[NAME].value) == (b"ISO_IR 100", b"B\xfck")


def test_binary_values_are_encoded_as_numbers() -> None:
    elements = build_identifier(keys("Rows=512\\1024", "0018,9318=1.5", "0028,0009=00181063"))
    assert elements[ROWS].value == struct.pack("<HH", 512, 1024)
    assert elements[0x00189318].value == struct.pack("<d", 1.5)
    assert elements[0x00280009].value == b"\x18\x00\x63\x10"


@pytest.mark.parametrize(
    "text", ["Rows=x", "Rows=70000", "PixelData=1", "0028,0009=banana", "ReferencedStudySequence=1"]
)
def test_a_value_that_its_vr_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(QueryKeyError, match=r"\.$"):
        build_identifier(keys(text))


@pytest.mark.parametrize("model", QUERY_MODELS, ids=lambda model: model.name)
def test_the_usual_identifiers_of_every_model_and_level_can_be_sent(model) -> None:
    for level in model.levels or ("",):
        identifier = query_identifier(model, [], level=level or None)
        encoded = encode_elements(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
        decoded = decode_elements(encoded, EXPLICIT_VR_LITTLE_ENDIAN)
        assert set(leaves(decoded)) == set(leaves(identifier))
