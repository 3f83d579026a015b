"""Queries of modalities against the worklist (PS3.4 K.2.2)."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.archive.query import InvalidQuery, watch
from isocenter.archive.query.criteria import Rules
from isocenter.archive.query.data_sets import matches
from isocenter.archive.workflow.attributes import (
    PATIENT_NAME,
    SCHEDULED_STEP_ID,
    SCHEDULED_STEP_SEQUENCE,
    items,
    text,
)
from isocenter.archive.workflow.worklist import Worklist
from isocenter.archive.workflow.worklist_search import WorklistMatches
from isocenter.encoding.elements import Elements, RawElement
from tests.archive.workflow.items import data_set, item

ITEMS = (
    item(),
    item(
        PatientName="Müller^Jürgen",
        PatientID="4712",
        AccessionNumber="A2",
        Modality="MR",
        ScheduledStationAETitle="MR1\\MR2",
        ScheduledProcedureStepStartDate="20240201",
        ScheduledProcedureStepStartTime="1415",
        ScheduledProcedureStepID="SPS2",
        ScheduledProcedureStepDescription="Knee",
    ),
    item(
        PatientName="Yamada^Tarou=山田^太郎",
        PatientID="4713",
        AccessionNumber="A3",
        ScheduledProcedureStepID="SPS3",
        ScheduledProcedureStepStartTime="1000",
        ScheduledProcedureStepStatus="COMPLETED",
    ),
)


@pytest.fixture
def filled(worklist: Worklist) -> Worklist:
    for each in ITEMS:
        worklist.add(each)
    return worklist


def identifier(step: dict[str, str] | None = None, **keys: str) -> Elements:
    """Keys of the item, and keys of its scheduled step; the step's ID is always asked for."""
    inside = data_set(**{"ScheduledProcedureStepID": "", **(step or {})})
    return data_set(**keys) | {SCHEDULED_STEP_SEQUENCE: RawElement("SQ", [inside])}


def found(worklist: Worklist, asked: Elements, **options: Any) -> list[str]:
    return [
        text(items(match, SCHEDULED_STEP_SEQUENCE)[0], SCHEDULED_STEP_ID)
        for match in WorklistMatches(worklist, asked, **options)
    ]


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        (identifier(), ["SPS1", "SPS3", "SPS2"]),
        (identifier(PatientName="doe*"), ["SPS1"]),
        (identifier(PatientName="MULLER^?urgen"), ["SPS2"]),
        (identifier(PatientName="=山田*"), ["SPS3"]),
        (identifier(PatientID="4712"), ["SPS2"]),
        (identifier(PatientID="47*"), ["SPS1", "SPS3", "SPS2"]),
        (identifier(AccessionNumber="A3"), ["SPS3"]),
        (identifier(RequestedProcedureID="RP2"), []),
        (identifier({"Modality": "MR"}), ["SPS2"]),
        (identifier({"Modality": "CT\\MR"}), ["SPS1", "SPS3", "SPS2"]),
        (identifier({"ScheduledStationAETitle": "MR2"}), ["SPS2"]),
        (identifier({"ScheduledStationAETitle": "CT1"}), ["SPS1", "SPS3"]),
        (identifier({"ScheduledProcedureStepStartDate": "20240131"}), ["SPS1", "SPS3"]),
        (identifier({"ScheduledProcedureStepStartDate": "20240201-"}), ["SPS2"]),
        (identifier({"ScheduledProcedureStepStartDate": "-20240131"}), ["SPS1", "SPS3"]),
        (identifier({"ScheduledProcedureStepStartDate": "20240201-20240229"}), ["SPS2"]),
        (identifier({"ScheduledProcedureStepStartTime": "0945-1030"}), ["SPS3"]),
        (
            identifier(
                {
                    "ScheduledProcedureStepStartDate": "20240131-20240201",
                    "ScheduledProcedureStepStartTime": "0945-1000",
                }
            ),
            ["SPS3"],
        ),
        (
            identifier(
                {
                    "ScheduledProcedureStepStartDate": "20240130-20240201",
                    "ScheduledProcedureStepStartTime": "1600-0800",
                }
            ),
            ["SPS1", "SPS3"],
        ),
        (identifier({"ScheduledProcedureStepStatus": "COMPLETED"}), ["SPS3"]),
        (identifier({"ScheduledProcedureStepDescription": "K*"}), ["SPS2"]),
        (identifier({"Modality": "MR"}, PatientName="DOE*"), []),
    ],
)  # fmt: skip
def test_every_kind_of_key_matches(filled: Worklist, asked: Elements, steps: list[str]):
    assert found(filled, asked) == steps


def test_names_are_compared_fuzzily_where_that_was_agreed(filled: Worklist):
    asked = identifier(PatientName="Juergen Mueller")
    assert found(filled, asked) == []
    assert found(filled, asked, fuzzy_names=True) == ["SPS2"]


