"""Matching and projecting data sets without a database."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.query.criteria import Rules
from isocenter.archive.query.data_sets import asks_for_anything, matches, project
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query.wildcards import wildcard
from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.texts import text_value
from tests.archive.index.entries import tag

COMBINED = Rules(combined_date_time=True)
EMPTY = Rules(empty_values=True)
FUZZY = Rules(fuzzy_names=True)


def elements(**values: Any) -> Elements:
    """Neutral elements by keyword; a list makes a sequence."""
    found: Elements = {}
    for keyword, value in values.items():
        vr = implicit_vr(tag(keyword))
        if not isinstance(value, list):
            value = text_value(value, vr, EXPLICIT_VR_LITTLE_ENDIAN, "ISO_IR 192")
        found[tag(keyword)] = RawElement(vr, value)
    return found


STEP = elements(
    Modality="CT",
    ScheduledStationAETitle="CT1\\CT2",
    ScheduledProcedureStepStartDate="20240131",
    ScheduledProcedureStepStartTime="1015",
)
ITEM = elements(
    PatientName="Müller-Goldsmith^Anna=山田^花子",
    PatientID="P1",
    PatientBirthDate="19700102",
    PatientWeight="70.50",
    Rows="512",
    ImageType="ORIGINAL\\PRIMARY\\AXIAL",
    AcquisitionDateTime="20240131101530.5+0100",
    ImageComments="a\\b",
    ScheduledProcedureStepSequence=[STEP, elements(Modality="MR")],
)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, True),
        ({"AccessionNumber": ""}, True),
        ({"AccessionNumber": "A1"}, False),
        ({"PatientID": "P1"}, True),
        ({"PatientID": "p1"}, False),
        ({"PatientID": "P?"}, True),
        ({"PatientID": "P"}, False),
        ({"PatientID": "P9\\P1"}, True),
        ({"PatientName": "*GOLDSMITH^ANNA"}, True),
        ({"PatientName": "山*"}, True),
        ({"PatientName": "muller*=山田^花子"}, True),
        ({"PatientName": "muller*=田中*"}, False),
        ({"PatientName": "muller*==x"}, False),
        ({"PatientName": "Müller-Goldsmith^Anna^*"}, True),
        ({"PatientName": "Anna^Müller-Goldsmith"}, False),
        ({"PatientBirthDate": "1970.01.02"}, True),
        ({"PatientBirthDate": "19700101-19700102"}, True),
        ({"PatientBirthDate": "-19700101"}, False),
        ({"PatientWeight": "70.5"}, True),
        ({"PatientWeight": "70"}, False),
        ({"Rows": "512"}, True),
        ({"Rows": "256"}, False),
        ({"ImageType": "PRIMARY"}, True),
        ({"ImageType": "SECONDARY"}, False),
        ({"ImageComments": "a"}, False),
        ({"AcquisitionDateTime": "20240131-20240131"}, True),
        ({"AcquisitionDateTime": "2024-"}, True),
        ({"AcquisitionDateTime": "20240131091530.5"}, True),
        ({"AcquisitionDateTime": "20240131111530.5+0200"}, True),
        ({"AcquisitionDateTime": "2024013110+0100-2024013111+0100"}, True),
        ({"AcquisitionDateTime": "2024013111+0100-"}, False),
        ({"ScheduledProcedureStepSequence": []}, True),
        ({"ScheduledProcedureStepSequence": [{}]}, True),
        ({"ScheduledProcedureStepSequence": [elements(Modality="")]}, True),
        ({"ScheduledProcedureStepSequence": [elements(Modality="MR")]}, True),
        ({"ScheduledProcedureStepSequence": [elements(Modality="US")]}, False),
        ({"ScheduledProcedureStepSequence": [
            elements(Modality="MR", ScheduledStationAETitle="CT1")]}, False),
        ({"ScheduledProcedureStepSequence": [
            elements(Modality="CT", ScheduledStationAETitle="CT2")]}, True),
        ({"RequestAttributesSequence": [elements(ScheduledProcedureStepID="")]}, True),
        ({"RequestAttributesSequence": [elements(ScheduledProcedureStepID="1")]}, False),
    ],
)  # fmt: skip
def test_matching_follows_the_standard(keys: dict[str, Any], found: bool):
    assert matches(elements(**keys), ITEM) is found


@pytest.mark.parametrize(
    ("date", "time", "found"),
    [
        ("20240130-20240131", "1200-1100", True),
        ("20240130-20240131", "1200-1000", False),
        ("20240131-20240201", "1016-0800", False),
        ("20240131-", "1000-", True),
        ("20240131-", "1100-", False),
        ("-20240131", "-1000", False),
        ("-20240201", "-1000", True),
        ("-20240131", "1000-", True),
        ("20240131", "1000-1100", True),
        ("20240131", "1015", True),
        ("20240130-20240201", "", True),
    ],
)
def test_combined_ranges_are_one_interval(date: str, time: str, found: bool):
    keys = {"ScheduledProcedureStepStartDate": date, "ScheduledProcedureStepStartTime": time}
    assert matches(elements(**keys), STEP, COMBINED) is found


def test_ranges_are_apart_unless_combined():
    keys = elements(
        ScheduledProcedureStepStartDate="20240130-20240131",
        ScheduledProcedureStepStartTime="0900-1030",
    )
    late = {**STEP, **elements(ScheduledProcedureStepStartDate="20240130",
                               ScheduledProcedureStepStartTime="23")}  # fmt: skip
    assert not matches(keys, late)
    assert matches(keys, late, COMBINED)


def test_a_date_without_a_time_is_any_time_of_the_day():
    keys = elements(StudyDate="20240131-20240201", StudyTime="1200-1000")
    assert matches(keys, elements(StudyDate="20240131"), COMBINED)
    assert matches(keys, elements(StudyDate="20240201", StudyTime=""), COMBINED)
    assert not matches(keys, elements(StudyTime="13"), COMBINED)


@pytest.mark.parametrize("absent", [{}, {"AccessionNumber": ""}])
def test_two_quotes_ask_for_an_empty_value(absent: dict[str, str]):
    keys = elements(AccessionNumber='""')
    assert matches(keys, elements(**absent), EMPTY)
    assert not matches(keys, elements(AccessionNumber="A1"), EMPTY)
    assert not matches(keys, elements(**absent))


def test_an_empty_value_may_be_one_of_several():
    keys = elements(AccessionNumber='""\\A1')
    assert matches(keys, {}, EMPTY)
    assert matches(keys, elements(AccessionNumber="A1"), EMPTY)
    assert not matches(keys, elements(AccessionNumber="A2"), EMPTY)


@pytest.mark.parametrize("key", ["anna muller", "Goldsmith, Ana", "MULER", "GOLTSMID^ANNA", "花子"])
def test_fuzzy_names_have_any_order_and_sound_alike(key: str):
    assert matches(elements(PatientName=key), ITEM, FUZZY)
    assert not matches(elements(PatientName="Meier"), ITEM, FUZZY)


def test_several_items_in_a_sequence_key_are_refused():
    keys = elements(ScheduledProcedureStepSequence=[elements(Modality="CT")] * 2)
    with pytest.raises(InvalidQuery):
        matches(keys, ITEM)


def test_a_value_without_meaning_is_refused():
    with pytest.raises(InvalidQuery):
        matches(elements(ScheduledProcedureStepSequence=[elements(StudyDate="soon")]), ITEM)


def test_a_projection_has_what_was_asked_for_and_no_more():
    keys = elements(
        PatientID="",
        AccessionNumber="",
        RequestAttributesSequence=[],
        ScheduledProcedureStepSequence=[elements(Modality="CT", StationName="")],
    )
    assert project(keys, ITEM) == elements(
        PatientID="P1",
        AccessionNumber="",
        RequestAttributesSequence=[],
        ScheduledProcedureStepSequence=[elements(Modality="CT", StationName="")],
    )


def test_what_rules_match_they_return():
    inside = elements(
        ScheduledProcedureStepStartDate="20240130-20240131",
        ScheduledProcedureStepStartTime="1200-1100",
    )
    keys = elements(ScheduledProcedureStepSequence=[inside])
    assert matches(keys, ITEM, COMBINED)
    (items,) = (element.value for element in project(keys, ITEM, COMBINED).values())
    assert items == [{tag: STEP[tag] for tag in inside}]


def test_an_empty_sequence_key_returns_the_whole_sequence():
    keys = elements(ScheduledProcedureStepSequence=[])
    wanted = tag("ScheduledProcedureStepSequence")
    assert project(keys, ITEM) == {wanted: ITEM[wanted]}


@pytest.mark.parametrize(
    ("keys", "asks"),
    [({}, False), ({"PatientID": "*"}, False), ({"PatientID": "A"}, True),
     ({"RequestAttributesSequence": [elements(StudyID="")]}, False),
     ({"RequestAttributesSequence": [elements(StudyID="1")]}, True)],
)  # fmt: skip
def test_empty_keys_ask_for_nothing(keys: dict[str, Any], asks: bool):
    assert asks_for_anything(elements(**keys)) is asks


# Hypothesis

LETTERS = "ab[]%_'\".\n"
patterns = st.text(LETTERS + "*?", max_size=9)


@given(patterns, st.text(LETTERS, max_size=12))
def test_wildcards_match_as_the_standard_says(pattern: str, text: str):
    parts = {"*": ".*", "?": "."}
    expression = "".join(parts.get(c) or re.escape(c) for c in pattern)
    assert wildcard(pattern)(text) is bool(re.fullmatch(expression, text, re.DOTALL))


def test_no_pattern_takes_forever():
    assert not wildcard("*a" * 500 + "*b")("a" * 10_000)


keywords = st.sampled_from(
    ["PatientName", "PatientID", "StudyDate", "StudyTime", "AcquisitionDateTime", "Rows",
     "PatientWeight", "SOPClassUID", "PatientComments", "FrameIncrementPointer"]
)  # fmt: skip
junk = st.builds(
    lambda pairs: {tag(word): RawElement(implicit_vr(tag(word)), raw) for word, raw in pairs},
    st.lists(st.tuples(keywords, st.binary(max_size=24)), max_size=4),
)
nested = st.recursive(
    junk,
    lambda inner: st.builds(
        lambda plain, items: {**plain, tag("RequestAttributesSequence"): RawElement("SQ", items)},
        junk,
        st.lists(inner, max_size=2),
    ),
    max_leaves=6,
)
rules = st.builds(Rules, *[st.booleans()] * 4)


@given(nested, nested, rules)
def test_whatever_is_asked_of_whatever_is_answered_or_refused(
    identifier: Elements, data_set: Elements, rules: Rules
):
    try:
        answer = matches(identifier, data_set, rules)
        projected = project(identifier, data_set)
    except InvalidQuery:
        return
    assert projected.keys() == identifier.keys()
    assert answer or asks_for_anything(identifier)
