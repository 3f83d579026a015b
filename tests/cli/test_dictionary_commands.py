"""`isocenter tag`, `uid` and `vr`."""

from __future__ import annotations

import json

from isocenter.cli import exit_codes
from tests.cli.helpers import Run
from tests.cli.test_main import HEAVY, imported_by


def test_a_tag_shows_all_that_is_known(run: Run) -> None:
    done = run("tag", "0010,0010")
    assert done.exit_code == 0
    for fact in ("Patient's Name", "PatientName", "PN", "PATIENT", "Z:", "2026b", "C.7-1"):
        assert fact in done.output


def test_words_list_elements(run: Run) -> None:
    done = run("tag", "patient", "birth")
    assert done.exit_code == 0
    assert "PatientBirthDate" in done.output
    assert len(json.loads(run("tag", "patient", "birth", "--json").output)) > 1


def test_an_element_as_json_has_modules_and_iods(run: Run) -> None:
    facts = json.loads(run("tag", "Rows", "--json").output)
    assert facts["tag"] == "(0028,0010)"
    assert facts["modules"]
    assert facts["iods"]


def test_a_private_tag_is_shown(run: Run) -> None:
    done = run("tag", "0009,1001")
    assert done.exit_code == 0
    assert "Private element" in done.output


def test_words_that_mean_nothing_are_refused_with_advice(run: Run) -> None:
    done = run("tag", "qqqqq", "wwwww")
    assert done.exit_code == exit_codes.SYNTAX
    assert "PatientName" in done.output


def test_a_value_is_held_against_its_vr(run: Run) -> None:
    assert run("tag", "StudyDate", "--check", "20240229").exit_code == 0
    done = run("tag", "StudyDate", "--check", "20230229")
    assert done.exit_code == exit_codes.INVALID_INPUT
    assert "no day of the calendar" in done.output
    assert run("vr", "UI", "--check", "1.2.3").exit_code == 0
    assert run("vr", "us", "--check", "65536").exit_code == exit_codes.INVALID_INPUT
    problems = json.loads(run("tag", "Rows", "--check", "65536", "--json").output)["problems"]
    assert problems[0]["kind"] == "range"


def test_a_value_can_be_checked_for_one_element_only(run: Run) -> None:
    assert run("tag", "patient", "birth", "--check", "x").exit_code == exit_codes.SYNTAX


def test_a_uid_shows_its_iod(run: Run) -> None:
    done = run("uid", "CTImageStorage")
    assert "1.2.840.10008.5.1.4.1.1.2" in done.output
    assert "CT Image" in done.output
    assert len(json.loads(run("uid", "jpeg", "--json").output)) > 1


def test_an_unregistered_uid_is_judged_by_its_form(run: Run) -> None:
    assert run("uid", "1.2.3").exit_code == 0
    assert run("uid", "1.2.03").exit_code == exit_codes.INVALID_INPUT
    assert run("uid", "no such name").exit_code == exit_codes.SYNTAX


def test_vrs_are_listed(run: Run) -> None:
    assert "Person Name" in run("vr").output
    assert json.loads(run("vr", "da", "--json").output)[0]["vr"] == "DA"
    assert run("vr", "XX").exit_code == exit_codes.SYNTAX
    assert run("vr", "--check", "x").exit_code == exit_codes.SYNTAX


def test_looking_something_up_imports_nothing_heavy() -> None:
    assert imported_by("tag", "PatientName") & HEAVY == set()
    assert imported_by("uid", "CTImageStorage") & HEAVY == set()