def test_a_pregnancy_status_of_0_asks_and_does_not_match(filled: Worklist):
    """0 is no status (PS3.3 C.2.3); dcmjs-dimse encodes an empty number so."""
    asked = identifier() | {0x001021C0: RawElement("US", b"\0\0")}
    assert found(filled, asked) == ["SPS1", "SPS3", "SPS2"]
    assert found(filled, asked | {0x001021C0: RawElement("US", b"\4\0")}) == []


def test_steps_in_a_hidden_status_are_not_offered(filled: Worklist):
    assert found(filled, identifier(), hidden=frozenset({"COMPLETED"})) == ["SPS1", "SPS2"]


def test_an_answer_has_what_was_asked_for_and_nothing_else(filled: Worklist):
    asked = identifier({"Modality": "MR", "ScheduledStationName": ""}, PatientName="")
    (match,) = WorklistMatches(filled, asked)
    assert set(match) == {PATIENT_NAME, SCHEDULED_STEP_SEQUENCE}
    (step,) = items(match, SCHEDULED_STEP_SEQUENCE)
    assert step == data_set(ScheduledProcedureStepID="SPS2", Modality="MR", ScheduledStationName="")


def test_a_sequence_without_item_is_answered_whole(filled: Worklist):
    asked = data_set(PatientID="4711", ScheduledProcedureStepSequence=[])
    (match,) = WorklistMatches(filled, asked)
    assert items(match, SCHEDULED_STEP_SEQUENCE) == items(ITEMS[0], SCHEDULED_STEP_SEQUENCE) or (
        text(items(match, SCHEDULED_STEP_SEQUENCE)[0], SCHEDULED_STEP_ID) == "SPS1"
    )


def test_keys_that_cannot_be_compared_are_named(filled: Worklist):
    asked = identifier() | {0x00091001: RawElement("UN", b"x"), 0x00420011: RawElement("OB", b"")}
    matches = WorklistMatches(filled, asked)
    assert matches.unsupported == {0x00091001, 0x00420011}
    assert len(list(matches)) == 3


@pytest.mark.parametrize(
    "asked",
    [
        identifier({"ScheduledProcedureStepStartDate": "soon"}),
        identifier(StudyInstanceUID="1.2.*"),
        data_set(ScheduledProcedureStepSequence=[data_set(Modality="CT"), data_set(Modality="MR")]),
    ],
)
def test_a_query_without_meaning_is_refused(filled: Worklist, asked: Elements):
    with pytest.raises(InvalidQuery):
        WorklistMatches(filled, asked)


_KEYS = {
    "PatientID": ("", "4711", "47*", "4712\\4713", "?711"),
    "AccessionNumber": ("", "A1", "A?", "a1"),
    "RequestedProcedureID": ("", "RP1", "RP2"),
    "PatientName": ("", "doe^jane", "*r*"),
}
_STEP_KEYS = {
    "Modality": ("", "CT", "C*", "CT\\MR", "US"),
    "ScheduledStationAETitle": ("", "MR1", "MR2", "CT1", "MR1\\CT1"),
    "ScheduledProcedureStepStartDate": ("", "20240131", "20240131-", "20240115-20240201"),
    "ScheduledProcedureStepStartTime": ("", "0930", "10-12", "-0930"),
    "ScheduledProcedureStepStatus": ("", "SCHEDULED"),
}  # fmt: skip


def _chosen(keys: dict[str, tuple[str, ...]]) -> st.SearchStrategy[dict[str, str]]:
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in keys.items()}
    )


@settings(max_examples=60)
@given(_chosen(_KEYS), _chosen(_STEP_KEYS))
def test_the_narrowed_search_finds_what_comparing_every_item_finds(
    tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str], step: dict[str, str]
):
    worklist = _shared(tmp_path_factory)
    asked = identifier(step, **keys)
    expected = [
        each.scheduled_procedure_step_id
        for each in worklist.items()
        if matches(asked, each.data_set, Rules(combined_date_time=True))
    ]
    assert found(worklist, asked) == expected


def _shared(factory: pytest.TempPathFactory, kept: list[Worklist] = []) -> Worklist:  # noqa: B006
    from isocenter.archive.workflow import Workflow

    if not kept:
        worklist = Worklist(Workflow(factory.mktemp("worklist") / "workflow.sqlite"))
        for each in ITEMS:
            worklist.add(each)
        kept.append(worklist)
    return kept[0]


@pytest.mark.parametrize("step", [0.4, 20])
def test_a_search_ends_when_its_time_is_up(
    filled: Worklist, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    monkeypatch.setattr(watch, "_STEPS_AT_ONCE", 1_000_000 if step < 1 else 1)
    moments = count(step=step)
    search = WorklistMatches(filled, {}, time_limit=1, clock=lambda: next(moments))
    assert len(list(search)) < len(ITEMS)
    assert search.stopped == "after 1 s of search"
    assert len(list(WorklistMatches(filled, {}))) == len(ITEMS)
    unwanted = WorklistMatches(filled, {}, time_limit=1, clock=lambda: next(moments))
    unwanted.give_up()
    assert (list(unwanted), unwanted.stopped) == ([], "")
