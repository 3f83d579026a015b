"""`isocenter validate`: files, folders, studies of the archive; table, JSON, SARIF; exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from tests.cli.helpers import Run
from tests.cli.test_main import HEAVY, imported_by
from tests.objects.samples import ct, encode


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "objects" / "good.dcm"
    path.parent.mkdir()
    path.write_bytes(encode(ct()))
    return path


@pytest.fixture
def bad(tmp_path: Path, good: Path) -> Path:
    data_set = ct()
    data_set.SOPInstanceUID = "1.2.3.1.1.2"
    data_set.PatientID = "4712"
    del data_set.Rows
    path = good.with_name("bad.dcm")
    path.write_bytes(encode(data_set))
    return path


def test_an_object_without_errors_passes(run: Run, good: Path) -> None:
    done = run("validate", good)
    assert done.exit_code == 0, done.output
    assert "1 instance, 1 without errors" in done.output


def test_findings_are_shown_with_check_sentence_and_section(run: Run, bad: Path) -> None:
    done = run("validate", bad)
    assert done.exit_code == exit_codes.INVALID_INPUT
    assert "type1-missing" in done.output
    assert "Rows is missing, which is of type 1 in" in done.output
    assert "PS3.3 Table C." in done.output


def test_a_folder_is_searched_and_its_instances_compared(run: Run, good: Path, bad: Path) -> None:
    (good.parent / "notes.txt").write_text("no object")
    done = run("validate", good.parent)
    assert "study-differs" in done.output
    assert "2 instances, 1 without errors" in done.output


def test_a_summary_counts_checks(run: Run, bad: Path) -> None:
    done = run("validate", "--summary", bad)
    assert "type1-missing" in done.output
    assert "Rows" not in done.output


def test_json_and_sarif_hold_the_same_findings(run: Run, bad: Path, tmp_path: Path) -> None:
    document = json.loads(run("validate", "--json", bad).output)
    sarif = tmp_path / "out.sarif"
    assert run("validate", "--sarif", sarif, bad).exit_code == exit_codes.INVALID_INPUT
    results = json.loads(sarif.read_text())["runs"][0]["results"]
    (instance,) = document["instances"]
    assert [one["check"] for one in instance["findings"]] == [one["ruleId"] for one in results]
    assert json.loads(run("validate", "--sarif", "-", bad).output)["version"] == "2.1.0"


def test_severity_decides_what_is_shown_not_the_exit_code(run: Run, good: Path) -> None:
    data_set = ct()
    data_set.EchoTime = 5
    good.write_bytes(encode(data_set))
    assert "attribute-extra" not in run("validate", good).output
    done = run("validate", "--severity", "note", good)
    assert "attribute-extra" in done.output
    assert done.exit_code == 0


def test_a_study_of_the_archive_is_validated_where_it_lies(
    run: Run, good: Path, bad: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert run("import", "--data", data, good, bad).exit_code == 0
    done = run("validate", "--data", data, "1.2.3.1")
    assert done.exit_code == exit_codes.INVALID_INPUT
    assert "1.2.3.1.1.2 (CT Image)" in done.output
    assert "2 instances" in done.output
    assert run("validate", "--data", data, "1.2.3.99").exit_code == exit_codes.NO_INPUT


def test_what_is_not_there_gets_one_sentence(run: Run, tmp_path: Path) -> None:
    done = run("validate", "no-such-file")
    assert done.exit_code == exit_codes.UNREADABLE_INPUT
    assert "no file or folder" in done.output
    (tmp_path / "empty").mkdir()
    assert run("validate", tmp_path / "empty").exit_code == exit_codes.NO_INPUT


def test_a_file_that_is_no_dicom_is_a_finding_not_a_failure(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "letter.doc"
    path.write_bytes(b"Dear doctor" * 100)
    done = run("validate", path)
    assert done.exit_code == exit_codes.INVALID_INPUT
    assert "not-dicom" in done.output


def test_validating_a_file_imports_nothing_heavy(good: Path) -> None:
    assert imported_by("validate", str(good)) & HEAVY == set()
