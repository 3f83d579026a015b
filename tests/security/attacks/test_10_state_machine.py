"""PDUs that do not belong into the state of their association (PS3.8 Table 9-10)."""

import re

import pytest

from isocenter.upperlayer.pdu import ReleaseRP, ReleaseRQ
from tests.security.attacks.pdus import (
    ASSOCIATE,
    BY_USER,
    UNEXPECTED,
    UNRECOGNIZED,
    in_mid_object,
)
from tests.security.attacks.under_attack import attack
from tests.server.support import COMMAND, ECHO, LAST, STORE, Peer, p_data, pdu
from tests.server.support_nodes import log_lines, only_complaint

pytestmark = attack(10, "state-machine violations")

BEFORE_ASSOCIATION = {
    "unknown type": (pdu(0x42, b"????"), "PDU type 42H is unknown"),
    "P-DATA": (p_data(1, COMMAND | LAST, b"data"), "P_DATA_TF arrived"),
    "a release request": (ReleaseRQ().encode(), "RELEASE_RQ arrived"),
    "an acceptance": (pdu(2, ASSOCIATE[6:]), "ASSOCIATE_AC arrived"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), "TLS ClientHello"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n", "HTTP request"),
}


@pytest.mark.parametrize("what", BEFORE_ASSOCIATION)
def test_what_comes_instead_of_an_association_request_is_aborted(node, what: str):
    sent, words = BEFORE_ASSOCIATION[what]
    with Peer(node.port) as peer:
        peer.send(sent)
        assert peer.aborted() == BY_USER
        assert words in only_complaint(node, peer.name)


ESTABLISHED: dict[str, tuple[bytes, tuple[int, int], str]] = {
    "a second association request": (ASSOCIATE, UNEXPECTED, "ASSOCIATE_RQ arrived"),
    "an acceptance": (pdu(2, ASSOCIATE[6:]), UNEXPECTED, "ASSOCIATE_AC arrived"),
    "a rejection": (pdu(3, bytes(4)), UNEXPECTED, "ASSOCIATE_RJ arrived"),
    "a release response": (ReleaseRP().encode(), UNEXPECTED, "RELEASE_RP arrived"),
    "unknown type": (pdu(0, b"????"), UNRECOGNIZED, "PDU type 00H is unknown"),
}


@pytest.mark.parametrize("what", ESTABLISHED)
def test_what_an_association_does_not_expect_is_aborted(node, what: str):
    sent, answer, words = ESTABLISHED[what]
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(sent)
        assert peer.aborted() == answer
        assert words in only_complaint(node, peer.name)


def test_a_second_association_request_in_mid_object_is_aborted(node, ledger, bystander: Peer):
    torn = ledger.new(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        peer.send(ASSOCIATE)
        assert peer.aborted() == UNEXPECTED
        assert "ASSOCIATE_RQ arrived" in only_complaint(node, peer.name)
    ledger.keep(bystander, torn, context_id=3)


@pytest.mark.parametrize("ending", ["A-ABORT", "close", "release"])
def test_a_peer_that_leaves_in_mid_object_harms_nobody(node, ledger, bystander: Peer, ending: str):
    torn = ledger.new(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        if ending == "A-ABORT":
            peer.send(pdu(7, bytes(4)))
            assert peer.ended()
        elif ending == "release":
            peer.send(ReleaseRQ().encode())
            assert isinstance(peer.read(), ReleaseRP)
    ledger.keep(bystander, ledger.new(), context_id=3)
    ledger.keep(bystander, torn, context_id=3)
    assert log_lines(node, f"peer={peer.name}")


def test_data_after_the_release_is_ignored(node):
    """AA-6 in Sta13; the release was confirmed and the node waits for the close."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode())
        assert isinstance(peer.read(), ReleaseRP)
        peer.send(p_data(1, LAST | COMMAND, b"data"))
        assert peer.ended()


def test_data_in_one_breath_with_the_release_request_are_aborted(node):
    """AA-8 in Sta8: the data come before the release could be confirmed."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode(), p_data(1, LAST | COMMAND, b"data"))
        assert peer.aborted() == UNEXPECTED
        assert "P_DATA_TF arrived" in only_complaint(node, peer.name)


@pytest.mark.parametrize("second", [ASSOCIATE, p_data(1, 0, b"data"), ReleaseRQ().encode()])
def test_more_in_one_breath_with_the_association_request_is_aborted(node, second: bytes):
    """AA-8 in Sta3: it comes before the request could be answered."""
    with Peer(node.port) as peer:
        peer.send(ASSOCIATE, second)
        assert peer.aborted() == UNEXPECTED
        assert "arrived in Sta3" in only_complaint(node, peer.name)


def test_a_request_and_its_abort_in_one_breath_leave_nothing(node):
    with Peer(node.port) as peer:
        peer.send(ASSOCIATE, pdu(7, bytes(4)))
        assert peer.ended()
    with Peer.associated(node.port, ECHO) as peer:
        peer.send(ReleaseRQ().encode(), pdu(7, bytes(4)))
        assert peer.ended()


def test_an_association_request_after_the_release_is_aborted(node):
    """AA-7 in Sta13."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(ReleaseRQ().encode())
        assert isinstance(peer.read(), ReleaseRP)
        peer.send(ASSOCIATE)
        assert peer.aborted() == UNEXPECTED


def test_an_ae_title_of_control_characters_cannot_forge_a_log_line(node):
    with Peer(node.port) as peer:
        request = bytearray(ASSOCIATE)
        request[26:42] = b"A\nlevel=forged x"
        peer.send(bytes(request))
        peer.read()
    assert log_lines(node, f"peer={peer.name}")
    assert not re.search("^level=forged", node.log(), re.MULTILINE)
