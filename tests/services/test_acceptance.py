"""Which contexts and roles a provider grants to those who store and to those who retrieve."""

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET
from isocenter.services.acceptance import Acceptance
from isocenter.upperlayer.contexts import ContextAnswer, ProposedContext
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import RoleSelection, UserInformation

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
BIG_ENDIAN, JPEG_2000 = "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.90"

SERVICE = object()  # never asked for anything here


def acceptance() -> Acceptance:
    return Acceptance({STUDY_ROOT_GET: SERVICE}, SERVICE)


def request(*roles: RoleSelection, syntaxes: tuple[str, ...]) -> AssociateRQ:
    information = UserInformation(implementation_class_uid="1.2.3", role_selections=roles)
    return AssociateRQ("HERE", "THERE", (ProposedContext(1, CT, syntaxes),), information)


@pytest.mark.parametrize(
    ("syntaxes", "receiving", "chosen"),
    [
        ((IMPLICIT, EXPLICIT), False, IMPLICIT),
        ((IMPLICIT, EXPLICIT), True, EXPLICIT),
        ((BIG_ENDIAN, IMPLICIT, EXPLICIT), True, EXPLICIT),
        ((IMPLICIT,), True, IMPLICIT),
        ((JPEG_2000, IMPLICIT, EXPLICIT), True, EXPLICIT),
        ((JPEG_2000, IMPLICIT), True, IMPLICIT),
        ((JPEG_2000, BIG_ENDIAN), True, JPEG_2000),
        ((JPEG_2000, EXPLICIT), False, JPEG_2000),
    ],
)
def test_who_retrieves_is_given_what_nearly_all_can_be_converted_to(syntaxes, receiving, chosen):
    roles = [RoleSelection(CT, scu_role=False, scp_role=True)] if receiving else []
    asked = request(*roles, syntaxes=syntaxes)
    (proposed,) = asked.presentation_contexts
    result = acceptance().decisions(asked)(proposed)
    assert (result.result, result.transfer_syntax) == (ContextAnswer.ACCEPTANCE, chosen)


@pytest.mark.parametrize(("uid", "granted"), [(CT, True), (STUDY_ROOT_GET, False)])
def test_roles_are_granted_in_storage_only(uid: str, granted: bool):
    proposed = RoleSelection(uid, scu_role=False, scp_role=True)
    assert acceptance().decide_role(proposed) == (proposed if granted else None)
