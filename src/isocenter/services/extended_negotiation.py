"""What a provider grants of extended negotiation to queries and retrievals (PS3.4 C.5.1.1, C.5.2.1,
C.5.3.1, K.5.1).

Each byte of the application information proposes one behaviour; it is answered with 1 or 0. What
follows from the answer is read off the request again, so that nothing has to be remembered.
"""

from __future__ import annotations

from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PATIENT_STUDY_ONLY_FIND,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from isocenter.services.query_options import QueryOptions
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import ExtendedNegotiation

_FIND = QueryOptions(True, True, True, True, False, True, True)
"""What is granted to C-FIND: all but views of enhanced images as classic ones (PS3.4 C.3.5)."""

_WORKLIST = QueryOptions(True, True, True)
"""PS3.4 K.5.1: the third byte asks for fuzzy names, those before it are reserved."""

_RETRIEVE = QueryOptions(relational=True)
"""What is granted to C-MOVE and C-GET: relational retrievals, for upper keys are never needed."""

_GRANTED: dict[str, QueryOptions] = {
    PATIENT_ROOT_FIND: _FIND,
    STUDY_ROOT_FIND: _FIND,
    PATIENT_STUDY_ONLY_FIND: _FIND,
    MODALITY_WORKLIST_FIND: _WORKLIST,
    PATIENT_ROOT_MOVE: _RETRIEVE,
    STUDY_ROOT_MOVE: _RETRIEVE,
    PATIENT_ROOT_GET: _RETRIEVE,
    STUDY_ROOT_GET: _RETRIEVE,
}


def answer_extended(proposed: ExtendedNegotiation) -> bytes | None:
    """The application information to answer, None where the SOP class has none of ours.

    It has as many bytes as were proposed, for older peers know fewer; those that the standard does
    not define are left off.
    """
    granted = _GRANTED.get(proposed.sop_class_uid)
    if granted is None or not proposed.information:
        return None
    agreed = QueryOptions.from_information(proposed.information) & granted
    return bytes(agreed)[: len(proposed.information)]


def granted_options(request: AssociateRQ | None, sop_class_uid: str) -> QueryOptions:
    """What `answer_extended` granted to queries of a SOP class; the first proposal counts."""
    proposals = () if request is None else request.user_information.extended_negotiations
    for proposed in proposals:
        if proposed.sop_class_uid == sop_class_uid:
            return QueryOptions.from_information(answer_extended(proposed) or b"")
    return QueryOptions()
