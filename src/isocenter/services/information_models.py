"""The information models that a user can query (PS3.4 C.6 and K.6): SOP classes, levels, and what
is usually asked for.

The attributes listed are a choice for people who name no return keys of their own: required ones
(types U, R and 1) first, and the optional ones that most archives answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from isocenter.dictionary import sop_classes as uids

_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = (
    *("PatientName", "PatientID", "StudyDate", "ModalitiesInStudy", "StudyDescription"),
    *("AccessionNumber", "StudyInstanceUID"),
)
_SERIES = (
    *("Modality", "SeriesNumber", "SeriesDescription", "SeriesInstanceUID"),
    "StudyInstanceUID",
)
_IMAGE = (
    *("InstanceNumber", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"),
    "StudyInstanceUID",
)
_STEP = "ScheduledProcedureStepSequence[0]."
# Table K.6-1: what a modality puts on its screen, and into the images it makes.
_WORKLIST_ITEM = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"),
    *("RequestedProcedureID", "RequestedProcedureDescription", "StudyInstanceUID"),
    _STEP + "ScheduledStationAETitle",
    _STEP + "ScheduledProcedureStepStartDate",
    _STEP + "ScheduledProcedureStepStartTime",
    _STEP + "Modality",
    _STEP + "ScheduledPerformingPhysicianName",
    _STEP + "ScheduledProcedureStepDescription",
    _STEP + "ScheduledProcedureStepID",
)


class InformationModel(NamedTuple):
    """One model: the SOP class of each operation ("" where there is none) and its levels.

    `usual` has, by level, the keys whose values people usually want back; a model without levels
    has them under "".
    """

    name: str
    find: str
    move: str
    get: str
    levels: tuple[str, ...]
    usual: Mapping[str, tuple[str, ...]]

    @property
    def default_level(self) -> str:
        """The highest level; "" where the model has none."""
        return self.levels[0] if self.levels else ""


_USUAL = {"PATIENT": _PATIENT, "STUDY": _STUDY, "SERIES": _SERIES, "IMAGE": _IMAGE}

LEVELS = tuple(_USUAL)
"""Every value of Query/Retrieve Level (0008,0052) in PS3.4 C.6, from the top."""

PATIENT_ROOT = InformationModel(
    "Patient Root",
    uids.PATIENT_ROOT_FIND,
    uids.PATIENT_ROOT_MOVE,
    uids.PATIENT_ROOT_GET,
    LEVELS,
    _USUAL,
)
STUDY_ROOT = InformationModel(
    "Study Root",
    uids.STUDY_ROOT_FIND,
    uids.STUDY_ROOT_MOVE,
    uids.STUDY_ROOT_GET,
    LEVELS[1:],
    _USUAL,
)
PATIENT_STUDY_ONLY = InformationModel(  # retired in 2004, PS3.4-2004 C.6.3
    "Patient/Study Only",
    uids.PATIENT_STUDY_ONLY_FIND,
    uids.PATIENT_STUDY_ONLY_MOVE,
    uids.PATIENT_STUDY_ONLY_GET,
    LEVELS[:2],
    _USUAL,
)
WORKLIST = InformationModel(
    "Modality Worklist", uids.MODALITY_WORKLIST_FIND, "", "", (), {"": _WORKLIST_ITEM}
)

QUERY_MODELS = (STUDY_ROOT, PATIENT_ROOT, PATIENT_STUDY_ONLY, WORKLIST)
