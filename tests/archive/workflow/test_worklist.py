"""The worklist: what is taken, how it is completed, changed and removed."""

import pytest

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.attributes import SCHEDULED_STEP_SEQUENCE, items, text
from isocenter.archive.workflow.worklist import Change, Worklist, WorklistItemExists
from isocenter.archive.workflow.worklist_filter import WorklistFilter
from isocenter.archive.workflow.worklist_item import (
    LARGEST_ITEM,
    MOST_STEPS,
    InvalidWorklistItem,
    scheduled_step,
)
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.elements import RawElement
from tests.archive.workflow.items import STUDY, data_set, item


def ids(worklist: Worklist, **where: object) -> list[str]:
    filtered = worklist.items(WorklistFilter(**where))  # type: ignore[arg-type]
    return [found.scheduled_procedure_step_id for found in filtered]


def test_an_item_comes_back_as_it_was_added(worklist: Worklist):
    (added,) = worklist.add(item(PatientName="Müller^Jürgen"))
    (kept,) = worklist.items()
    assert kept == added
    assert kept.patient_name == "Müller^Jürgen"
    assert (kept.scheduled_date, kept.scheduled_time) == (20240131, "093000")
    assert kept.status == "SCHEDULED"


def test_items_are_ordered_by_date_and_time(worklist: Worklist):
    for step, date, time in [("C", "20240201", "08"), ("B", "20240131", "1015"), ("A", "", "0900")]:
        more = {"ScheduledProcedureStepStartDate": date} if date else {}
        worklist.add(
            item(ScheduledProcedureStepID=step, ScheduledProcedureStepStartTime=time, **more)
        )
    assert ids(worklist) == ["A", "B", "C"]


def test_identifiers_are_made_where_they_are_missing(worklist: Worklist):
    (made,) = worklist.add(
        item(
            StudyInstanceUID="",
            RequestedProcedureID="",
            ScheduledProcedureStepID="",
            ScheduledProcedureStepStartTime="",
        )
    )
    assert is_valid_uid(made.study_instance_uid)
    assert made.requested_procedure_id == "A1"
    assert 0 < len(made.scheduled_procedure_step_id) <= 16
    assert made.scheduled_time == "000000"


def test_a_step_of_a_known_accession_number_joins_its_study(worklist: Worklist):
    worklist.add(item())
    second = item(StudyInstanceUID="", ScheduledProcedureStepID="SPS2")
    of_another = item(StudyInstanceUID="", PatientID="1", ScheduledProcedureStepID="SPS3")
    assert worklist.add(second)[0].study_instance_uid == STUDY
    assert worklist.add(of_another)[0].study_instance_uid != STUDY


def test_a_data_set_with_several_steps_becomes_several_items(worklist: Worklist):
    whole = item()
    (first,) = items(whole, SCHEDULED_STEP_SEQUENCE)
    second = first | data_set(ScheduledProcedureStepID="SPS2", Modality="MR")
    whole[SCHEDULED_STEP_SEQUENCE] = RawElement("SQ", [first, second])
    assert [added.modality for added in worklist.add(whole)] == ["CT", "MR"]
    assert [len(items(kept.data_set, SCHEDULED_STEP_SEQUENCE)) for kept in worklist.items()] == [
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"PatientName": ""}, "Patient's Name"),
        ({"PatientID": ""}, "Patient ID"),
        ({"Modality": ""}, "Modality"),
        ({"ScheduledStationAETitle": ""}, "Scheduled Station AE Title"),
        ({"ScheduledProcedureStepStartDate": ""}, "Start Date"),
        ({"ScheduledProcedureStepStartDate": "20241332"}, "no date"),
        ({"ScheduledProcedureStepStartTime": "2561"}, "no time"),
        ({"PatientBirthDate": "31 January"}, "no date"),
        ({"ScheduledProcedureStepStatus": "LOST"}, "none of"),
        ({"StudyInstanceUID": "1..2"}, "no valid UID"),
        ({"PatientComments": "x" * LARGEST_ITEM}, "KiB"),
    ],
)
def test_an_item_that_no_modality_could_use_is_refused(
    worklist: Worklist, values: dict[str, str], word: str
):
    with pytest.raises(InvalidWorklistItem, match=word) as raised:
        worklist.add(item(**values))
    assert "DOE" not in str(raised.value)
    assert list(worklist.items()) == []


