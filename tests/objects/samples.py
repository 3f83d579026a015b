"""Objects that are as PS3.3 wants them, to be spoiled by tests, and their bytes."""

from io import BytesIO

from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.objects.findings import Finding
from isocenter.objects.validator import InstanceReport, validate_file

CT = "1.2.840.10008.5.1.4.1.1.2"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
BASIC_TEXT_SR = "1.2.840.10008.5.1.4.1.1.88.11"


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def composite(sop_class: str, modality: str) -> Dataset:
    """Patient, study, series, equipment and SOP common of an object."""
    data_set = Dataset()
    data_set.SOPClassUID = sop_class
    data_set.SOPInstanceUID = "1.2.3.1.1.1"
    data_set.StudyInstanceUID = "1.2.3.1"
    data_set.SeriesInstanceUID = "1.2.3.1.1"
    data_set.PatientName, data_set.PatientID = "Doe^John", "4711"
    data_set.PatientBirthDate, data_set.PatientSex = "19700101", "M"
    data_set.StudyDate, data_set.StudyTime = "20240229", "101112"
    data_set.ReferringPhysicianName, data_set.StudyID, data_set.AccessionNumber = "", "1", ""
    data_set.Modality, data_set.SeriesNumber, data_set.InstanceNumber = modality, 1, 1
    data_set.Manufacturer = "Maker"
    return data_set


def ct() -> Dataset:
    """A CT image of four pixels."""
    data_set = composite(CT, "CT")
    data_set.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data_set.BodyPartExamined, data_set.PatientPosition = "HEAD", "HFS"
    data_set.FrameOfReferenceUID, data_set.PositionReferenceIndicator = "1.2.3.9", ""
    data_set.PixelSpacing, data_set.SliceThickness = [1, 1], 1
    data_set.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data_set.ImagePositionPatient = [0, 0, 0]
    data_set.SamplesPerPixel, data_set.PhotometricInterpretation = 1, "MONOCHROME2"
    data_set.Rows = data_set.Columns = 2
    data_set.BitsAllocated, data_set.BitsStored, data_set.HighBit = 16, 12, 11
    data_set.PixelRepresentation = 0
    data_set.RescaleIntercept, data_set.RescaleSlope = -1024, 1
    data_set.RescaleType = "HU"
    data_set.KVP, data_set.AcquisitionNumber = 120, 1
    data_set.PixelData = bytes(8)
    return data_set


def report_document() -> Dataset:
    """A basic text report of one paragraph."""
    data_set = composite(BASIC_TEXT_SR, "SR")
    data_set.ReferencedPerformedProcedureStepSequence = []
    data_set.PerformedProcedureCodeSequence = []
    data_set.ContentDate, data_set.ContentTime = "20240229", "101112"
    data_set.CompletionFlag, data_set.VerificationFlag = "COMPLETE", "UNVERIFIED"
    data_set.ValueType, data_set.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data_set.ConceptNameCodeSequence = [code("18748-4", "LN", "Diagnostic imaging report")]
    text = Dataset()
    text.RelationshipType, text.ValueType, text.TextValue = "CONTAINS", "TEXT", "Normal."
    text.ConceptNameCodeSequence = [code("121071", "DCM", "Finding")]
    data_set.ContentSequence = [text]
    return data_set


def encode(data_set: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """The object as a Part 10 file."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = data_set.get("SOPClassUID", CT)
    meta.MediaStorageSOPInstanceUID = data_set.get("SOPInstanceUID", "1.2.3")
    meta.TransferSyntaxUID = syntax
    file = FileDataset("", data_set, file_meta=meta, preamble=bytes(128))
    buffer = BytesIO()
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def judge(data_set: Dataset) -> InstanceReport:
    """The validator's report of an object."""
    return validate_file(encode(data_set))


def checks(data_set: Dataset, keyword: str = "") -> set[str]:
    """The ids of what is found in an object, of one attribute where `keyword` is given."""
    return {
        finding.check
        for finding in judge(data_set).findings
        if not keyword or finding.path.rpartition(".")[2] == keyword
    }


def of_check(data_set: Dataset, check: str) -> list[Finding]:
    """The findings of one check."""
    return [finding for finding in judge(data_set).findings if finding.check == check]
