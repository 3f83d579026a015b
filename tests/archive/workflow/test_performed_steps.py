"""Performed procedure steps: the rules of PS3.4 F.7.2, and what the worklist makes of them."""

import pytest

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow import performed_steps as module
from isocenter.archive.workflow.attributes import PERFORMED_SERIES_SEQUENCE, items, text
from isocenter.archive.workflow.performed_step_rules import AT_CREATION, Fault, StepRefused
from isocenter.archive.workflow.performed_steps import PerformedSteps
from isocenter.archive.workflow.worklist import Worklist
from isocenter.encoding.elements import Elements, RawElement
from tests.archive.workflow.items import STUDY, data_set, item, step_begun, step_ended

UID = "1.2.3.4"


def refusal(call: object, *arguments: object) -> tuple[Fault, tuple[int, ...]]:
    with pytest.raises(StepRefused) as raised:
        call(*arguments)  # type: ignore[operator]
    assert "DOE" not in str(raised.value)
    return raised.value.fault, raised.value.tags


def test_a_step_that_began_and_ended_is_kept(performed: PerformedSteps, workflow: Workflow):
    performed.create(UID, step_begun(), "CT1")
    performed.change(UID, step_ended())
    with Workflow(workflow.path) as other:
        (step,) = PerformedSteps(other).steps()
    assert (step.sop_instance_uid, step.status, step.source_ae) == (UID, "COMPLETED", "CT1")
    assert step.data_set == step_begun() | step_ended()


@pytest.mark.parametrize("tag", AT_CREATION)
def test_a_step_without_an_attribute_of_type_1_is_refused(performed: PerformedSteps, tag: int):
    missing = step_begun()
    del missing[tag]
    assert refusal(performed.create, UID, missing, "CT1") == (Fault.MISSING_ATTRIBUTE, (tag,))
    empty = step_begun()
    empty[tag] = RawElement(empty[tag].vr, [] if empty[tag].vr == "SQ" else b"")
    assert refusal(performed.create, UID, empty, "CT1") == (Fault.MISSING_VALUE, (tag,))
    assert performed.steps() == []


@pytest.mark.parametrize(
    ("attributes", "fault"),
    [
        (step_begun(study=""), Fault.MISSING_VALUE),
        (step_begun(study="1..2"), Fault.INVALID_VALUE),
        (step_begun(PerformedProcedureStepStatus="COMPLETED"), Fault.INVALID_VALUE),
        (step_begun(PerformedProcedureStepStatus="in progress"), Fault.INVALID_VALUE),
        (step_begun(PerformedProcedureStepStartDate="tomorrow"), Fault.INVALID_VALUE),
        (step_begun(PerformedProcedureStepStartTime="25"), Fault.INVALID_VALUE),
        (step_begun() | data_set(ScheduledStepAttributesSequence=[{}]), Fault.MISSING_ATTRIBUTE),
    ],
)
def test_a_step_that_breaks_the_rules_is_refused(
    performed: PerformedSteps, attributes: Elements, fault: Fault
):
    assert refusal(performed.create, UID, attributes, "CT1")[0] is fault


def test_an_instance_is_created_once_and_under_a_valid_uid(performed: PerformedSteps):
    performed.create(UID, step_begun(), "CT1")
    assert refusal(performed.create, UID, step_begun(), "CT1")[0] is Fault.DUPLICATE
    assert refusal(performed.create, "1.2.x", step_begun(), "CT1")[0] is Fault.INVALID_INSTANCE


def test_an_unknown_step_is_neither_changed_nor_known(performed: PerformedSteps):
    assert refusal(performed.change, UID, step_ended())[0] is Fault.UNKNOWN
    assert refusal(performed.get, UID)[0] is Fault.UNKNOWN


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_a_step_that_has_ended_may_no_longer_be_updated(performed: PerformedSteps, status: str):
    performed.create(UID, step_begun(), "CT1")
    performed.change(UID, step_ended(status))
    before = performed.get(UID)
    again = data_set(PerformedProcedureStepDescription="other")
    assert refusal(performed.change, UID, again)[0] is Fault.FINAL
    assert refusal(performed.change, UID, step_ended("IN PROGRESS"))[0] is Fault.FINAL
    assert performed.get(UID) == before


@pytest.mark.parametrize(
    ("status", "leave_out", "fault"),
    [
        ("COMPLETED", "PerformedProcedureStepEndDate", Fault.MISSING_ATTRIBUTE),
        ("COMPLETED", "PerformedProcedureStepEndTime", Fault.MISSING_ATTRIBUTE),
        ("COMPLETED", "PerformedSeriesSequence", Fault.MISSING_ATTRIBUTE),
        ("DISCONTINUED", "PerformedProcedureStepEndDate", Fault.MISSING_ATTRIBUTE),
        ("DISCONTINUED", "PerformedSeriesSequence", None),
        ("IN PROGRESS", "PerformedProcedureStepEndDate", None),
    ],
)
def test_the_final_state_demands_its_attributes(
    performed: PerformedSteps, status: str, leave_out: str, fault: Fault | None
):
    performed.create(UID, step_begun(), "CT1")
    (tag,) = data_set(**{leave_out: ""})
    ending = step_ended(status)
    del ending[tag]
    if fault is None:
        performed.change(UID, ending)
    else:
        assert refusal(performed.change, UID, ending) == (fault, (tag,))
        assert performed.get(UID).status == "IN PROGRESS"


