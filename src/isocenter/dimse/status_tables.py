"""The status codes of PS3.7 Annex C and of the service classes in PS3.4, as data.

Every row is (first code, last code, category, name). A service's own rows go before the general
ones, because a service class may give a general code its own meaning.
"""

from __future__ import annotations

from enum import Enum


class Category(Enum):
    """The status classes of PS3.7 C.1 to C.5."""

    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    CANCEL = "cancel"
    PENDING = "pending"


class Service(Enum):
    """The service classes and operations that give status codes a meaning of their own."""

    VERIFICATION = "verification"
    STORAGE = "storage"
    QUERY = "query"
    MOVE = "move"
    GET = "get"
    WORKLIST = "worklist"
    RELEVANT_PATIENT_QUERY = "relevant patient query"
    STORAGE_COMMITMENT = "storage commitment"
    PROCEDURE_STEP = "procedure step"
    UNIFIED_PROCEDURE_STEP = "unified procedure step"
    INSTANCE_AVAILABILITY = "instance availability"
    PRINT = "print"


StatusRow = tuple[int, int, Category, str]

_SUCCESS, _WARNING, _FAILURE, _CANCEL, _PENDING = Category

# PS3.7 Annex C; 0001H is in C.4.1, 0107H and 0116H in C.4.2 and C.4.3.
GENERAL: tuple[StatusRow, ...] = (
    (0x0000, 0x0000, _SUCCESS, "Success"),
    (0x0001, 0x0001, _WARNING, "Requested optional attributes are not supported"),
    (0x0105, 0x0105, _FAILURE, "No such attribute"),
    (0x0106, 0x0106, _FAILURE, "Invalid attribute value"),
    (0x0107, 0x0107, _WARNING, "Attribute list error"),
    (0x0110, 0x0110, _FAILURE, "Processing failure"),
    (0x0111, 0x0111, _FAILURE, "Duplicate SOP instance"),
    (0x0112, 0x0112, _FAILURE, "No such SOP instance"),
    (0x0113, 0x0113, _FAILURE, "No such event type"),
    (0x0114, 0x0114, _FAILURE, "No such argument"),
    (0x0115, 0x0115, _FAILURE, "Invalid argument value"),
    (0x0116, 0x0116, _WARNING, "Attribute value out of range"),
    (0x0117, 0x0117, _FAILURE, "Invalid SOP instance"),
    (0x0118, 0x0118, _FAILURE, "No such SOP class"),
    (0x0119, 0x0119, _FAILURE, "Class-instance conflict"),
    (0x0120, 0x0120, _FAILURE, "Missing attribute"),
    (0x0121, 0x0121, _FAILURE, "Missing attribute value"),
    (0x0122, 0x0122, _FAILURE, "Refused: SOP class not supported"),
    (0x0123, 0x0123, _FAILURE, "No such action"),
    (0x0124, 0x0124, _FAILURE, "Refused: not authorized"),
    (0x0210, 0x0210, _FAILURE, "Duplicate invocation"),
    (0x0211, 0x0211, _FAILURE, "Unrecognized operation"),
    (0x0212, 0x0212, _FAILURE, "Mistyped argument"),
    (0x0213, 0x0213, _FAILURE, "Resource limitation"),
    (0xFE00, 0xFE00, _CANCEL, "Canceled"),
)

# PS3.7 C.1 to C.5: what a code nobody has named means by its value alone; the last resort.
UNNAMED: tuple[StatusRow, ...] = (
    (0xFF00, 0xFF01, _PENDING, "Pending"),
    (0xB000, 0xBFFF, _WARNING, "Warning not named by this service"),
    (0x0000, 0xFFFF, _FAILURE, "Failure not named by this service"),
)

_FIND: tuple[StatusRow, ...] = (
    (0xA700, 0xA700, _FAILURE, "Refused: out of resources"),
    (0xA710, 0xA710, _FAILURE, "Invalid prior record key"),
    (0xA900, 0xA900, _FAILURE, "Identifier does not match SOP class"),
    (0xB001, 0xB001, _WARNING, "Matching reached the response limit; more matches may exist"),
    (0xC000, 0xCFFF, _FAILURE, "Unable to process"),
    (0xFE00, 0xFE00, _CANCEL, "Matching terminated due to cancel request"),
    (0xFF00, 0xFF00, _PENDING, "Matches are continuing"),
    (0xFF01, 0xFF01, _PENDING, "Matches are continuing; some optional keys are not supported"),
)

_RETRIEVE: tuple[StatusRow, ...] = (
    (0xA701, 0xA701, _FAILURE, "Refused: out of resources, cannot count the matches"),
    (0xA702, 0xA702, _FAILURE, "Refused: out of resources, cannot perform sub-operations"),
    (0xA900, 0xA900, _FAILURE, "Identifier does not match SOP class"),
    (0xAA00, 0xAA00, _FAILURE, "None of the frames requested were found in the SOP instance"),
    (0xAA01, 0xAA01, _FAILURE, "Unable to create a new object for this SOP class"),
    (0xAA02, 0xAA02, _FAILURE, "Unable to extract frames"),
    (0xAA03, 0xAA03, _FAILURE, "Time-based request for a SOP instance without time base"),
    (0xAA04, 0xAA04, _FAILURE, "Invalid request"),
    (0xB000, 0xB000, _WARNING, "Sub-operations complete, one or more failures or warnings"),
    (0xC000, 0xCFFF, _FAILURE, "Unable to process"),
    (0xFE00, 0xFE00, _CANCEL, "Sub-operations terminated due to cancel indication"),
    (0xFF00, 0xFF00, _PENDING, "Sub-operations are continuing"),
)

