"""The attributes that the index keeps, each at its level of the model (PS3.4 C.6.1, C.6.2).

The ingest scanner is asked for `INDEX_ATTRIBUTES`; queries match and return what has a column.
"""

from enum import IntEnum
from typing import NamedTuple


class Level(IntEnum):
    """The levels of the Query/Retrieve information model, PS3.4 C.3.1, from the root down."""

    PATIENT = 0
    STUDY = 1
    SERIES = 2
    IMAGE = 3


class IndexAttribute(NamedTuple):
    """An attribute and the column of its level's table that holds it."""

    tag: int
    vr: str
    keyword: str
    level: Level
    column: str


SPECIFIC_CHARACTER_SET = 0x00080005
TIMEZONE_OFFSET_FROM_UTC = 0x00080201
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
INSTANCE_NUMBER = 0x00200013
NUMBER_OF_FRAMES = 0x00280008
ROWS = 0x00280010
COLUMNS = 0x00280011

ATTRIBUTES: tuple[IndexAttribute, ...] = (
    IndexAttribute(PATIENT_NAME, "PN", "PatientName", Level.PATIENT, "name"),
    IndexAttribute(PATIENT_ID, "LO", "PatientID", Level.PATIENT, "patient_id"),
    IndexAttribute(ISSUER_OF_PATIENT_ID, "LO", "IssuerOfPatientID", Level.PATIENT, "issuer"),
    IndexAttribute(0x00100030, "DA", "PatientBirthDate", Level.PATIENT, "birth_date"),
    IndexAttribute(0x00100040, "CS", "PatientSex", Level.PATIENT, "sex"),
    IndexAttribute(STUDY_INSTANCE_UID, "UI", "StudyInstanceUID", Level.STUDY, "uid"),
    IndexAttribute(0x00080020, "DA", "StudyDate", Level.STUDY, "date"),
    IndexAttribute(0x00080030, "TM", "StudyTime", Level.STUDY, "time"),
    IndexAttribute(0x00080050, "SH", "AccessionNumber", Level.STUDY, "accession_number"),
    IndexAttribute(0x00200010, "SH", "StudyID", Level.STUDY, "study_id"),
    IndexAttribute(0x00081030, "LO", "StudyDescription", Level.STUDY, "description"),
    IndexAttribute(0x00080090, "PN", "ReferringPhysicianName", Level.STUDY, "referring_physician"),
    IndexAttribute(0x00101010, "AS", "PatientAge", Level.STUDY, "patient_age"),
    IndexAttribute(0x00101020, "DS", "PatientSize", Level.STUDY, "patient_size"),
    IndexAttribute(0x00101030, "DS", "PatientWeight", Level.STUDY, "patient_weight"),
    IndexAttribute(
        TIMEZONE_OFFSET_FROM_UTC, "SH", "TimezoneOffsetFromUTC", Level.STUDY, "timezone"
    ),
    IndexAttribute(SERIES_INSTANCE_UID, "UI", "SeriesInstanceUID", Level.SERIES, "uid"),
    IndexAttribute(0x00080060, "CS", "Modality", Level.SERIES, "modality"),
    IndexAttribute(0x00200011, "IS", "SeriesNumber", Level.SERIES, "number"),
    IndexAttribute(0x0008103E, "LO", "SeriesDescription", Level.SERIES, "description"),
    IndexAttribute(0x00080021, "DA", "SeriesDate", Level.SERIES, "date"),
    IndexAttribute(0x00080031, "TM", "SeriesTime", Level.SERIES, "time"),
    IndexAttribute(0x00180015, "CS", "BodyPartExamined", Level.SERIES, "body_part"),
    IndexAttribute(0x00200060, "CS", "Laterality", Level.SERIES, "laterality"),
    IndexAttribute(0x00181030, "LO", "ProtocolName", Level.SERIES, "protocol_name"),
    IndexAttribute(0x00081010, "SH", "StationName", Level.SERIES, "station_name"),
    IndexAttribute(0x00080070, "LO", "Manufacturer", Level.SERIES, "manufacturer"),
    IndexAttribute(0x00081090, "LO", "ManufacturerModelName", Level.SERIES, "model_name"),
    IndexAttribute(0x00080080, "LO", "InstitutionName", Level.SERIES, "institution"),
    IndexAttribute(0x00081040, "LO", "InstitutionalDepartmentName", Level.SERIES, "department"),
    IndexAttribute(
        0x00081050, "PN", "PerformingPhysicianName", Level.SERIES, "performing_physician"
    ),
    IndexAttribute(0x00081070, "PN", "OperatorsName", Level.SERIES, "operators"),
    IndexAttribute(
        0x00400244, "DA", "PerformedProcedureStepStartDate", Level.SERIES, "performed_date"
    ),
    IndexAttribute(
        0x00400245, "TM", "PerformedProcedureStepStartTime", Level.SERIES, "performed_time"
    ),
    IndexAttribute(SOP_INSTANCE_UID, "UI", "SOPInstanceUID", Level.IMAGE, "uid"),
    IndexAttribute(SOP_CLASS_UID, "UI", "SOPClassUID", Level.IMAGE, "sop_class"),
    IndexAttribute(INSTANCE_NUMBER, "IS", "InstanceNumber", Level.IMAGE, "number"),
    IndexAttribute(ROWS, "US", "Rows", Level.IMAGE, "rows"),
    IndexAttribute(COLUMNS, "US", "Columns", Level.IMAGE, "columns"),
    IndexAttribute(NUMBER_OF_FRAMES, "IS", "NumberOfFrames", Level.IMAGE, "frames"),
)

ATTRIBUTE_BY_TAG = {attribute.tag: attribute for attribute in ATTRIBUTES}

# The character set is no column: what the index holds is already decoded.
INDEX_ATTRIBUTES: frozenset[int] = frozenset(ATTRIBUTE_BY_TAG) | {SPECIFIC_CHARACTER_SET}


def attributes_of(level: Level) -> tuple[IndexAttribute, ...]:
    """The attributes of one level, in the order of their columns."""
    return tuple(attribute for attribute in ATTRIBUTES if attribute.level is level)
