"""SOP Class Extended Negotiation of queries and retrieval (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1, K.5.1).

Each byte of the application information proposes one behaviour; it is answered with 1 or 0. What
follows from the answer is read off the request again, so that nothing has to be remembered.
"""

from __future__ import annotations

from typing import NamedTuple

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
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import ExtendedNegotiation


class Matching(NamedTuple):
    """What was agreed about queries, in the order of the bytes of PS3.4 Table C.5-1."""

    relational: bool = False
    combined_date_time: bool = False
    fuzzy_names: bool = False
    timezone_adjustment: bool = False
    multi_frame_conversion: bool = False
    empty_values: bool = False
    multiple_values: bool = False


_FIND = Matching(True, True, True, True, False, True, True)
"""What is granted to C-FIND: all but views of enhanced images as classic ones (PS3.4 C.3.5)."""

_WORKLIST = (True, True, True)
"""PS3.4 K.5.1: the third byte asks for fuzzy names, those before it are reserved."""

_RETRIEVE = (True,)
"""What is granted to C-MOVE and C-GET: relational retrievals, for upper keys are never needed."""

_GRANTED: dict[str, tuple[bool, ...]] = {
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
    known = proposed.information[: len(Matching._fields)]
    return bytes(
        byte == 1 and place < len(granted) and granted[place] for place, byte in enumerate(known)
    )


def agreed_matching(request: AssociateRQ | None, sop_class_uid: str) -> Matching:
    """What `answer_extended` granted to queries of a SOP class; the first proposal counts."""
    proposals = () if request is None else request.user_information.extended_negotiations
    for proposed in proposals:
        if proposed.sop_class_uid == sop_class_uid:
            return Matching(*map(bool, answer_extended(proposed) or b""))
    return Matching()
