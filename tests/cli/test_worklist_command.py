"""`isocenter worklist` on an archive of this machine."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from isocenter.archive.layout import WORKFLOW_FILE
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.performed_steps import PerformedSteps
from isocenter.archive.workflow.worklist_item import STATUSES
from isocenter.cli import exit_codes, worklist_options
from tests.archive.workflow.items import step_begun, step_ended
from tests.cli.helpers import Run

JANE = (
    *("worklist", "add", "--patient-name", "DOE^JANE", "--patient-id", "4711"),
    *("--modality", "CT", "--station-aet", "CT1"),
)
MORE = ("--accession", "A1", "--date", "2024-01-31", "--time", "0930", "--step-id", "SPS1")


@pytest.fixture(autouse=True)
def data() -> Path:
    folder = Path("isocenter-data")
    folder.mkdir()
    return folder


def listed(run: Run, *options: str) -> list[dict]:
    result = run("worklist", "list", "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_item_that_was_added_is_listed(run: Run):
    added = run(*JANE, *MORE, "--description", "Head", "--study-uid", "1.2.3")
    assert added.exit_code == 0, added.output
    assert added.stdout == "Scheduled step SPS1 of study 1.2.3.\n"
    heading, row = run("worklist", "list").stdout.splitlines()
    assert heading.startswith("Scheduled")
    for cell in ("2024-01-31 09:30", "CT1", "DOE^JANE", "A1", "SPS1", "SCHEDULED", "Head"):
        assert cell in row


def test_without_a_date_it_is_for_today(run: Run):
    before = time.strftime("%Y%m%d")
    assert run(*JANE).exit_code == 0
    (item,) = listed(run)
    (step,) = item["00400100"]["Value"]
    assert before <= step["00400002"]["Value"][0] <= time.strftime("%Y%m%d")


def test_any_attribute_can_be_given_and_goes_where_it_belongs(run: Run):
    keys = [
        *(
            "--birth-date",
            "1970-01-31",
            "-k",
            "PatientWeight=70.5",
            "-k",
            "ScheduledStationName=ROOM 3",
        ),
        *("-k", "ScheduledProcedureStepSequence[0].PreMedication=none"),
        *("-k", "RequestedProcedureCodeSequence[0].CodeMeaning=Schädel"),
    ]
    added = run(*JANE, *keys, "--json")
    assert added.exit_code == 0, added.output
    (item,) = json.loads(added.stdout)
    assert listed(run) == [item]
    (step,) = item["00400100"]["Value"]
    assert item["00100030"]["Value"] == ["19700131"]
    assert item["00101030"] == {"vr": "DS", "Value": [70.5]}
    assert step["00400010"]["Value"] == ["ROOM 3"]
    assert step["00400012"]["Value"] == ["none"]
    assert item["00321064"]["Value"] == [{"00080104": {"vr": "LO", "Value": ["Schädel"]}}]


def test_a_second_item_of_the_sequence_is_a_second_step(run: Run):
    second = [
        ("-k", f"ScheduledProcedureStepSequence[1].{key}")
        for key in (
            "Modality=MR",
            "ScheduledStationAETitle=MR1",
            "ScheduledProcedureStepStartDate=20240201",
        )
    ]
    added = run(*JANE, *(part for key in second for part in key))
    assert added.exit_code == 0, added.output
    assert len(added.stdout.splitlines()) == len(listed(run)) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (JANE[:2], exit_codes.INVALID_INPUT, "Patient's Name"),
        ((*JANE, "--date", "someday"), exit_codes.SYNTAX, "someday"),
        ((*JANE, "--study-uid", "1..2"), exit_codes.INVALID_INPUT, "no valid UID"),
        ((*JANE, "-k", "Nonsense=1"), exit_codes.SYNTAX, "Nonsense"),
        (("worklist", "remove"), exit_codes.SYNTAX, "what to remove"),
        (("worklist", "list", "--data", "absent"), exit_codes.UNREADABLE_INPUT, "no archive"),
        (("worklist", "import", "absent.wl"), exit_codes.NO_VALID_INPUT, "1 file refused"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    run: Run, arguments: tuple[str, ...], code: int, word: str
):
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert word in result.output


def test_a_step_is_scheduled_once(run: Run):
    assert run(*JANE, *MORE).exit_code == 0
    again = run(*JANE, *MORE)
    assert again.exit_code == exit_codes.SYNTAX
    assert "on the worklist already" in again.stderr


def test_what_is_listed_can_be_imported_again(run: Run):
    run(*JANE, *MORE)
    exported = Path("exported.json")
    exported.write_text(run("worklist", "list", "--json").stdout)
    unchanged = run("worklist", "import", exported)
    assert unchanged.stdout == "0 items added, 0 updated, 1 unchanged, 0 files refused.\n"
    run("worklist", "remove", "--step-id", "SPS1")
    assert run("worklist", "import", exported).stdout.startswith("1 item added")
    exported.write_text(exported.read_text().replace("DOE^JANE", "ROE^JANE"))
    counts = json.loads(run("worklist", "import", exported, "--json").stdout)
    assert counts == {"added": 0, "updated": 1, "unchanged": 0, "refused": []}


def test_a_folder_is_imported_with_a_reason_for_each_refused_file(run: Run):
    run(*JANE, *MORE)
    folder = Path("worklist")
    folder.mkdir()
    (folder / "a.json").write_text(run("worklist", "list", "--json").stdout)
    (folder / "b.wl").write_text("no data set")
    (folder / "c.json").write_text("{}")
    result = run("worklist", "import", folder)
    assert result.exit_code == exit_codes.INVALID_INPUT
    assert "0 items added, 0 updated, 1 unchanged, 2 files refused." in result.stdout
    assert "b.wl" in result.stderr


def test_old_items_are_removed_by_date(run: Run):
    for number, date in enumerate(("20240131", "20240201", "20240202")):
        run(*JANE, "--date", date, "--step-id", f"S{number}")
    assert run("worklist", "remove", "--before", "20240202").stdout == "2 items removed.\n"
    assert len(listed(run)) == 1


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--date", "20240131"), 1),
        (("--from", "20240201"), 1),
        (("--modality", "CT"), 2),
        (("--modality", "MR"), 0),
        (("--status", "scheduled", "--status", "STARTED"), 2),
        (("--status", "STARTED"), 0),
    ],
)
def test_the_list_can_be_narrowed(run: Run, options: tuple[str, ...], count: int):
    run(*JANE, "--date", "20240131", "--step-id", "S1")
    run(*JANE, "--date", "20240201", "--step-id", "S2")
    assert len(listed(run, *options)) == count


def test_a_list_that_is_cut_says_so(run: Run):
    for number in range(3):
        run(*JANE, "--step-id", f"S{number}")
    result = run("worklist", "list", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3
    assert "more than these 2" in result.stderr


def test_an_empty_worklist_is_said_and_is_empty_json(run: Run):
    assert "Nothing is on the worklist." in run("worklist", "list").stderr
    assert listed(run) == []


def test_performed_steps_are_listed(run: Run, data: Path):
    with Workflow(data / WORKFLOW_FILE) as workflow:
        PerformedSteps(workflow).create("1.2.3.4", step_begun(), "CT1")
        PerformedSteps(workflow).create("1.2.3.5", step_begun(), "CT1")
        PerformedSteps(workflow).change("1.2.3.4", step_ended())
    _, first, second = run("worklist", "steps").stdout.splitlines()
    assert "IN PROGRESS" in first
    for cell in ("2024-01-31 09:35", "2024-01-31 09:50", "COMPLETED", "DOE^JANE", "1.2.3.4"):
        assert cell in second
    (step,) = json.loads(run("worklist", "steps", "--json", "--status", "COMPLETED").stdout)
    assert step["00080018"]["Value"] == ["1.2.3.4"]
    assert step["00400252"]["Value"] == ["COMPLETED"]


def test_the_statuses_of_the_options_are_those_of_the_worklist():
    assert worklist_options.STATUSES == STATUSES
