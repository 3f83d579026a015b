"""Sequences inside sequences without an end: refused at a depth that costs nobody anything."""

from pathlib import Path

import pytest

from tests.security.attacks.refusals import UNREADABLE, refused
from tests.security.attacks.under_attack import attack
from tests.server.support import ECHO, FIND, STORE, Peer
from tests.server.support_instances import assert_no_trace, instance, nested
from tests.server.support_nodes import only_complaint
from tests.support.node import Node, isocenter

pytestmark = attack(14, "recursion depth")


@pytest.mark.parametrize("depth", [100, 10_000, 100_000])
def test_deep_nesting_is_refused(node: Node, ledger, depth: int):
    uid = ledger.uid()
    refused(node, ledger, UNREADABLE, nested(uid, depth))
    assert_no_trace(node.data, uid)


def test_modest_nesting_is_stored(node: Node, ledger):
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, nested(ledger.uid(), 20))


@pytest.mark.parametrize("depth", [100, 10_000])
def test_deep_nesting_inside_un_is_refused_or_kept_as_bytes(node: Node, ledger, depth: int):
    """A sequence in disguise (PS3.5 6.2.2): UN of undefined length, implicit VR inside."""
    honest = ledger.new()
    opening = b"\x09\0\x02\x10UN\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    inside = b"\x09\0\x02\x10\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    at = honest.data_set.index(b"\x10\x00\x10\x00PN")
    nest = opening + inside * (depth - 1) + closing * depth
    hostile = instance(honest.uid).cut(at)
    hostile = type(hostile)(honest.uid, hostile.data_set + nest + honest.data_set[at:])
    refused(node, ledger, UNREADABLE, hostile)
    assert_no_trace(node.data, honest.uid)


@pytest.mark.parametrize("depth", [100, 9_000])
def test_a_deeply_nested_query_is_refused(node: Node, depth: int):
    nest = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    with Peer.associated(node.port, FIND, ECHO) as peer:
        (response,) = peer.find(nest * depth)
        assert response.status >> 12 == 0xC
        only_complaint(node, peer.name)
        assert peer.echo(3) == 0


NESTED_JSON = b'{"00081140":{"vr":"SQ","Value":[' * 100_000


@pytest.mark.parametrize("content", [NESTED_JSON, b"[" * 100_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("command", ["find", "worklist import"])
def test_a_deeply_nested_file_ends_a_command_with_a_sentence(
    node: Node, tmp_path: Path, command: str, content: bytes
):
    file = tmp_path / "nested.json"
    file.write_bytes(content)
    if command == "find":
        done = isocenter("find", node.address, file)
    else:
        done = isocenter("worklist", "import", "--data", tmp_path / "other", file)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert len(done.stdout) < 2000
