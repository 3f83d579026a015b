"""What is answered to proposals of extended negotiation (PS3.4 C.5.1.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.sop_classes import (
    MODALITY_WORKLIST_FIND,
    PATIENT_ROOT_GET,
    STUDY_ROOT_FIND,
    STUDY_ROOT_MOVE,
)
from isocenter.services.extended_negotiation import answer_extended, granted_options
from isocenter.services.query_options import QueryOptions
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import ExtendedNegotiation, UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.mark.parametrize(
    ("sop_class", "proposed", "answer"),
    [
        (STUDY_ROOT_FIND, "01", "01"),
        (STUDY_ROOT_FIND, "00", "00"),
        (STUDY_ROOT_FIND, "010101", "010101"),
        (STUDY_ROOT_FIND, "01010101010101", "01010101000101"),
        (STUDY_ROOT_FIND, "00010001000100", "00010001000100"),
        (STUDY_ROOT_FIND, "0101010101010101ff", "01010101000101"),
        (STUDY_ROOT_FIND, "02ff", "0000"),
        (STUDY_ROOT_FIND, "", None),
        (STUDY_ROOT_MOVE, "01", "01"),
        (PATIENT_ROOT_GET, "0101", "0100"),
        (MODALITY_WORKLIST_FIND, "010101", "010101"),
        (MODALITY_WORKLIST_FIND, "00000101", "00000100"),
        (CT, "02", None),
    ],
)
def test_each_byte_is_answered_by_itself(sop_class: str, proposed: str, answer: str | None):
    answered = answer_extended(ExtendedNegotiation(sop_class, bytes.fromhex(proposed)))
    assert answered == (None if answer is None else bytes.fromhex(answer))


def request(*proposals: ExtendedNegotiation) -> AssociateRQ:
    information = UserInformation(implementation_class_uid="1.2.3", extended_negotiations=proposals)
    return AssociateRQ("HERE", "THERE", (), information)


def test_what_was_granted_is_agreed():
    asked = request(
        ExtendedNegotiation(STUDY_ROOT_MOVE, b"\1"),
        ExtendedNegotiation(STUDY_ROOT_FIND, b"\1\0\1"),
        ExtendedNegotiation(STUDY_ROOT_FIND, b"\0\1\0"),
    )
    assert granted_options(asked, STUDY_ROOT_FIND) == QueryOptions(relational=True, fuzzy=True)


@pytest.mark.parametrize("asked", [None, request(), request(ExtendedNegotiation(CT, b"\1"))])
def test_nothing_is_agreed_unless_proposed(asked: AssociateRQ | None):
    assert granted_options(asked, STUDY_ROOT_FIND) == QueryOptions()


@given(st.binary(max_size=300))
def test_what_is_agreed_is_what_was_answered(information: bytes):
    proposed = ExtendedNegotiation(STUDY_ROOT_FIND, information)
    answered = answer_extended(proposed) or b""
    agreed = granted_options(request(proposed), STUDY_ROOT_FIND)
    assert bytes(agreed)[: len(answered)] == answered
    assert not any(bytes(agreed)[len(answered) :])
