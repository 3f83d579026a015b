"""Deflated data sets that become more than they should, or nothing at all (PS3.5 A.5)."""

import zlib
from dataclasses import replace

import pytest

from tests.security.attacks.refusals import MISMATCH, UNREADABLE, refused
from tests.security.attacks.under_attack import MIB, attack
from tests.server.support import DEFLATED, Peer
from tests.server.support_instances import CT, Instance, assert_no_trace, instance
from tests.support.node import Node

pytestmark = attack(15, "deflate bomb")

STORE_DEFLATED = (CT, DEFLATED)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(data) + packer.flush()
    return packed + bytes(len(packed) % 2)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """300 kB that become 300 MB: an honest beginning, then zeros."""
    head = instance("1.2.3.8.0", pixels=0).data_set[:-12]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = [packer.compress(head + b"\xe0\x7f\x10\x00OW\0\0" + (300 * MIB).to_bytes(4, "little"))]
    pieces += [packer.compress(bytes(MIB)) for _ in range(300)]
    return b"".join([*pieces, packer.flush()])


def test_a_deflate_bomb_is_refused(node: Node, ledger, bomb: bytes):
    assert len(bomb) < 400_000
    refused(node, ledger, UNREADABLE, Instance("1.2.3.8.0", bomb), syntaxes=STORE_DEFLATED)


def test_an_honest_deflated_object_is_stored_as_it_came(node: Node, ledger):
    honest = instance(ledger.uid(), pixels=50_000)
    packed = replace(honest, data_set=deflated(honest.data_set))
    with Peer.associated(node.port, STORE_DEFLATED) as peer:
        ledger.keep(peer, packed)


@pytest.mark.parametrize("what", ["cut", "noise", "empty", "a bad inside"])
def test_a_broken_deflated_object_is_refused(node: Node, ledger, what: str):
    honest = instance(ledger.uid(), pixels=50_000)
    data_set = {
        "cut": deflated(honest.data_set)[:-2000],
        "noise": b"\xff" * 2000,
        "empty": b"",
        "a bad inside": deflated(honest.data_set[:-100]),
    }[what]
    status = MISMATCH if what == "empty" else UNREADABLE
    refused(node, ledger, status, replace(honest, data_set=data_set), syntaxes=STORE_DEFLATED)
    assert_no_trace(node.data, honest.uid)
