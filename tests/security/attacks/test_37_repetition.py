"""Every kind of attack again and again: neither memory nor descriptors grow with their number."""

import itertools

import pytest

from isocenter.dictionary.sop_classes import STUDY_ROOT_MOVE
from isocenter.dimse.messages import CMoveRQ
from isocenter.encoding.elements import RawElement
from tests.security.attacks.under_attack import MIB, attack, under_attack
from tests.server.support import (
    COMMAND,
    DEFLATED,
    ECHO,
    EXPLICIT,
    FIND,
    STORE,
    Peer,
    associate_rq,
    p_data,
    pdu,
    store_rq,
)
from tests.server.support_instances import (
    CT,
    STUDY_INSTANCE_UID,
    Instance,
    assert_no_trace,
    instance,
    nested,
)
from tests.support.node import Node

pytestmark = attack(37, "memory leak by repetition")

MOVE = (STUDY_ROOT_MOVE, EXPLICIT)
ASSOCIATE = associate_rq(ECHO, STORE, FIND, (CT, DEFLATED), MOVE).encode()


BIG = instance("1.2.3.7.3", pixels=300_000)
NESTED = nested("1.2.3.7.4", 5_000)
BAD_UID = instance("1.2.3.7.5", changed={STUDY_INSTANCE_UID: RawElement("UI", b"../../evil")})
DEFLATED_NOISE = Instance("1.2.3.7.6", b"\xff" * 2000)
STORING, FINDING, DEFLATING, MOVING = 3, 5, 7, 9  # presentation contexts of ASSOCIATE


def half_a_request(peer: Peer) -> None:
    peer.send(ASSOCIATE[:50])


def noise(peer: Peer) -> None:
    peer.send(b"\x99" * 300)
    peer.aborted()


def a_length_of_four_gigabytes(peer: Peer) -> None:
    peer.send(pdu(1, ASSOCIATE[6:], length=0xFFFFFFFF))
    peer.aborted()


def garbage_in_the_association(peer: Peer) -> None:
    peer.send(p_data(1, COMMAND, b"x"), pdu(0x42))
    peer.aborted()


def half_an_object(peer: Peer) -> None:
    peer.command(STORING, store_rq(BIG))
    peer.send(*(p_data(STORING, 0, BIG.data_set[at : at + 100_000]) for at in (0, 100_000)))


def an_object_without_end(peer: Peer) -> None:
    assert peer.store(NESTED, context_id=STORING).status == 0xC000


def an_object_that_is_a_path(peer: Peer) -> None:
    assert peer.store(BAD_UID, context_id=STORING).status == 0x0117


def deflated_noise(peer: Peer) -> None:
    assert peer.store(DEFLATED_NOISE, context_id=DEFLATING).status == 0xC000


def half_a_query(peer: Peer) -> None:
    peer.begin_find(b"\x08\x00\x52\x00CS\x00\x10IMAGE", context_id=FINDING)


def a_query_that_nobody_reads(peer: Peer) -> None:
    peer.begin_find({0x00080052: RawElement("CS", b"STUDY")}, context_id=FINDING)


def a_move_to_somewhere(peer: Peer) -> None:
    move = CMoveRQ(message_id=1, affected_sop_class_uid=MOVE[0], move_destination="127.0.0.1")
    peer.command(MOVING, move)
    peer.data_set(MOVING, b"\x08\x00\x52\x00CS\x06\x00STUDY ")
    peer.read_message()


BEFORE_ASSOCIATION = (half_a_request, noise, a_length_of_four_gigabytes)
ON_AN_ASSOCIATION = (
    garbage_in_the_association,
    half_an_object,
    an_object_without_end,
    an_object_that_is_a_path,
    deflated_noise,
    half_a_query,
    a_query_that_nobody_reads,
    a_move_to_somewhere,
)


def repeat(node: Node, count: int) -> None:
    """So many attacks of all kinds in turn."""
    in_turn = itertools.cycle(BEFORE_ASSOCIATION + ON_AN_ASSOCIATION)
    for attack_once in itertools.islice(in_turn, count):
        with Peer(node.port) as peer:
            if attack_once in ON_AN_ASSOCIATION:
                peer.send(ASSOCIATE)
                peer.read()
            attack_once(peer)


def test_two_hundred_attacks_leave_nothing(node: Node):
    repeat(node, 50)  # lets caches, threads and pools grow to their size
    with under_attack(node, memory_slack=8 * MIB, file_slack=3):
        repeat(node, 200)
    assert_no_trace(node.data, "1.2.3.7.3", "1.2.3.7.4", "1.2.3.7.5")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_attacks_leave_nothing(node: Node):
    repeat(node, 1000)
    with under_attack(node, memory_slack=8 * MIB, file_slack=3):
        repeat(node, 10_000)
    assert_no_trace(node.data, "1.2.3.7.3", "1.2.3.7.4", "1.2.3.7.5")
