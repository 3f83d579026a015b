"""Lengths of PDUs, items and PDVs that lie (PS3.8 9.3): the connection ends, unbelieved.

Each attack gets the answer of Table 9-10 and one line in the log.
"""

import pytest

from isocenter.upperlayer.pdu import AssociateAC
from tests.security.attacks.pdus import (
    ASSOCIATE,
    BY_USER,
    INVALID_VALUE,
    in_mid_object,
    with_user_information,
)
from tests.security.attacks.under_attack import MIB, attack, under_attack
from tests.server.support import COMMAND, ECHO, STORE, Peer, p_data, pdu, pdv
from tests.server.support_nodes import only_complaint

pytestmark = attack(6, "PDU length lies")

BEFORE_ASSOCIATION = {
    "a length of 4 GiB": (pdu(1, ASSOCIATE[6:], length=0xFFFFFFFF), "4294967295 bytes"),
    "a length of zero": (pdu(1), "states 0 bytes"),
    "a length of three": (pdu(1, b"\0\1\0"), "3 bytes"),
    "a length that ends in an item": (pdu(1, ASSOCIATE[6:-7]), "where 12 are left"),
    "user information of noise": (with_user_information(b"\x51\x00\xff\xffnoise"), "item"),
    "a maximum length of 3 bytes": (with_user_information(b"\x51\0\0\x03\0\x40\0"), "3 bytes"),
    "a maximum length of 1": (with_user_information(b"\x51\0\0\x04\0\0\0\x01"), "maximum length"),
    "a hundred thousand items": (with_user_information(b"\x77\0\0\0" * 16000), ""),
}


@pytest.mark.parametrize("what", BEFORE_ASSOCIATION)
def test_an_association_request_that_lies_is_aborted(node, what: str):
    sent, words = BEFORE_ASSOCIATION[what]
    with Peer(node.port) as peer:
        peer.send(sent)
        assert peer.aborted() == BY_USER
        assert words in only_complaint(node, peer.name)


def test_four_gigabytes_of_junk_are_not_kept(node):
    """A request that says it has 4 GiB, and 64 MiB of it: none is buffered, nobody reads on."""
    with under_attack(node, memory_slack=4 * MIB), Peer(node.port) as peer:
        peer.send(pdu(1, ASSOCIATE[6:], length=0xFFFFFFFF))
        for _ in range(64):
            peer.send(bytes(MIB))
        assert peer.read() is None or peer.ended()


def test_unknown_user_items_are_skipped(node):
    with Peer(node.port) as peer:
        peer.send(with_user_information(b"\x51\0\0\x04\0\0\x40\0" + b"\x77\0\0\x03???"))
        assert isinstance(peer.read(), AssociateAC)
        assert peer.echo() == 0


ESTABLISHED: dict[str, tuple[bytes, str]] = {
    "a P-DATA-TF of 4 GiB": (pdu(4, b"data", length=0xFFFFFFFF), "4294967295"),
    "more than we announced": (pdu(4, bytes(10), length=131073), "131073"),
    "an empty P-DATA-TF": (pdu(4), "states 0 bytes"),
    "a PDV longer than its PDU": (
        pdu(4, pdv(1, COMMAND, b"data", length=7)),
        "a PDV states 7 bytes",
    ),
    "a PDV of 4 GiB": (pdu(4, pdv(1, COMMAND, b"data", length=0xFFFFFFFF)), "4294967295"),
    "a PDV length of 0": (pdu(4, pdv(1, 0, length=0)), "a PDV states 0 bytes"),
    "a PDV length of 1": (pdu(4, pdv(1, 0, length=1)), "a PDV states 1 bytes"),
    "bytes after the last PDV": (pdu(4, pdv(1, COMMAND, b"data") + b"???"), "no PDV"),
    "reserved bits in the control header": (p_data(1, 0x83, b"data"), "control header"),
    "a release request of 5 bytes": (pdu(5, bytes(5)), "instead of 4"),
}


@pytest.mark.parametrize("what", ESTABLISHED)
def test_a_pdu_that_lies_on_an_association_is_aborted(node, what: str):
    sent, words = ESTABLISHED[what]
    with Peer.associated(node.port, ECHO, STORE) as peer:
        peer.send(sent)
        assert peer.aborted() == INVALID_VALUE
        assert words in only_complaint(node, peer.name)


def test_a_pdv_that_lies_in_mid_object_costs_that_object_only(node, ledger, bystander: Peer):
    torn = ledger.new(pixels=1_000_000)
    with Peer.associated(node.port, ECHO, STORE) as peer:
        in_mid_object(peer, torn)
        peer.send(pdu(4, pdv(3, 0, b"??", length=9)))
        assert peer.aborted() == INVALID_VALUE
        assert "a PDV states 9" in only_complaint(node, peer.name)
    ledger.keep(bystander, torn, context_id=3)
