"""The coded values of audit messages: PS3.16 CID 400 to 405, and what PS3.15 A.5.1.2 lists."""

from enum import IntEnum
from typing import Literal, NamedTuple


class Code(NamedTuple):
    """A coded value: its code, the scheme that it belongs to, and its meaning in words."""

    value: str
    scheme: str
    meaning: str


def _dcm(value: int, meaning: str) -> Code:
    return Code(str(value), "DCM", meaning)


Action = Literal["C", "R", "U", "D", "E"]
"""Created, read, updated, deleted, executed (EventActionCode)."""


class Outcome(IntEnum):
    """How an event ended (EventOutcomeIndicator)."""

    SUCCESS = 0
    MINOR_FAILURE = 4
    SERIOUS_FAILURE = 8
    MAJOR_FAILURE = 12


# CID 400: what happened
APPLICATION_ACTIVITY = _dcm(110100, "Application Activity")
AUDIT_LOG_USED = _dcm(110101, "Audit Log Used")
BEGIN_TRANSFERRING = _dcm(110102, "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm(110103, "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm(110104, "DICOM Instances Transferred")
STUDY_DELETED = _dcm(110105, "DICOM Study Deleted")
EXPORT = _dcm(110106, "Export")
IMPORT = _dcm(110107, "Import")
PROCEDURE_RECORD = _dcm(110111, "Procedure Record")
QUERY = _dcm(110112, "Query")
SECURITY_ALERT = _dcm(110113, "Security Alert")
USER_AUTHENTICATION = _dcm(110114, "User Authentication")

EVENTS = {
    code.value: code
    for code in (
        APPLICATION_ACTIVITY,
        AUDIT_LOG_USED,
        BEGIN_TRANSFERRING,
        INSTANCES_ACCESSED,
        INSTANCES_TRANSFERRED,
        STUDY_DELETED,
        EXPORT,
        IMPORT,
        PROCEDURE_RECORD,
        QUERY,
        SECURITY_ALERT,
        USER_AUTHENTICATION,
    )
}

# CID 401 and 403: what kind of it
APPLICATION_START = _dcm(110120, "Application Start")
APPLICATION_STOP = _dcm(110121, "Application Stop")
LOGIN = _dcm(110122, "Login")
LOGOUT = _dcm(110123, "Logout")
NODE_AUTHENTICATION = _dcm(110126, "Node Authentication")
SECURITY_CONFIGURATION = _dcm(110129, "Security Configuration")
RESTRICTED_FUNCTION = _dcm(110132, "Use of Restricted Function")
RECORDING_STOPPED = _dcm(110133, "Audit Recording Stopped")
OBJECT_SECURITY_CHANGED = _dcm(110135, "Object Security Attributes Changed")
USER_SECURITY_CHANGED = _dcm(110137, "User Security Attributes Changed")

# CID 403 is extensible; these two are ours, and told in the conformance statement.
MESSAGES_REMOVED = Code("messages-removed", "99ISOCENTER", "Audit Messages Removed")
TRAIL_BROKEN = Code("trail-broken", "99ISOCENTER", "Audit Trail Does Not Continue")

# CID 402: who took part as what
APPLICATION = _dcm(110150, "Application")
APPLICATION_LAUNCHER = _dcm(110151, "Application Launcher")
DESTINATION = _dcm(110152, "Destination Role ID")
SOURCE = _dcm(110153, "Source Role ID")
DESTINATION_MEDIA = _dcm(110154, "Destination Media")
SOURCE_MEDIA = _dcm(110155, "Source Media")

# CID 404 and PS3.15 A.5.1.2.4: what identifies an object
STUDY_INSTANCE_UID = _dcm(110180, "Study Instance UID")
SOP_CLASS_UID = _dcm(110181, "SOP Class UID")
NODE_ID = _dcm(110182, "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")

# CID 405: what medium; ours are named by their URI
MEDIUM_URI = _dcm(110037, "URI")
