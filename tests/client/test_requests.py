"""From Python values to keys."""

from __future__ import annotations

import datetime

import pydicom
import pytest

from isocenter.client.errors import InputError
from isocenter.client.requests import base_of, given_keys, keys_of, model_for
from isocenter.errors import IsocenterError
from isocenter.services.data_sets import from_dataset, to_dataset
from isocenter.services.information_models import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT
from isocenter.services.query_identifier import build_identifier


def written(**attributes: object) -> list[str]:
    return [f"{key.path}={key.value}" for key in keys_of(attributes)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("DOE*", "DOE*"),
        (None, ""),
        ("", ""),
        (4711, "4711"),
        (["1.2", "1.3"], "1.2\\1.3"),
        (("1.2",), "1.2"),
        ([], ""),
        (datetime.date(2024, 2, 29), "20240229"),
        (pydicom.uid.UID("1.2.3"), "1.2.3"),
        (pydicom.valuerep.PersonName("Müller^A=山田"), "Müller^A=山田"),
        (pydicom.valuerep.DSfloat("1.5"), "1.5"),
    ],
)
def test_a_value_becomes_the_text_of_a_key(value: object, text: str) -> None:
    assert written(PatientID=value) == [f"PatientID={text}"]


def test_a_moment_becomes_what_its_attribute_holds() -> None:
    moment = datetime.datetime(2024, 2, 29, 13, 5, 9)
    assert written(StudyDate=moment, StudyTime=moment, AcquisitionDateTime=moment) == [
        "StudyDate=20240229",
        "StudyTime=130509",
        "AcquisitionDateTime=20240229130509",
    ]


def test_a_mapping_is_an_item_and_a_list_of_them_several() -> None:
    step = "ScheduledProcedureStepSequence"
    assert written(**{step: {"Modality": "CT", "0040,0001": None}}) == [
        f"{step}[0].Modality=CT",
        f"{step}[0].ScheduledStationAETitle=",
    ]
    assert written(**{step: [{"Modality": "CT"}, {}]}) == [f"{step}[0].Modality=CT", f"{step}[1]="]
    assert written(**{f"{step}[2].Modality": "MR"}) == [f"{step}[2].Modality=MR"]
    nested = {step: {"ScheduledProtocolCodeSequence": {"CodeValue": "1"}}}
    assert written(**nested) == [f"{step}[0].ScheduledProtocolCodeSequence[0].CodeValue=1"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatienName": "X"},
        {"PatientName=X": "Y"},
        {"PatientName": {"Modality": "CT"}},
        {"PatientName": object()},
        {"PatientName": b"bytes"},
        {"StudyInstanceUID": [{"Modality": "CT"}, "1.2"]},
    ],
)
def test_what_is_no_key_is_refused_in_a_sentence(attributes: dict[str, object]) -> None:
    with pytest.raises(IsocenterError, match=r"\.$"):
        build_identifier(list(keys_of(attributes)))


def test_the_model_is_the_one_that_has_the_level() -> None:
    assert model_for(None, None, None) is STUDY_ROOT
    assert model_for(None, "PATIENT", None) is PATIENT_ROOT
    assert model_for("PATIENT/STUDY", "STUDY", None) is PATIENT_STUDY_ONLY
    query = pydicom.Dataset()
    query.QueryRetrieveLevel = "PATIENT"
    assert model_for(None, None, base_of(query)) is PATIENT_ROOT
    with pytest.raises(InputError, match="not a model"):
        model_for("BANANA", None, None)  # type: ignore[arg-type]


def test_an_identifier_is_a_data_set() -> None:
    assert base_of(None) is None
    with pytest.raises(InputError, match="pydicom Dataset, not a dict"):
        base_of({"PatientName": "X"})  # type: ignore[arg-type]


def test_attributes_to_return_are_keys_without_a_value() -> None:
    given = given_keys({"PatientID": "7"}, {"0010,0010": "X"}, ["StudyDate", "PatientID"])
    assert [(key.name, key.value) for key in given] == [
        ("PatientID", "7"),
        ("PatientName", "X"),
        ("StudyDate", ""),
    ]


@pytest.mark.parametrize("character_set", [None, "ISO_IR 100", "ISO_IR 192"])
def test_a_data_set_comes_back_from_its_elements(character_set: str | None) -> None:
    query = pydicom.Dataset()
    if character_set:
        query.SpecificCharacterSet = character_set
    query.PatientName = "Müller^Jörg"
    query.Rows = 512
    item = pydicom.Dataset()
    item.StudyDescription = "Köln"
    query.ReferencedStudySequence = [item]
    back = to_dataset(from_dataset(query))
    assert back.PatientName == "Müller^Jörg"
    assert back.Rows == 512
    assert back.ReferencedStudySequence[0].StudyDescription == "Köln"
    assert back.SpecificCharacterSet == "ISO_IR 192"
