"""Attributes of the procedure steps by the names of PS3.6, and reading and writing their text.

Data sets of the workflow are neutral (`encoding.recoding`), whatever their sender's form was.
"""

from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import neutral_text

ACCESSION_NUMBER = 0x00080050
MODALITY = 0x00080060
REFERENCED_IMAGE_SEQUENCE = 0x00081140
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PROTOCOL_NAME = 0x00181030
REQUESTED_PROCEDURE_DESCRIPTION = 0x00321060
SCHEDULED_STATION_AE_TITLE = 0x00400001
SCHEDULED_START_DATE = 0x00400002
SCHEDULED_START_TIME = 0x00400003
SCHEDULED_STEP_DESCRIPTION = 0x00400007
SCHEDULED_STEP_ID = 0x00400009
SCHEDULED_STEP_STATUS = 0x00400020
SCHEDULED_STEP_SEQUENCE = 0x00400100
REFERENCED_NON_IMAGE_SEQUENCE = 0x00400220
PERFORMED_STATION_AE_TITLE = 0x00400241
PERFORMED_START_DATE = 0x00400244
PERFORMED_START_TIME = 0x00400245
PERFORMED_END_DATE = 0x00400250
PERFORMED_END_TIME = 0x00400251
PERFORMED_STEP_STATUS = 0x00400252
PERFORMED_STEP_ID = 0x00400253
SCHEDULED_STEP_ATTRIBUTES_SEQUENCE = 0x00400270
PERFORMED_SERIES_SEQUENCE = 0x00400340
REQUESTED_PROCEDURE_ID = 0x00401001


def text(data_set: Elements, tag: int) -> str:
    """The value of a text element without its padding; empty where there is none."""
    element = data_set.get(tag)
    return "" if element is None else neutral_text(element).strip(" ")


def items(data_set: Elements, tag: int) -> list[Elements]:
    """The items of a sequence; none where it is absent."""
    element = data_set.get(tag)
    return element.value if element is not None and isinstance(element.value, list) else []


def put(data_set: Elements, tag: int, vr: str, value: str) -> None:
    """Give a text element its value."""
    data_set[tag] = RawElement(vr, value.encode("utf-8"))
