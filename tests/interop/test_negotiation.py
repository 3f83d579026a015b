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


@pytest.mark.parametrize(("kind", "answer"), [(1, b""), (2, b""), (3, None), (4, None), (5, None)])
def test_a_user_identity_is_answered(node: Node, kind: int, answer: bytes | None) -> None:
    identity = UserIdentityNegotiation()
    identity.user_identity_type = kind
    identity.positive_response_requested = True
    identity.primary_field = b"jo"
    identity.secondary_field = b"secret"
    association = associated(node, identity)
    answered = association.acceptor.user_identity
    assert (answered.server_response if answered else None) == answer
    assert association.send_c_echo().Status == 0
    association.release()
