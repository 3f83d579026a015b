"""The provider's side of an association, without a network."""

from types import SimpleNamespace
from typing import Any

from isocenter.dimse.messages import CStoreRQ
from isocenter.services.failures import NoFailureLog
from isocenter.services.provider import ProvidedAssociation
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.events import Aborted, AssociationRequested, DataReceived
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import UserInformation

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"
REQUEST = AssociateRQ("US", "THEM", (), UserInformation())


class Connection:
    """Remembers whether reading is paused."""

    def __init__(self) -> None:
        self.peer, self.host, self.congested, self.reading = "peer", "host", False, True
        contexts = {1: AcceptedContext(1, CT, EXPLICIT)}
        self.core = SimpleNamespace(
            accepted_contexts=contexts, request=REQUEST, response=None, closing=False
        )

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Lagging:
    """An operation that never catches up."""

    congested = True
    aborted = False

    def write(self, fragment: memoryview) -> None:
        pass

    def when_relieved(self, resume: Any) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


def test_a_paused_association_that_ends_is_read_again_or_its_close_would_never_be_seen() -> None:
    connection, operation = Connection(), Lagging()
    node: Any = SimpleNamespace(
        post=lambda call: call(),
        failures=NoFailureLog(),
        answer=lambda association, _: association.accepted(),
        service_for=lambda _: SimpleNamespace(begin=lambda *_: operation),
    )
    user: Any = connection
    association = ProvidedAssociation(node, user)
    association.handle(AssociationRequested(REQUEST))
    store = CStoreRQ(
        message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3"
    ).encode()
    association.handle(DataReceived(1, True, True, memoryview(store)))
    association.handle(DataReceived(1, False, False, memoryview(b"some")))
    assert not connection.reading
    association.handle(Aborted(2, 6, by_peer=False, diagnosis="it sent nonsense"))
    assert operation.aborted
    assert connection.reading