@pytest.mark.parametrize(
    ("modification", "fault"),
    [
        (data_set(PerformedProcedureStepStatus="PAUSED"), Fault.INVALID_VALUE),
        (data_set(PerformedProcedureStepEndDate="later"), Fault.INVALID_VALUE),
        (data_set(PatientID="1"), Fault.INVALID_VALUE),
        (data_set(PerformedProcedureStepStartDate="20240201"), Fault.INVALID_VALUE),
        (data_set(PerformedSeriesSequence=[data_set(SeriesInstanceUID="x")]), Fault.INVALID_VALUE),
    ],
)
def test_a_change_that_breaks_the_rules_is_refused(
    performed: PerformedSteps, modification: Elements, fault: Fault
):
    performed.create(UID, step_begun(), "CT1")
    found, tags = refusal(performed.change, UID, modification)
    assert found is fault
    assert tags
    assert performed.get(UID).data_set == step_begun()


def test_saying_fixed_attributes_again_is_no_change_of_them(performed: PerformedSteps):
    performed.create(UID, step_begun(PatientName="Müller "), "CT1")
    performed.change(UID, data_set(PatientName="Müller", PatientSex="M", PatientID="4711"))
    assert text(performed.get(UID).data_set, 0x00100040) == "M"


def test_sequences_are_replaced_as_wholes(performed: PerformedSteps):
    performed.create(UID, step_begun(), "CT1")
    for uid in ("1.2.3.1", "1.2.3.2"):
        series = data_set(SeriesInstanceUID=uid)
        performed.change(UID, data_set(PerformedSeriesSequence=[series]))
    (kept,) = items(performed.get(UID).data_set, PERFORMED_SERIES_SEQUENCE)
    assert kept == data_set(SeriesInstanceUID="1.2.3.2")


def test_a_step_does_not_grow_without_end(
    performed: PerformedSteps, monkeypatch: pytest.MonkeyPatch
):
    performed.create(UID, step_begun(), "CT1")
    monkeypatch.setattr(module, "LARGEST_STEP", 2000)
    long = data_set(CommentsOnThePerformedProcedureStep="x" * 2000)
    assert refusal(performed.change, UID, long)[0] is Fault.TOO_LARGE


def test_steps_are_listed_by_study_and_status_the_newest_first(performed: PerformedSteps):
    performed.create("1.1", step_begun(), "CT1")
    performed.create("1.2", step_begun(study="1.9"), "CT1")
    performed.create("1.3", step_begun(), "CT1")
    performed.change("1.3", step_ended())
    assert [step.sop_instance_uid for step in performed.steps()] == ["1.3", "1.2", "1.1"]
    assert [s.sop_instance_uid for s in performed.steps(study_instance_uid=STUDY)] == ["1.3", "1.1"]
    assert [s.sop_instance_uid for s in performed.steps(status="IN PROGRESS", limit=1)] == ["1.2"]


def statuses(worklist: Worklist) -> dict[str, str]:
    return {each.scheduled_procedure_step_id: each.status for each in worklist.items()}


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_the_scheduled_step_follows_the_performed_one(
    worklist: Worklist, performed: PerformedSteps, status: str
):
    worklist.add(item())
    worklist.add(item(ScheduledProcedureStepID="SPS2"))
    performed.create(UID, step_begun(), "CT1")
    assert statuses(worklist) == {"SPS1": "STARTED", "SPS2": "SCHEDULED"}
    performed.change(UID, step_ended(status))
    assert statuses(worklist) == {"SPS1": status, "SPS2": "SCHEDULED"}


def test_a_step_that_is_performed_again_is_under_way_again(
    worklist: Worklist, performed: PerformedSteps
):
    worklist.add(item())
    performed.create("1.1", step_begun(), "CT1")
    performed.change("1.1", step_ended("DISCONTINUED"))
    performed.create("1.2", step_begun(), "CT1")
    assert statuses(worklist) == {"SPS1": "STARTED"}
    performed.change("1.2", step_ended())
    assert statuses(worklist) == {"SPS1": "COMPLETED"}


def test_a_step_of_several_scheduled_ones_ends_them_all(
    worklist: Worklist, performed: PerformedSteps
):
    worklist.add(item())
    worklist.add(item(ScheduledProcedureStepID="SPS2"))
    both = [
        data_set(StudyInstanceUID=STUDY, ScheduledProcedureStepID=step) for step in ("SPS1", "SPS2")
    ]
    performed.create(UID, step_begun() | data_set(ScheduledStepAttributesSequence=both), "CT1")
    performed.change(UID, step_ended())
    assert statuses(worklist) == {"SPS1": "COMPLETED", "SPS2": "COMPLETED"}


def test_the_only_step_of_a_study_need_not_be_named(worklist: Worklist, performed: PerformedSteps):
    worklist.add(item())
    performed.create("1.1", step_begun(step_id=""), "CT1")
    assert statuses(worklist) == {"SPS1": "STARTED"}


def test_an_unscheduled_step_changes_nothing_on_the_worklist(
    worklist: Worklist, performed: PerformedSteps
):
    worklist.add(item())
    worklist.add(item(ScheduledProcedureStepID="SPS2"))
    performed.create("1.1", step_begun(step_id=""), "CT1")
    performed.create("1.2", step_begun(step_id="SPS9"), "CT1")
    performed.create("1.3", step_begun(study="1.9"), "CT1")
    assert set(statuses(worklist).values()) == {"SCHEDULED"}
