"""What passes between a scheduler, a modality and a node: worklist items and performed steps."""

from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, decode_elements
from tests.support.corpus import bundled, read_header

ACCESSION = "ACC4711"
STATION = "SCANNER"

CT = read_header(bundled("CT_small.dcm"))


def worklist_item(station: str = STATION, number: int = 1) -> Dataset:
    """One scheduled procedure step with all that `wlmscpfs` wants to see in a file."""
    step = Dataset()
    step.Modality = "CT"
    step.RequestedContrastAgent = ""
    step.ScheduledStationAETitle = station
    step.ScheduledProcedureStepStartDate = "20260102"
    step.ScheduledProcedureStepStartTime = "101500"
    step.ScheduledPerformingPhysicianName = "Doe^Jane"
    step.ScheduledProcedureStepDescription = "CT of the head"
    step.ScheduledProcedureStepID = f"SPS{number}"
    step.ScheduledStationName = "CT1"
    step.ScheduledProcedureStepLocation = "Room 1"
    step.PreMedication = ""
    item = Dataset()
    item.AccessionNumber = ACCESSION if number == 1 else f"ACC{number}"
    item.ReferringPhysicianName = ""
    item.PatientName = "Work^List"
    item.PatientID = f"WL{number}"
    item.PatientBirthDate = "19700101"
    item.PatientSex = "O"
    item.MedicalAlerts = ""
    item.Allergies = ""
    item.StudyInstanceUID = generate_uid()
    item.RequestingPhysician = ""
    item.RequestedProcedureDescription = "CT of the head"
    item.ScheduledProcedureStepSequence = [step]
    item.RequestedProcedureID = f"RP{number}"
    item.RequestedProcedurePriority = "ROUTINE"
    return item


def write_worklist_file(path: Path, item: Dataset) -> None:
    """An item as a file of DCMTK's kind."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.276.0.7230010.3.1.0.1"  # DCMTK's own for worklist files
    meta.MediaStorageSOPInstanceUID = generate_uid()
    item.file_meta = meta
    path.parent.mkdir(parents=True, exist_ok=True)
    item.save_as(path, enforce_file_format=True)


def beginning() -> dict[str, Any]:
    """What a modality says when it begins, type 1 and 2 attributes (PS3.4 Table F.7.2-1)."""
    scheduled = {
        "StudyInstanceUID": str(CT.StudyInstanceUID),
        "ReferencedStudySequence": [],
        "AccessionNumber": "ACC4711",
        "RequestedProcedureID": "RP1",
        "RequestedProcedureDescription": "",
        "ScheduledProcedureStepID": "SPS1",
        "ScheduledProcedureStepDescription": "",
        "ScheduledProtocolCodeSequence": [],
    }
    return {
        "ScheduledStepAttributesSequence": [scheduled],
        "PatientName": "Work^List",
        "PatientID": "WL1",
        "PatientBirthDate": "",
        "PatientSex": "",
        "ReferencedPatientSequence": [],
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "SCANNER",
        "PerformedStationName": "",
        "PerformedLocation": "",
        "PerformedProcedureStepStartDate": "20260102",
        "PerformedProcedureStepStartTime": "101500",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepDescription": "",
        "PerformedProcedureTypeDescription": "",
        "ProcedureCodeSequence": [],
        "PerformedProcedureStepEndDate": "",
        "PerformedProcedureStepEndTime": "",
        "Modality": "CT",
        "StudyID": "1CT1",
        "PerformedProtocolCodeSequence": [],
        "PerformedSeriesSequence": [],
    }


def end(status: str = "COMPLETED") -> dict[str, Any]:
    """What it says when it is done: one series (PS3.4 Table F.7.2-1, final state)."""
    series = {
        "PerformingPhysicianName": "",
        "ProtocolName": "Head",
        "OperatorsName": "",
        "SeriesInstanceUID": str(CT.SeriesInstanceUID),
        "SeriesDescription": "",
        "RetrieveAETitle": "",
        "ReferencedImageSequence": [],
        "ReferencedNonImageCompositeSOPInstanceSequence": [],
    }
    return {
        "PerformedProcedureStepStatus": status,
        "PerformedProcedureStepEndDate": "20260102",
        "PerformedProcedureStepEndTime": "102000",
        "PerformedSeriesSequence": [series],
    }


def data_set(attributes: dict[str, Any]) -> Dataset:
    """The same for pydicom."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, [*map(data_set, value)] if isinstance(value, list) else value)
    return made


def elements_of(attributes: dict[str, Any]) -> Elements:
    """The same for Isocenter."""
    written = DicomBytesIO()
    written.is_little_endian, written.is_implicit_VR = True, False
    write_dataset(written, data_set(attributes))
    return decode_elements(written.getvalue(), EXPLICIT_VR_LITTLE_ENDIAN)
