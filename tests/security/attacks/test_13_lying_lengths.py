"""Data sets that are cut short, or whose lengths and delimiters lie (PS3.5 7): refused."""

import pytest

from tests.security.attacks.refusals import (
    MISMATCH,
    OUT_OF_RESOURCES,
    SUCCESS,
    UNREADABLE,
    refused,
)
from tests.security.attacks.under_attack import MIB, attack
from tests.server.support import ECHO, STORE, Peer
from tests.server.support_instances import Instance, assert_no_trace, instance
from tests.server.support_nodes import only_complaint
from tests.support.node import Node

pytestmark = attack(13, "oversized lengths in data sets")


def truncations() -> dict[str, tuple[Instance, int]]:
    whole = instance("1.2.3.8.0", pixels=300_000)
    small = instance("1.2.3.8.0")
    pixels = small.data_set.index(b"\xe0\x7f\x10\x00")
    return {
        "in the last value": (small.cut(-3), UNREADABLE),
        "in the last header": (small.cut(pixels + 5), UNREADABLE),
        "in the first header": (small.cut(5), UNREADABLE),
        "in a later block": (whole.cut(290_000), UNREADABLE),
        "at the end of the first block": (whole.cut(256 * 1024), UNREADABLE),
        "between two elements": (small.cut(small.data_set.index(b"\x20\0\x0d\0UI")), MISMATCH),
        "at once": (small.cut(0), MISMATCH),
    }


@pytest.mark.parametrize("where", truncations())
def test_a_data_set_that_is_cut_short_is_refused(node: Node, ledger, where: str):
    one, status = truncations()[where]
    refused(node, ledger, status, one)
    assert_no_trace(node.data, one.uid + "\0", one.uid + ".dcm")


GARBAGE = {
    "text": b"This is not a data set, whatever the transfer syntax says. " * 20,
    "ones": b"\xff" * 1000,
    "an element of 4 GiB": b"\x08\0\x05\0OB\0\0\xf0\xff\xff\xff" + bytes(100),
    "delimiters alone": b"\xfe\xff\x0d\xe0\0\0\0\0" * 50,
    "an item outside a sequence": b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 50,
    "a sequence without an end": b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + bytes(8),
    "an element of odd length": b"\x08\0\x05\0CS\x03\0abc",
}


@pytest.mark.parametrize("what", GARBAGE)
@pytest.mark.parametrize("where", ["first", "behind the UIDs", "behind the first block"])
def test_garbage_is_refused(node: Node, ledger, what: str, where: str):
    uid = ledger.uid()
    if where == "first":
        data_set = GARBAGE[what]
    else:
        pixels = 2 if where == "behind the UIDs" else 400_000
        data_set = instance(uid, pixels=pixels).data_set + GARBAGE[what]
    with Peer.associated(node.port, STORE, ECHO) as peer:
        response = peer.store(Instance(uid, data_set))
        # What comes behind the pixels may be tolerated as padding, but then it is kept as it came.
        if response.status == SUCCESS:
            assert where != "first"
            ledger.acknowledged.append(Instance(uid, data_set))
        else:
            assert response.status in (UNREADABLE, MISMATCH)
            only_complaint(node, peer.name)
        assert peer.echo(3) == 0


def test_an_object_beyond_the_limit_is_refused(node: Node, ledger):
    hostile = instance(ledger.uid(), pixels=5 * MIB)
    refused(node, ledger, OUT_OF_RESOURCES, hostile)
    assert_no_trace(node.data, hostile.uid)
