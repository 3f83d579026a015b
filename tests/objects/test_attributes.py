"""Presence and types: what PS3.5 7.4 demands, attribute by attribute."""

import pytest
from pydicom import Dataset

from isocenter.objects.findings import Severity
from tests.objects.samples import checks, ct, judge, of_check, report_document

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom has its own doubts


def test_an_object_as_it_should_be_has_no_findings() -> None:
    assert judge(ct()).findings == []
    assert judge(report_document()).findings == []


def test_the_report_names_class_instance_and_iod() -> None:
    report = judge(ct())
    assert report.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2"
    assert report.sop_instance_uid == "1.2.3.1.1.1"
    assert report.iod == "CT Image"


@pytest.mark.parametrize(
    ("keyword", "check"),
    [
        ("StudyInstanceUID", "type1-missing"),
        ("Rows", "type1-missing"),
        ("ImageType", "type1-missing"),
        ("PatientName", "type2-missing"),
        ("KVP", "type2-missing"),
        ("PixelData", "type1c-missing"),
        ("PatientPosition", "type2c-missing"),
    ],
)
def test_what_is_missing_is_told_with_its_type(keyword: str, check: str) -> None:
    data_set = ct()
    delattr(data_set, keyword)
    (finding,) = [one for one in judge(data_set).findings if one.path == keyword]
    assert finding.check == check
    assert finding.severity is Severity.ERROR
    assert finding.reference.startswith("PS3.3 Table C.")


@pytest.mark.parametrize("keyword", ["ImageType", "FrameOfReferenceUID", "ImagePositionPatient"])
def test_an_empty_type_1_attribute_is_found(keyword: str) -> None:
    data_set = ct()
    setattr(data_set, keyword, None)
    assert "type1-empty" in checks(data_set, keyword)


def test_an_empty_type_2_attribute_is_in_order() -> None:
    data_set = ct()
    data_set.PatientName = data_set.KVP = None
    assert judge(data_set).findings == []


def test_a_type_3_attribute_may_be_missing_or_empty() -> None:
    data_set = ct()
    data_set.StudyDescription = ""
    assert judge(data_set).findings == []


def test_types_hold_inside_sequences_too() -> None:
    data_set = ct()
    item = Dataset()
    item.CodeValue = "T-A0100"
    data_set.AnatomicRegionSequence = [item]
    paths = {finding.path: finding.check for finding in judge(data_set).findings}
    assert paths["AnatomicRegionSequence[1].CodeMeaning"] == "type1-missing"
    assert paths["AnatomicRegionSequence[1].CodingSchemeDesignator"] == "type1c-missing"


def test_a_module_that_need_not_be_there_is_judged_when_it_is() -> None:
    data_set = ct()
    data_set.ClinicalTrialProtocolID = "4711"
    assert checks(data_set, "ClinicalTrialSponsorName") == {"type1-missing"}


def test_overlays_are_judged_group_by_group() -> None:
    data_set = ct()
    data_set.add_new(0x60020010, "US", 2)
    (finding, *_) = of_check(data_set, "type1-missing")
    assert finding.path.startswith("Overlay6002.")


def test_an_attribute_of_no_module_is_a_note() -> None:
    data_set = ct()
    data_set.EchoTime = 5
    (finding,) = judge(data_set).findings
    assert (finding.check, finding.severity) == ("attribute-extra", Severity.NOTE)


def test_an_object_of_an_unknown_class_is_judged_as_far_as_that_goes() -> None:
    data_set = ct()
    data_set.SOPClassUID = "1.2.3.4"
    data_set.StudyDate = "2024"
    assert checks(data_set) >= {"sop-class-unknown", "value-form"}
    assert "type1-missing" not in checks(data_set)


def test_an_object_without_a_class_is_told_so() -> None:
    data_set = ct()
    del data_set.SOPClassUID
    assert "sop-class-missing" in checks(data_set)


def test_findings_hold_nothing_of_the_patient() -> None:
    data_set = ct()
    data_set.PatientName, data_set.PatientID = "Secret^Name" + "x" * 64, "SECRET" * 20
    data_set.PatientSex = "Z"
    report = judge(data_set)
    assert {"value-length", "enumerated-value"} <= {one.check for one in report.findings}
    shown = "".join(one.text + one.path for one in report.findings)
    assert "Secret" not in shown
    assert "SECRET" not in shown
    assert "'Z'" not in shown


def test_long_sequences_give_a_bounded_number_of_findings() -> None:
    data_set = ct()
    data_set.AnatomicRegionSequence = [Dataset() for _ in range(3000)]
    report = judge(data_set)
    assert len(report.findings) < 200
    assert report.findings[-1].check == "not-judged"
