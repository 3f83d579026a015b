"""Synthesised images: one template per kind, from which instances with UIDs of their own are cut.

A template is encoded once with pydicom. Only the UIDs and the instance number differ from one
instance to the next, and they have a fixed width, so an instance is a small patched header in
front of pixels that all instances share: a sender can produce them at no cost worth measuring.
"""

import random
import struct
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

# {2 999} is the arc that ITU-T X.660 reserves for examples; every UID below has the same length.
_STUDY = "2.999.3.{association:03d}"
_SERIES = "2.999.3.{association:03d}.1"
_INSTANCE = "2.999.3.{association:03d}.1.{number:07d}"
_FIRST_ASSOCIATION, _FIRST_NUMBER = 100, 1_000_000  # no component may begin with a zero

# A scanner's header: what a modality, a worklist and a vendor put into a CT slice.
_VALUES: dict[str, object] = {
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"],
    "InstanceCreationDate": "20240305",
    "InstanceCreationTime": "101112.123000",
    "StudyDate": "20240305",
    "SeriesDate": "20240305",
    "AcquisitionDate": "20240305",
    "ContentDate": "20240305",
    "StudyTime": "100000.000000",
    "SeriesTime": "100500.000000",
    "AcquisitionTime": "100612.345000",
    "ContentTime": "100612.345000",
    "AccessionNumber": "A0001234",
    "Modality": "CT",
    "Manufacturer": "EXAMPLE MEDICAL",
    "InstitutionName": "Example Hospital",
    "InstitutionAddress": "1 Example Street",
    "ReferringPhysicianName": "REFERRING^PHYSICIAN",
    "StationName": "CT01",
    "StudyDescription": "CT CHEST ABDOMEN PELVIS",
    "SeriesDescription": "Axial 1.0 B30f",
    "InstitutionalDepartmentName": "Radiology",
    "PhysiciansOfRecord": "RECORD^PHYSICIAN",
    "PerformingPhysicianName": "PERFORMING^PHYSICIAN",
    "OperatorsName": "OPERATOR^ONE",
    "ManufacturerModelName": "Example CT 64",
    "PatientName": "BENCH^ISOCENTER",
    "PatientID": "BENCH0001",
    "IssuerOfPatientID": "EXAMPLE",
    "PatientBirthDate": "19600101",
    "PatientSex": "O",
    "PatientAge": "064Y",
    "PatientSize": "1.75",
    "PatientWeight": "75",
    "BodyPartExamined": "CHEST",
    "ScanOptions": "HELICAL MODE",
    "SliceThickness": "1.0",
    "KVP": "120",
    "DataCollectionDiameter": "500",
    "DeviceSerialNumber": "12345",
    "SoftwareVersions": "example 1.0",
    "ProtocolName": "ChestAbdomenPelvis",
    "ReconstructionDiameter": "380",
    "DistanceSourceToDetector": "1040.0",
    "DistanceSourceToPatient": "570.0",
    "GantryDetectorTilt": "0",
    "TableHeight": "160",
    "RotationDirection": "CW",
    "ExposureTime": "500",
    "XRayTubeCurrent": "300",
    "Exposure": "150",
    "FilterType": "0",
    "GeneratorPower": "36",
    "FocalSpots": "1.2",
    "DateOfLastCalibration": "20240301",
    "TimeOfLastCalibration": "060000.000000",
    "ConvolutionKernel": "B30f",
    "PatientPosition": "HFS",
    "SingleCollimationWidth": 0.6,
    "TotalCollimationWidth": 38.4,
    "TableSpeed": 46.0,
    "TableFeedPerRotation": 23.0,
    "SpiralPitchFactor": 0.6,
    "CTDIvol": 10.1,
    "StudyID": "1234",
    "SeriesNumber": "2",
    "AcquisitionNumber": "1",
    "ImagePositionPatient": ["-190.0", "-190.0", "-512.5"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "FrameOfReferenceUID": "2.999.3.7",
    "PositionReferenceIndicator": "SN",
    "SliceLocation": "-512.5",
    "ImageComments": "synthesised for a benchmark",
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.7421875", "0.7421875"],
    "BitsAllocated": 16,
    "BitsStored": 12,
    "HighBit": 11,
    "PixelRepresentation": 0,
    "SmallestImagePixelValue": 0,
    "LargestImagePixelValue": 4095,
    "WindowCenter": ["40", "-600"],
    "WindowWidth": ["400", "1200"],
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "RescaleType": "HU",
    "WindowCenterWidthExplanation": ["MEDIASTINUM", "LUNG"],
    "RequestingPhysician": "REQUESTING^PHYSICIAN",
    "RequestedProcedureDescription": "CT chest abdomen pelvis with contrast",
    "PerformedProcedureStepStartDate": "20240305",
    "PerformedProcedureStepStartTime": "100000.000000",
    "PerformedProcedureStepID": "PPS1234",
    "PerformedProcedureStepDescription": "CT chest abdomen pelvis",
}


@dataclass(frozen=True)
class Template:
    """An encoded data set without its meta information: `head` up to the pixels, then `pixels`."""

    name: str
    sop_class_uid: str
    transfer_syntax_uid: str
    head: bytes
    pixels: bytes
    elements: int

    @property
    def size(self) -> int:
        """Bytes of one data set."""
        return len(self.head) + len(self.pixels)

    @cached_property
    def _places(self) -> dict[str, int]:
        """Where in `head` the fields lie that differ from instance to instance."""
        marks = {
            "instance": struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", _even(_uids(0, 0)[2])),
            "study": struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", _even(_uids(0, 0)[0])),
            "series": struct.pack("<HH2sH", 0x0020, 0x000E, b"UI", _even(_uids(0, 0)[1])),
            "number": struct.pack("<HH2sH", 0x0020, 0x0013, b"IS", 8),
        }
        return {field: self.head.index(mark) + len(mark) for field, mark in marks.items()}

    def instance(self, association: int, number: int) -> tuple[str, bytes]:
        """The SOP Instance UID and the header of one instance of one association's series."""
        head = bytearray(self.head)
        study, series, instance = _uids(association, number)
        texts = {
            "study": study,
            "series": series,
            "instance": instance,
            "number": str(_FIRST_NUMBER + number),
        }
        for field, text in texts.items():
            at = self._places[field]
            head[at : at + len(text)] = text.encode("ascii")
        return instance, bytes(head)

    def write_files(self, folder: Path, association: int, count: int) -> None:
        """Writes instances as Part 10 files, for senders that read files."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            uid, head = self.instance(association, number)
            meta = _file_meta(self.sop_class_uid, uid, self.transfer_syntax_uid)
            (folder / f"{number:06d}.dcm").write_bytes(meta + head + self.pixels)


def make_template(name: str, side: int, frames: int = 1) -> Template:
    """Encodes a CT slice of `side` x `side` 16-bit pixels with about 120 elements.

    With more than one frame the header speaks of all of them, but `pixels` holds only the first.
    """
    dataset = _dataset(side)
    if frames > 1:
        dataset.NumberOfFrames = frames
    encoded = _encode(dataset)
    elements = sum(1 for _ in dataset.iterall()) + 1
    # Pixel Data is last: its header belongs to the head, its value is shared by all instances.
    pixels = random.Random(side).randbytes(2 * side * side)
    head = encoded + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, frames * len(pixels))
    return Template(name, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, head, pixels, elements)


def _dataset(side: int):
    from pydicom import Dataset

    dataset = Dataset()
    for keyword, value in _VALUES.items():
        setattr(dataset, keyword, value)
    study, series, instance = _uids(0, 0)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT_IMAGE_STORAGE, instance
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
    dataset.InstanceNumber = f"{_FIRST_NUMBER:>7d}"
    dataset.Rows = dataset.Columns = side
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "CTCAP", "99EX", "CT CAP"
    dataset.ProcedureCodeSequence = [code]
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "RP1", "SPS1"
    dataset.RequestAttributesSequence = [request]
    private = dataset.private_block(0x0029, "EXAMPLE CSA HEADER", create=True)
    for element in range(12):
        private.add_new(element, "LO", f"private value {element}")
    private.add_new(0x20, "OB", bytes(512))
    return dataset


def _encode(dataset) -> bytes:
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset

    buffer = BytesIO()
    target = DicomIO(buffer)
    target.is_little_endian, target.is_implicit_VR = True, False
    write_dataset(target, dataset)
    return buffer.getvalue()


def _uids(association: int, number: int) -> tuple[str, str, str]:
    numbers = {"association": _FIRST_ASSOCIATION + association, "number": _FIRST_NUMBER + number}
    return _STUDY.format(**numbers), _SERIES.format(**numbers), _INSTANCE.format(**numbers)


def _even(text: str) -> int:
    return len(text) + len(text) % 2


def _file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """Preamble, prefix and group 0002 (PS3.10 7.1)."""

    def ui(element: int, uid: str) -> bytes:
        value = uid.encode("ascii") + b"\0" * (len(uid) % 2)
        return struct.pack("<HH2sH", 2, element, b"UI", len(value)) + value

    body = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\0\1"
    body += ui(0x02, sop_class_uid) + ui(0x03, sop_instance_uid)
    body += ui(0x10, transfer_syntax_uid) + ui(0x12, "2.999.3.1")
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body