@pytest.mark.parametrize("count", [0, MOST_STEPS + 1])
def test_the_number_of_steps_of_one_data_set_is_bounded(worklist: Worklist, count: int):
    whole = item()
    whole[SCHEDULED_STEP_SEQUENCE] = RawElement("SQ", [{}] * count)
    with pytest.raises(InvalidWorklistItem, match=str(count)):
        worklist.add(whole)


def test_adding_a_step_twice_is_refused_and_putting_it_is_not(worklist: Worklist):
    worklist.add(item())
    with pytest.raises(WorklistItemExists):
        worklist.add(item())
    assert [change for _, change in worklist.put(item())] == [Change.UNCHANGED]
    assert [change for _, change in worklist.put(item(PatientName="ROE^JANE"))] == [Change.UPDATED]
    (kept,) = worklist.items()
    assert kept.patient_name == "ROE^JANE"


def test_of_several_data_sets_all_are_put_or_none(worklist: Worklist):
    good, bad = item(), item(PatientID="")
    with pytest.raises(InvalidWorklistItem, match="Data set 2: Patient ID"):
        worklist.put(good, bad)
    assert worklist.count() == 0
    second = item(ScheduledProcedureStepID="SPS2")
    assert [change for _, change in worklist.put(good, second)] == [Change.ADDED] * 2


def test_an_update_keeps_the_status_unless_it_states_one(worklist: Worklist):
    worklist.add(item(ScheduledProcedureStepStatus="ARRIVED"))
    worklist.put(item(PatientName="ROE^JANE"))
    assert ids(worklist, status=frozenset({"ARRIVED"})) == ["SPS1"]
    worklist.put(item(ScheduledProcedureStepStatus="READY"))
    (kept,) = worklist.items()
    (step,) = items(kept.data_set, SCHEDULED_STEP_SEQUENCE)
    assert kept.status == text(step, 0x00400020) == "READY"


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"patient_id": "4711"}, ["SPS1"]),
        ({"patient_id": "47"}, []),
        ({"modality": "CT"}, ["SPS1"]),
        ({"scheduled_station_ae_title": "CT1"}, ["SPS1"]),
        ({"accession_number": "A2"}, ["SPS2"]),
        ({"first_date": 20240201}, ["SPS2"]),
        ({"last_date": 20240131}, ["SPS1"]),
        ({"first_date": 20240131, "last_date": 20240201}, ["SPS1", "SPS2"]),
        ({"not_status": frozenset({"SCHEDULED"})}, []),
    ],
)
def test_items_are_chosen_and_removed_by_their_attributes(
    worklist: Worklist, where: dict[str, object], found: list[str]
):
    worklist.add(item())
    worklist.add(
        item(
            PatientID="1",
            AccessionNumber="A2",
            Modality="MR",
            ScheduledStationAETitle="MR1",
            ScheduledProcedureStepStartDate="20240201",
            ScheduledProcedureStepID="SPS2",
        )
    )
    assert ids(worklist, **where) == found
    assert worklist.count(WorklistFilter(**where)) == len(found)  # type: ignore[arg-type]
    assert worklist.remove(WorklistFilter(**where)) == len(found)  # type: ignore[arg-type]
    assert worklist.count() == 2 - len(found)


def test_a_step_of_several_stations_is_found_by_each(worklist: Worklist):
    worklist.add(item(ScheduledStationAETitle="CT1\\CT2"))
    worklist.add(item(ScheduledStationAETitle="CT3", ScheduledProcedureStepID="SPS2"))
    assert ids(worklist, scheduled_station_ae_title="CT2") == ["SPS1"]


def test_another_connection_sees_a_change_at_once(workflow: Workflow, worklist: Worklist):
    with Workflow(workflow.path) as other:
        worklist.add(item())
        assert Worklist(other).count() == 1


def test_attributes_of_the_step_go_into_its_sequence():
    made = scheduled_step(PatientName="DOE", Modality="CT", ScheduledProcedureStepLocation="R3")
    (step,) = items(made, SCHEDULED_STEP_SEQUENCE)
    assert text(step, 0x00400011) == "R3"
    assert text(made, 0x00100010) == "DOE"
