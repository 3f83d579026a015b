"""Attributes beside each other: each check finds what it is for, and nothing in good objects."""

from collections.abc import Callable

import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from isocenter.objects.validator import validate_file
from tests.objects.samples import (
    SEGMENTATION,
    checks,
    code,
    composite,
    ct,
    encode,
    of_check,
    report_document,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # pydicom has its own doubts
Change = Callable[[Dataset], object]


@pytest.mark.parametrize(
    ("keyword", "value", "check"),
    [
        ("HighBit", 10, "bits"),
        ("BitsStored", 17, "bits"),
        ("BitsAllocated", 12, "bits"),
        ("Rows", 3, "pixel-length"),
        ("PixelData", bytes(10), "pixel-length"),
        ("SamplesPerPixel", 3, "pixel-description"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 2, 0], "orientation"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "orientation"),
        ("PixelSpacing", [-1, 1], "spacing"),
        ("ImageType", ["ORIGINAL", "PRIMARY"], "image-type"),
        ("ImageType", ["ORIGINAL", "FIRST", "AXIAL"], "enumerated-value"),
        ("PhotometricInterpretation", "MONOCHROME3", "enumerated-value"),
        ("StudyInstanceUID", "1.2.3.1.1", "uid-same"),
        ("FrameOfReferenceUID", "1.2.3.1", "uid-same"),
        ("NumberOfFrames", 2, "frame-count"),
        ("StudyDate", "19000101", "date-order"),
        ("StudyDate", "2024-02-29", "value-form"),
        ("PatientSex", "male", "value-characters"),
        ("StudyID", "x" * 17, "value-length"),
        ("ImagePositionPatient", [0, 0], "value-multiplicity"),
        ("WindowWidth", 0, "spacing"),
    ],
)
def test_a_contradiction_is_found(keyword: str, value: object, check: str) -> None:
    data_set = ct()
    with_value = {keyword: value}
    if keyword == "WindowWidth":
        data_set.WindowCenter = 40
    for name, one in with_value.items():
        setattr(data_set, name, one)
    assert check in checks(data_set)


def test_a_palette_is_as_long_as_its_descriptor_says() -> None:
    data_set = ct()
    data_set.RedPaletteColorLookupTableDescriptor = [256, 0, 16]
    data_set.RedPaletteColorLookupTableData = bytes(510)
    assert "palette" in checks(data_set)
    data_set.RedPaletteColorLookupTableData = bytes(512)
    assert "palette" not in checks(data_set)


def test_fragments_are_held_against_the_frames() -> None:
    data_set = ct()
    data_set.NumberOfFrames = 3
    data_set.PixelData = encapsulate([b"\xff\xd8\xff\xd9"], has_bot=False)
    data_set["PixelData"].is_undefined_length = True
    found = {one.check for one in validate_file(encode(data_set, JPEGBaseline8Bit)).findings}
    assert "pixel-fragments" in found


def segmentation() -> Dataset:
    """The skeleton of a segmentation with two segments and three frames."""
    data_set = composite(SEGMENTATION, "SEG")
    data_set.NumberOfFrames = 3
    data_set.SegmentationType = "BINARY"
    segments = []
    for number in (1, 2):
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, "S"
        segments.append(segment)
    data_set.SegmentSequence = segments
    data_set.DimensionIndexSequence = [Dataset(), Dataset()]
    data_set.SharedFunctionalGroupsSequence = [Dataset()]
    frames = []
    for number in (1, 2, 3):
        frame, content, identification = Dataset(), Dataset(), Dataset()
        content.DimensionIndexValues = [1, number]
        identification.ReferencedSegmentNumber = 1 + number % 2
        frame.FrameContentSequence = [content]
        frame.SegmentIdentificationSequence = [identification]
        frames.append(frame)
    data_set.PerFrameFunctionalGroupsSequence = frames
    return data_set


SPOILED: list[tuple[str, str, Change]] = [
    ("frame-count", "a frame too few", lambda ds: ds.PerFrameFunctionalGroupsSequence.pop()),
    ("segment", "numbers from 0", lambda ds: setattr(ds.SegmentSequence[0], "SegmentNumber", 0)),
    ("segment", "no such segment", lambda ds: ds.SegmentSequence.pop()),
    ("dimension", "an index too few", lambda ds: ds.DimensionIndexSequence.pop()),
]


