"""Every kind of attack again and again: neither memory nor descriptors grow with their number."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.security.attacks.under_attack import MIB, attack, under_attack
from tests.server.support import (
    COMMAND,
    DEFLATED,
    ECHO,
    FIND,
    STORE,
    Peer,
    associate_rq,
    p_data,
    pdu,
    store_rq,
)
from tests.server.support_instances import CT, assert_no_trace, instance
from tests.support.node import Node

pytestmark = attack(37, "memory leak by repetition")

ASSOCIATE = associate_rq(ECHO, STORE, FIND, (CT, DEFLATED)).encode()


def attacks() -> Iterator[Callable[[Peer], None]]:
    """What the repeated attackers do, in turn."""
    big = instance("1.2.3.7.3", pixels=300_000)

    def half_a_request(peer: Peer) -> None:
        peer.send(ASSOCIATE[:50])

    def noise(peer: Peer) -> None:
        peer.send(b"\x99" * 300)
        peer.aborted()

    def garbage_in_the_association(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.send(p_data(1, COMMAND, b"x"), pdu(0x42))
        peer.aborted()

    def half_an_object(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.command(3, store_rq(big))
        peer.send(p_data(3, 0, big.data_set[:100_000]), p_data(3, 0, big.data_set[100_000:200_000]))

    def half_a_request_to_find(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.begin_find(b"\x08\x00\x52\x00CS\x00\x10IMAGE", context_id=5)

    yield from itertools.cycle(
        (half_a_request, noise, garbage_in_the_association, half_an_object, half_a_request_to_find)
    )


def repeat(node: Node, count: int) -> None:
    attack_in_turn = attacks()
    for _ in range(count):
        with Peer(node.port) as peer:
            next(attack_in_turn)(peer)


def test_two_hundred_attacks_leave_nothing(node: Node):
    repeat(node, 50)  # lets caches, threads and pools grow to their size
    with under_attack(node, memory_slack=8 * MIB, file_slack=3):
        repeat(node, 200)
    assert_no_trace(node.data, "1.2.3.7.3")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_attacks_leave_nothing(node: Node):
    repeat(node, 1000)
    with under_attack(node, memory_slack=8 * MIB, file_slack=3):
        repeat(node, 10_000)
    assert_no_trace(node.data, "1.2.3.7.3")