BY_SERVICE: dict[Service, tuple[StatusRow, ...]] = {
    Service.VERIFICATION: (),
    # PS3.4 B.2.3 and GG.4.2
    Service.STORAGE: (
        (0xA700, 0xA7FF, _FAILURE, "Refused: out of resources"),
        (0xA900, 0xA9FF, _FAILURE, "Data set does not match SOP class"),
        (0xB000, 0xB000, _WARNING, "Coercion of data elements"),
        (0xB006, 0xB006, _WARNING, "Elements discarded"),
        (0xB007, 0xB007, _WARNING, "Data set does not match SOP class"),
        (0xC000, 0xCFFF, _FAILURE, "Cannot understand"),
    ),
    # PS3.4 C.4.1.1.4
    Service.QUERY: _FIND,
    # PS3.4 C.4.2.1.5
    Service.MOVE: ((0xA801, 0xA801, _FAILURE, "Refused: move destination unknown"), *_RETRIEVE),
    # PS3.4 C.4.3.1.4
    Service.GET: _RETRIEVE,
    # PS3.4 K.4.1.1.4
    Service.WORKLIST: _FIND,
    # PS3.4 Q.2.1.1.4
    Service.RELEVANT_PATIENT_QUERY: (
        (0xA700, 0xA700, _FAILURE, "Refused: out of resources"),
        (0xA900, 0xA900, _FAILURE, "Identifier does not match SOP class"),
        (0xC100, 0xC100, _FAILURE, "More than one match found"),
        (0xC200, 0xC200, _FAILURE, "Unable to support the requested template"),
        (0xC000, 0xCFFF, _FAILURE, "Unable to process"),
        (0xFF00, 0xFF00, _PENDING, "Current match is supplied"),
    ),
    # PS3.4 J.3 (0131H is a Failure Reason, PS3.3 C.14, that some peers answer with)
    Service.STORAGE_COMMITMENT: ((0x0131, 0x0131, _FAILURE, "Duplicate transaction UID"),),
    # PS3.4 F.7.2.1.4 and F.7.2.2.4
    Service.PROCEDURE_STEP: (
        (0x0110, 0x0110, _FAILURE, "Processing failure; the step may no longer be updated"),
    ),
    # PS3.4 CC.2
    Service.UNIFIED_PROCEDURE_STEP: (
        (0xB300, 0xB300, _WARNING, "The UPS was created with modifications"),
        (0xB301, 0xB301, _WARNING, "Deletion lock not granted"),
        (0xB304, 0xB304, _WARNING, "The UPS is already canceled"),
        (0xB305, 0xB305, _WARNING, "Invalid values were coerced to valid ones"),
        (0xB306, 0xB306, _WARNING, "The UPS is already completed"),
        (0xC300, 0xC300, _FAILURE, "The UPS may no longer be updated"),
        (0xC301, 0xC301, _FAILURE, "The correct transaction UID was not provided"),
        (0xC302, 0xC302, _FAILURE, "The UPS is already in progress"),
        (0xC303, 0xC303, _FAILURE, "Only N-CREATE can make a UPS scheduled"),
        (0xC304, 0xC304, _FAILURE, "The final state's requirements are not met"),
        (0xC307, 0xC307, _FAILURE, "The SOP instance does not exist or is no UPS managed here"),
        (0xC308, 0xC308, _FAILURE, "The receiving AE title is unknown"),
        (0xC309, 0xC309, _FAILURE, "The UPS state provided was not scheduled"),
        (0xC310, 0xC310, _FAILURE, "The UPS is not yet in progress"),
        (0xC311, 0xC311, _FAILURE, "The UPS is already completed"),
        (0xC312, 0xC312, _FAILURE, "The performer cannot be contacted"),
        (0xC313, 0xC313, _FAILURE, "The performer chooses not to cancel"),
        (0xC314, 0xC314, _FAILURE, "The action is not appropriate for this instance"),
        (0xC315, 0xC315, _FAILURE, "Event reports are not supported"),
        *_FIND,
    ),
    Service.INSTANCE_AVAILABILITY: (),
    # PS3.4 H.4
    Service.PRINT: (
        (0xB600, 0xB600, _WARNING, "Memory allocation not supported"),
        (0xB601, 0xB601, _WARNING, "Film session printing (collation) is not supported"),
        (0xB602, 0xB602, _WARNING, "The film session has no image box (empty page)"),
        (0xB603, 0xB603, _WARNING, "The film box has no image box (empty page)"),
        (0xB604, 0xB604, _WARNING, "The image was larger than its box and has been demagnified"),
        (0xB605, 0xB605, _WARNING, "The density asked for is outside of the printer's range"),
        (0xB609, 0xB609, _WARNING, "The image was larger than its box and has been cropped"),
        (0xB60A, 0xB60A, _WARNING, "The image was larger than its box and has been decimated"),
        (0xC600, 0xC600, _FAILURE, "The film session has no film box"),
        (0xC601, 0xC602, _FAILURE, "The print queue is full"),
        (0xC603, 0xC603, _FAILURE, "The image is larger than its box"),
        (0xC605, 0xC605, _FAILURE, "The printer has too little memory for the image"),
        (0xC613, 0xC613, _FAILURE, "The combined print image is larger than its box"),
        (0xC616, 0xC616, _FAILURE, "A film box has not been printed yet"),
    ),
}