@pytest.mark.parametrize(("check", "change"), [(c, f) for c, _, f in SPOILED])
def test_many_frames_and_segments_fit_together(check: str, change: Change) -> None:
    data_set = segmentation()
    assert check not in checks(data_set)
    change(data_set)
    assert check in checks(data_set)


def test_a_mandatory_functional_group_must_be_somewhere() -> None:
    data_set = segmentation()
    missing = [one.text for one in of_check(data_set, "group-missing")]
    assert not any("SegmentIdentificationSequence" in text for text in missing)
    del data_set.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence
    texts = [one.text for one in of_check(data_set, "group-missing")]
    assert any("SegmentIdentificationSequence" in text and "1 of 3" in text for text in texts)


def test_a_group_stands_in_one_of_two_places() -> None:
    data_set = segmentation()
    shared = data_set.SharedFunctionalGroupsSequence[0]
    shared.SegmentIdentificationSequence = [Dataset()]
    assert "group-twice" in checks(data_set)


def test_a_content_tree_has_relationships_that_exist() -> None:
    data_set = report_document()
    data_set.ContentSequence[0].RelationshipType = "OWNS"
    assert "sr-content" in checks(data_set)
    data_set.ContentSequence[0].RelationshipType = "CONTAINS"
    data_set.ContentSequence[0].ContentSequence = [data_set.ContentSequence[0].__class__()]
    child = data_set.ContentSequence[0].ContentSequence[0]
    child.RelationshipType, child.ValueType, child.TextValue = "CONTAINS", "TEXT", "x"
    child.ConceptNameCodeSequence = [code("121071", "DCM", "Finding")]
    assert "sr-content" in checks(data_set)


def test_what_a_report_refers_to_stands_in_its_evidence() -> None:
    data_set = report_document()
    image, referenced = Dataset(), Dataset()
    image.RelationshipType, image.ValueType = "CONTAINS", "IMAGE"
    referenced.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    referenced.ReferencedSOPInstanceUID = "1.2.3.5"
    image.ReferencedSOPSequence = [referenced]
    data_set.ContentSequence.append(image)
    assert "sr-evidence" in checks(data_set)
    study, series = Dataset(), Dataset()
    study.StudyInstanceUID, series.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    series.ReferencedSOPSequence = [referenced]
    study.ReferencedSeriesSequence = [series]
    data_set.CurrentRequestedProcedureEvidenceSequence = [study]
    assert "sr-evidence" not in checks(data_set)


def structure_set() -> Dataset:
    data_set = composite("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    roi, region, contour, observation = Dataset(), Dataset(), Dataset(), Dataset()
    roi.ROINumber = 1
    contour.NumberOfContourPoints, contour.ContourData = 1, [0, 0, 0]
    region.ReferencedROINumber, region.ContourSequence = 1, [contour]
    observation.ReferencedROINumber = 1
    data_set.StructureSetROISequence = [roi]
    data_set.ROIContourSequence = [region]
    data_set.RTROIObservationsSequence = [observation]
    return data_set


def test_numbers_in_rt_objects_refer_to_something() -> None:
    data_set = structure_set()
    assert "rt-reference" not in checks(data_set)
    data_set.ROIContourSequence[0].ReferencedROINumber = 2
    (finding,) = of_check(data_set, "rt-reference")
    assert finding.path == "ROIContourSequence[1].ReferencedROINumber"


def test_contours_have_three_numbers_for_each_point() -> None:
    data_set = structure_set()
    data_set.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 2
    assert "rt-reference" in checks(data_set)


def test_control_points_are_counted_and_numbered() -> None:
    data_set = composite("1.2.840.10008.5.1.4.1.1.481.5", "RTPLAN")
    beam, first, second = Dataset(), Dataset(), Dataset()
    first.ControlPointIndex, second.ControlPointIndex = 0, 2
    beam.NumberOfControlPoints, beam.ControlPointSequence = 2, [first, second]
    data_set.BeamSequence = [beam]
    assert "rt-reference" in checks(data_set)
    second.ControlPointIndex = 1
    assert "rt-reference" not in checks(data_set)
