"""Instances beside each other, and the reports for programs."""

import json

import pytest

from isocenter.objects.findings import CHECKS, Severity
from isocenter.objects.reports import validation_json, validation_sarif
from isocenter.objects.study import StudyChecker
from isocenter.objects.validator import InstanceReport
from tests.objects.samples import ct, judge

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom has its own doubts


def instance(number: int, **values: str) -> InstanceReport:
    data_set = ct()
    data_set.SOPInstanceUID = f"1.2.3.1.1.{number}"
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    return judge(data_set)


def across(*reports: InstanceReport) -> list[str]:
    checker = StudyChecker()
    return [one.finding.check for report in reports for one in checker.compare(report)]


def test_instances_of_one_series_go_together() -> None:
    assert across(instance(1), instance(2), instance(3)) == []


@pytest.mark.parametrize(
    ("keyword", "value", "check"),
    [
        ("PatientID", "4712", "study-differs"),
        ("PatientBirthDate", "19700102", "study-differs"),
        ("StudyDate", "20240301", "study-differs"),
        ("Modality", "MR", "series-differs"),
        ("FrameOfReferenceUID", "1.2.3.10", "frame-of-reference-differs"),
        ("StudyInstanceUID", "1.2.3.2", "series-in-two-studies"),
    ],
)
def test_what_must_be_the_same_is_compared(keyword: str, value: str, check: str) -> None:
    assert across(instance(1), instance(2, **{keyword: value})) == [check]


def test_a_difference_is_told_once_for_a_study() -> None:
    reports = [instance(1), *(instance(n, PatientID="4712") for n in range(2, 6))]
    assert across(*reports) == ["study-differs"]


def test_a_uid_that_is_used_twice_is_told() -> None:
    assert across(instance(1), instance(1)) == ["instance-twice"]


def test_json_has_every_finding_and_counts() -> None:
    report = instance(1, AccessionNumber="x" * 17)
    document = validation_json([report], [])
    (one,) = document["instances"]
    assert one["iod"] == "CT Image"
    assert {finding["check"] for finding in one["findings"]} == {"value-length"}
    assert document["counts"] == {"error": 1, "warning": 0, "note": 0}
    assert json.loads(json.dumps(document)) == document


def test_json_leaves_out_what_is_less_grave_than_asked_for() -> None:
    report = instance(1, EchoTime="5")
    assert validation_json([report], [], Severity.WARNING)["instances"][0]["findings"] == []


def test_sarif_has_a_rule_for_every_result() -> None:
    report = instance(1, AccessionNumber="x" * 17, EchoTime="5")._replace(
        source="some dir/file.dcm"
    )
    checker = StudyChecker()
    checker.compare(report)
    log = validation_sarif([report], checker.compare(report), "0.1")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CHECKS)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri == "some%20dir/file.dcm"
    assert {result["ruleId"] for result in run["results"]} == {
        "value-length",
        "attribute-extra",
        "instance-twice",
    }


def test_every_check_has_a_section_and_a_summary() -> None:
    for check in CHECKS.values():
        assert check.section.startswith("PS3.")
        assert check.summary.endswith(".")
        assert check.id == check.id.lower()
