"""Worklist items and performed steps to test with."""

from isocenter.archive.workflow.worklist_item import scheduled_step
from isocenter.dictionary.elements import implicit_vr, parse_tag
from isocenter.encoding.elements import Elements, RawElement

STUDY = "1.2.840.99.1"


def item(**values: str) -> Elements:
    """What is scheduled: a CT of Jane Doe, with other values where they are given."""
    usual = {
        "PatientName": "DOE^JANE",
        "PatientID": "4711",
        "AccessionNumber": "A1",
        "StudyInstanceUID": STUDY,
        "RequestedProcedureID": "RP1",
        "Modality": "CT",
        "ScheduledStationAETitle": "CT1",
        "ScheduledProcedureStepStartDate": "20240131",
        "ScheduledProcedureStepStartTime": "0930",
        "ScheduledProcedureStepID": "SPS1",
    }
    return scheduled_step(**{name: value for name, value in (usual | values).items() if value})


def data_set(**values: str | list[Elements]) -> Elements:
    """A neutral data set from values by keyword."""
    elements: Elements = {}
    for keyword, value in values.items():
        tag = parse_tag(keyword)
        raw = value if isinstance(value, list) else value.encode()
        elements[tag] = RawElement(implicit_vr(tag), raw)
    return elements


def step_begun(step_id: str = "SPS1", study: str = STUDY, **values: str) -> Elements:
    """The attributes of an N-CREATE."""
    scheduled = data_set(StudyInstanceUID=study, ScheduledProcedureStepID=step_id)
    usual = {
        "PatientName": "DOE^JANE",
        "PatientID": "4711",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "CT1",
        "PerformedProcedureStepStartDate": "20240131",
        "PerformedProcedureStepStartTime": "0935",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "Modality": "CT",
    }
    return data_set(ScheduledStepAttributesSequence=[scheduled], **(usual | values))


def step_ended(status: str = "COMPLETED") -> Elements:
    """The attributes of the N-SET that ends a step."""
    image = data_set(ReferencedSOPInstanceUID="1.2.3.4", ReferencedSOPClassUID="1.2.3")
    series = data_set(
        SeriesInstanceUID="1.2.3", ProtocolName="HEAD", ReferencedImageSequence=[image]
    )
    return data_set(
        PerformedProcedureStepStatus=status,
        PerformedProcedureStepEndDate="20240131",
        PerformedProcedureStepEndTime="0950",
        PerformedSeriesSequence=[series],
    )
