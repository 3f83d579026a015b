"""Associations by the thousand, requests of the largest size, and limits on both."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from tests.security.attacks.pdus import ASSOCIATE, contexts, with_user_information
from tests.security.attacks.under_attack import MIB, Honest, attack, under_attack
from tests.server.support import ECHO, Peer, pdu
from tests.server.support_nodes import configured, only_complaint
from tests.support.node import Node

pytestmark = attack(7, "association-level leaks")


def associate_and(ending: str, node: Node, request: bytes = ASSOCIATE) -> None:
    with Peer(node.port) as peer:
        peer.send(request)
        assert isinstance(peer.read(), AssociateAC)
        if ending == "A-ABORT":
            peer.send(pdu(7, bytes(4)))
            assert peer.ended()
        elif ending == "release":
            assert peer.released()


@pytest.mark.parametrize("ending", ["A-ABORT", "close", "release"])
def test_associations_that_end_at_once_leave_nothing(node: Node, ending: str):
    for _ in range(20):  # lets what may grow grow
        associate_and(ending, node)
    with under_attack(node, memory_slack=4 * MIB, file_slack=3):
        for _ in range(200):
            associate_and(ending, node)


LARGEST = contexts(list(range(1, 256, 2)), syntaxes=60)


def test_a_hundred_and_twenty_eight_contexts_of_many_syntaxes_leave_nothing(node: Node):
    assert len(LARGEST) > 100_000
    associate_and("release", node, LARGEST)
    with under_attack(node, memory_slack=8 * MIB, file_slack=3):
        for _ in range(20):
            associate_and("release", node, LARGEST)


def test_a_request_of_more_syntaxes_than_anybody_has_is_refused(node: Node):
    with Peer(node.port) as peer:
        peer.send(contexts([1], syntaxes=3000))
        assert peer.aborted() == (0, 0)
        only_complaint(node, peer.name)


def test_a_megabyte_of_user_information_leaves_nothing(node: Node):
    """As much as an association PDU may hold, of items that nobody knows."""
    junk = with_user_information(b"\x51\0\0\x04\0\0\x40\0" + b"\x77\0\xff\0" + bytes(0xFF00))
    for _ in range(100):
        associate_and("close", node, junk)


# Too many


def test_one_association_too_many_is_rejected_for_now(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[limits]\nassociations = 3\n"))
    time_limit = time.monotonic() + 20
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Peer.associated(node.port, ECHO))
        with Peer(node.port) as peer:
            peer.send(ASSOCIATE)
            assert peer.read() == AssociateRJ(2, 3, 2)
            assert "local limit exceeded" in only_complaint(node, peer.name)
    while True:  # the node hears of the closed ones in its own time
        with Peer(node.port) as peer:
            peer.send(ASSOCIATE)
            if not isinstance(peer.read(), AssociateRJ):
                break
        assert time.monotonic() < time_limit


def test_one_address_cannot_take_every_association(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[limits]\nassociations_per_peer = 4\n"))
    with under_attack(node) as honest, ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(Peer.associated(node.port, ECHO))
        for _ in range(20):
            peer = stack.enter_context(Peer(node.port))
            peer.send(ASSOCIATE)
            assert peer.read() == AssociateRJ(2, 3, 2)
        honest.answered()


def test_rejected_peers_that_stay_connected_keep_nobody_out(start_node, tmp_path: Path):
    """They are told no, and do not close: others are still let in."""
    toml = "[limits]\nassociations_per_peer = 2\nhalf_open = 20\nassociations = 10\n"
    node = start_node(None, *configured(tmp_path, toml))
    with under_attack(node) as honest, ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(Peer.associated(node.port, ECHO))
        for _ in range(60):
            peer = stack.enter_context(Peer(node.port))
            peer.send(ASSOCIATE)
            assert peer.read() == AssociateRJ(2, 3, 2)
        honest.answered()


@pytest.mark.slow
def test_ten_thousand_associations_leave_nothing(node: Node, honest: Honest):
    for _ in range(200):
        associate_and("A-ABORT", node)
    with under_attack(node, memory_slack=4 * MIB, file_slack=3):
        for number in range(10_000):
            associate_and(("A-ABORT", "close", "release")[number % 3], node)
