"""Objects that are unusual but allowed: stored by a running node exactly as they came."""

import itertools

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.pdu import AssociateRQ
from tests.server.support import EXPLICIT, IMPLICIT, STORE, Peer
from tests.server.support_instances import (
    CT,
    PRIVATE_BULK,
    PRIVATE_SOP_CLASS,
    SOP_CLASS_UID,
    Instance,
    assert_stored,
    instance,
)
from tests.server.support_nodes import eventually
from tests.support.node import Node

STORE_PRIVATE = (PRIVATE_SOP_CLASS, EXPLICIT)

acknowledged: list[Instance] = []
numbers = itertools.count(1)


def fresh_uid() -> str:
    return f"1.2.3.8.{next(numbers)}"


def keep(peer: Peer, one: Instance) -> None:
    """Stores what must be there at the end."""
    assert peer.store(one).status == 0
    acknowledged.append(one)


def test_uids_beyond_the_first_block_are_found(node: Node):
    """300 kB of private data stand before the UIDs: the object waits in the spool."""
    uid = fresh_uid()
    bulk = encode_elements(
        {PRIVATE_BULK: RawElement("OB", bytes(range(256)) * 1200)}, EXPLICIT_VR_LITTLE_ENDIAN
    )
    late = Instance(uid, bulk + instance(uid).data_set)
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, late)
    eventually(lambda: not list((node.data / "incoming").rglob("*.part")))


def test_an_unknown_sop_class_is_stored(node: Node):
    with Peer.associated(node.port, STORE_PRIVATE) as peer:
        keep(peer, instance(fresh_uid(), sop_class_uid=PRIVATE_SOP_CLASS))


def test_an_object_without_a_sop_class_gets_the_announced_one(node: Node):
    with Peer.associated(node.port, STORE) as peer:
        keep(peer, instance(fresh_uid(), without=(SOP_CLASS_UID,)))


def test_implicit_bytes_under_an_explicit_context_lose_nothing(node: Node):
    """Some senders do not convert; what is stored is what came."""
    uid = fresh_uid()
    with Peer(node.port) as peer:
        context = ProposedContext(1, CT, (IMPLICIT,))
        peer.send(AssociateRQ("ISOCENTER", "HOSTILE", (context,)).encode())
        peer.read()
        keep(peer, instance(uid))


def test_all_of_it_is_kept_as_it_came(node: Node):
    """The last test of this module."""
    assert_stored(node.data, acknowledged)
