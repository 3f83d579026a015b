"""What pynetdicom negotiates with a node beyond contexts: window and user identity."""

import pytest
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.sop_class import Verification

from tests.support.node import Node

pytestmark = pytest.mark.interop


def associated(node: Node, *items: object) -> Association:
    ae = AE("TESTER")
    ae.add_requested_context(Verification)
    association = ae.associate("127.0.0.1", node.port, ext_neg=list(items))
    assert association.is_established
    return association


def test_a_window_is_answered(node: Node) -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 2
    association = associated(node, window)
    assert association.acceptor.asynchronous_operations == (5, 2)
    assert association.send_c_echo().Status == 0
    association.release()


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 5])
def test_an_identity_that_nobody_can_verify_here_is_not_acknowledged(node: Node, kind: int) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = kind
    identity.positive_response_requested = True
    identity.primary_field = b"jo"
    identity.secondary_field = b"secret"
    association = associated(node, identity)
    assert association.acceptor.user_identity is None
    assert association.send_c_echo().Status == 0
    association.release()
