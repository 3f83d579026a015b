"""UIDs that would be paths, or are none: refused, and nothing is written anywhere."""

import pytest

from isocenter.encoding.elements import RawElement
from tests.security.attacks.refusals import INVALID_UID, MISMATCH, refused
from tests.security.attacks.under_attack import attack
from tests.server.support import STORE, Peer
from tests.server.support_instances import (
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    assert_no_trace,
    instance,
)
from tests.server.support_nodes import only_complaint
from tests.support.node import Node

pytestmark = attack(1, "path traversal by UID")

BAD_UIDS = {
    "a path upwards": "../../../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "dots": "..",
    "a NUL inside": "1.2\x003",
    "a backslash": "..\\windows\\system32",
    "a line break": "1.2.3\nlevel=error",
    "too long": "1." + "2" * 63,
    "far too long": "1." * 2000 + "1",
    "letters": "1.2.abc",
    "an empty component": "1..2",
    "a dot at the end": "1.2.",
    "beyond ASCII": "1.2.é",
}


@pytest.mark.parametrize("what", BAD_UIDS)
def test_a_bad_sop_instance_uid_is_refused(node: Node, ledger, what: str):
    bad = BAD_UIDS[what]
    honest = instance(ledger.uid())
    in_data_set = {SOP_INSTANCE_UID: RawElement("UI", bad.encode("latin-1"))}
    hostile = instance(ledger.uid(), changed=in_data_set)
    with Peer.associated(node.port, STORE) as peer:
        if bad.isascii() and len(bad) <= 65:  # else no command set can carry it
            assert peer.store(honest, uid=bad).status == INVALID_UID
            only_complaint(node, peer.name)
    refused(node, ledger, INVALID_UID, hostile)
    assert_no_trace(node.data, honest.uid, hostile.uid)


@pytest.mark.parametrize("what", BAD_UIDS)
@pytest.mark.parametrize("tag", [STUDY_INSTANCE_UID, SERIES_INSTANCE_UID])
def test_a_bad_study_or_series_uid_is_refused(node: Node, ledger, what: str, tag: int):
    value = RawElement("UI", BAD_UIDS[what].encode("latin-1"))
    hostile = instance(ledger.uid(), changed={tag: value})
    refused(node, ledger, INVALID_UID, hostile)
    assert_no_trace(node.data, hostile.uid)
    outside = {path.name for path in node.data.parent.iterdir()}
    assert outside == {"data", "data.log", "isocenter.toml"}


@pytest.mark.parametrize("tag", [SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID])
@pytest.mark.parametrize("missing", [True, False])
def test_an_object_that_cannot_be_placed_is_refused(node: Node, ledger, tag: int, missing: bool):
    if missing:
        hostile = instance(ledger.uid(), without=(tag,))
    else:
        hostile = instance(ledger.uid(), changed={tag: RawElement("UI", b"")})
    refused(node, ledger, MISMATCH, hostile)
    assert_no_trace(node.data, hostile.uid)


def test_an_empty_announced_uid_is_refused(node: Node, ledger):
    hostile = instance(ledger.uid())
    with Peer.associated(node.port, STORE) as peer:
        assert peer.store(hostile, uid="").status in (0x0212, INVALID_UID)
        only_complaint(node, peer.name)


def test_another_instance_than_announced_is_refused(node: Node, ledger):
    hostile = instance(ledger.uid())
    refused(node, ledger, MISMATCH, hostile, uid=ledger.uid())
    assert_no_trace(node.data, hostile.uid)


def test_padding_of_uids_is_no_offence(node: Node, ledger):
    uid = ledger.uid() + "0" * (len(ledger.uid()) % 2)
    padded = {
        STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3 "),
        SERIES_INSTANCE_UID: RawElement("UI", b"1.2.3.1\0"),
    }
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, instance(uid, changed=padded))
