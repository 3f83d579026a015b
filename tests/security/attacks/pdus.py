"""PDUs of attackers, and what Table 9-10 of PS3.8 has a node answer to them."""

from contextlib import ExitStack

from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.items import encode_item
from isocenter.upperlayer.pdu import AssociateRQ
from tests.server.support import ECHO, STORE, Peer, associate_rq, p_data, pdu, store_rq
from tests.server.support_instances import Instance, instance
from tests.support.node import Node

BY_USER = (0, 0)
"""A-ABORT by the service user, AA-1: also what Table 9-10 answers where no association is yet."""


def by_provider(reason: int) -> tuple[int, int]:
    """A-ABORT by the service provider, AA-8, with a reason of PS3.8 9.3.8."""
    return 2, reason


UNRECOGNIZED, UNEXPECTED, INVALID_VALUE = map(by_provider, (1, 2, 6))

ASSOCIATE = associate_rq(ECHO, STORE).encode()


def with_user_information(value: bytes) -> bytes:
    """An A-ASSOCIATE-RQ whose user information item holds `value`."""
    body = associate_rq(ECHO).encode()[6:]
    return pdu(1, body[: body.rindex(b"\x50\x00")] + encode_item(0x50, value))


def contexts(identifiers: list[int], syntaxes: int = 1) -> bytes:
    """An A-ASSOCIATE-RQ with these presentation contexts, of so many transfer syntaxes each."""
    transfer_syntaxes = (ECHO[1], *(f"1.2.3.4.{number}" for number in range(1, syntaxes)))
    proposed = tuple(ProposedContext(number, ECHO[0], transfer_syntaxes) for number in identifiers)
    return AssociateRQ("ISOCENTER", "HOSTILE", proposed).encode()


def half_sent_objects(stack: ExitStack, node: Node, count: int) -> None:
    """So many associations, each with an object that has begun."""
    for number in range(count):
        peer = stack.enter_context(Peer.associated(node.port, STORE))
        half = instance(f"1.2.3.7.{1000 + number}")
        peer.begin_store(half)
        peer.send(p_data(1, 0, half.data_set[:800]))


def in_mid_object(peer: Peer, one: Instance) -> None:
    """A C-STORE of which the first 300,000 bytes have been sent."""
    peer.command(3, store_rq(one))
    for start in range(0, 300_000, 60_000):
        peer.send(p_data(3, 0, one.data_set[start : start + 60_000]))
