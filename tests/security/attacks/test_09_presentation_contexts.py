"""Presentation contexts and commands that do not fit each other (PS3.8 7.1, PS3.7 6.3, Annex C)."""

from collections.abc import Callable

import pytest

from isocenter.dimse.messages import CEchoRQ, CFindRSP, CStoreRQ
from tests.security.attacks.pdus import BY_USER, INVALID_VALUE, contexts, in_mid_object
from tests.security.attacks.under_attack import attack
from tests.server.support import COMMAND, ECHO, LAST, STORE, Peer, p_data, store_rq
from tests.server.support_instances import instance
from tests.server.support_nodes import only_complaint

pytestmark = attack(9, "presentation-context abuse")

PROPOSED = {
    "129 presentation contexts": (contexts([*range(1, 256, 2), 255]), "context 255"),
    "an even context identifier": (contexts([1, 2]), "context 2 "),
    "one identifier twice": (contexts([1, 3, 3]), "context 3"),
}


@pytest.mark.parametrize("what", PROPOSED)
def test_identifiers_that_cannot_be_are_aborted(node, what: str):
    sent, words = PROPOSED[what]
    with Peer(node.port) as peer:
        peer.send(sent)
        assert peer.aborted() == BY_USER
        assert words in only_complaint(node, peer.name)


ESTABLISHED: dict[str, tuple[bytes, tuple[int, int], str]] = {
    "an even presentation context": (p_data(2, COMMAND, b"??"), INVALID_VALUE, "context 2,"),
    "an unaccepted presentation context": (p_data(99, COMMAND, b"??"), INVALID_VALUE, "context 99"),
    "presentation context 0": (p_data(0, COMMAND, b"data"), INVALID_VALUE, "context 0,"),
    "data before a command": (p_data(1, LAST, b"data"), BY_USER, "no command announced"),
    "a command that is none": (p_data(1, COMMAND | LAST, b"\xff" * 40), BY_USER, "command"),
    "an empty command": (p_data(1, COMMAND | LAST), BY_USER, "command"),
    "a group length that lies": (
        p_data(
            1, COMMAND | LAST, b"\0\0\0\0\4\0\0\0\xff\xff\xff\x7f" + b"\0\0\2\0\xf0\xff\xff\xff1.2"
        ),
        BY_USER,
        "command",
    ),
    "a command without an end": (
        p_data(1, COMMAND, bytes(60_000)) + p_data(1, COMMAND, bytes(60_000)),
        BY_USER,
        "65536",
    ),
}


@pytest.mark.parametrize("what", ESTABLISHED)
def test_what_belongs_to_no_context_or_command_is_aborted(node, what: str):
    sent, answer, words = ESTABLISHED[what]
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(sent)
        assert peer.aborted() == answer
        assert words in only_complaint(node, peer.name)


ECHO_COMMAND = CEchoRQ(message_id=7, affected_sop_class_uid=ECHO[0]).encode()
IN_MID_OBJECT: dict[str, tuple[Callable[[], bytes], str]] = {
    "a second command": (
        lambda: p_data(3, COMMAND | LAST, store_rq(instance("1.2.3.9")).encode()),
        "inside a data set",
    ),
    "data on another context": (lambda: p_data(1, 0, b"data"), "inside a message"),
    "a command on another context": (
        lambda: p_data(1, COMMAND | LAST, ECHO_COMMAND),
        "inside a message",
    ),
}


@pytest.mark.parametrize("what", IN_MID_OBJECT)
def test_messages_inside_each_other_are_aborted(node, ledger, bystander: Peer, what: str):
    """The object is dropped, and its study's next object is stored as if nothing had been."""
    make, words = IN_MID_OBJECT[what]
    torn = ledger.new(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        peer.send(make())
        assert peer.aborted() == BY_USER
        assert words in only_complaint(node, peer.name)
    ledger.keep(bystander, torn, context_id=3)


# Messages that can be answered (PS3.7 Annex C): the association goes on


def test_a_store_of_another_class_than_the_context_is_kept_with_a_warning(node, ledger):
    """The bytes are worth more than the mistake: they are stored, and the status says B007."""
    other = ledger.new(sop_class_uid="1.2.840.10008.5.1.4.1.1.4")
    with Peer.associated(node.port, ECHO, STORE) as peer:
        assert peer.store(other, context_id=3).status == 0xB007
        ledger.acknowledged.append(other)
        assert peer.echo() == 0


def test_a_store_without_a_data_set_is_refused(node):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        command = CStoreRQ(
            message_id=1,
            affected_sop_class_uid=STORE[0],
            affected_sop_instance_uid="1.2.3.6.2",
            has_data_set=False,
        )
        peer.command(3, command)
        assert peer.read_store_response().status == 0x0212
        only_complaint(node, peer.name)
        assert peer.echo() == 0


def test_a_store_on_the_verification_context_is_refused(node, ledger):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        assert peer.store(ledger.new(), context_id=1).status == 0x0211
        assert "0211" in only_complaint(node, peer.name)
        assert peer.echo() == 0


def test_a_response_that_answers_nothing_is_dropped(node):
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.command(1, CFindRSP(message_id_being_responded_to=1, status=0xFF00))
        assert peer.echo() == 0
        only_complaint(node, peer.name)


def test_a_message_id_that_is_in_use_is_refused(node, ledger):
    """The second C-STORE under the message ID of one that is still under way (PS3.7 C.5.17)."""
    first, second = ledger.new(pixels=400_000), ledger.new()
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(
            p_data(3, COMMAND | LAST, store_rq(first, message_id=9).encode()),
            *(p_data(3, 0, first.data_set[at : at + 100_000]) for at in range(0, 400_000, 100_000)),
            p_data(3, LAST, first.data_set[400_000:]),
            p_data(3, COMMAND | LAST, store_rq(second, message_id=9).encode()),
            p_data(3, LAST, second.data_set),
        )
        statuses = sorted(peer.read_store_response().status for _ in range(2))
    ledger.acknowledged.append(first)
    if statuses[1] == 0:  # the first was through before the second came
        ledger.acknowledged.append(second)
    assert statuses in ([0, 0], [0, 0x0210])
