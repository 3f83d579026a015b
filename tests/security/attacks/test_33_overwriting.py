"""The same UIDs again with other content: what is stored never changes, and nothing is lost."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from isocenter.encoding.elements import RawElement
from tests.security.attacks.refusals import DUPLICATE, SUCCESS
from tests.security.attacks.under_attack import attack, under_attack
from tests.server.support import FIND, STORE, Peer, fragments
from tests.server.support_instances import (
    PATIENT_ID,
    PATIENT_NAME,
    SERIES_INSTANCE_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Instance,
    assert_stored,
    instance,
    stored,
)
from tests.server.support_nodes import configured, eventually, only_complaint
from tests.support.node import Node, isocenter_json

pytestmark = attack(33, "overwrite / poisoning")


def instances_in_index(node: Node, uid: str) -> int:
    with Peer.associated(node.port, FIND) as peer:
        identifier = {
            0x00080052: RawElement("CS", b"IMAGE"),
            STUDY_INSTANCE_UID: RawElement("UI", b"1.2.3"),
            SERIES_INSTANCE_UID: RawElement("UI", b"1.2.3.1"),
            SOP_INSTANCE_UID: RawElement("UI", uid.encode()),
        }
        return len(peer.find(identifier)) - 1


def quarantined(data: Path) -> dict[str, str]:
    """Reasons by SOP Instance UID."""
    notes = [json.loads(path.read_text()) for path in (data / "quarantine").rglob("*.json")]
    return {note["sop_instance_uid"]: note["reason"] for note in notes}


@pytest.mark.parametrize("pixels", [1000, 700_000])
def test_a_repetition_is_acknowledged_and_kept_once(node: Node, ledger, pixels: int):
    one = instance(ledger.uid(), pixels=pixels)
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, one)
        for _ in range(3):
            assert peer.store(one).status == SUCCESS
    assert instances_in_index(node, one.uid) == 1
    assert one.uid not in quarantined(node.data)


@pytest.mark.parametrize("pixels", [1000, 700_000])
def test_other_bytes_under_a_stored_uid_go_to_quarantine(node: Node, ledger, pixels: int):
    one = instance(ledger.uid(), pixels=pixels)
    other = replace(one, data_set=one.data_set[:-1] + bytes([one.data_set[-1] ^ 1]))
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, one)
        assert peer.store(other).status == SUCCESS
    assert instances_in_index(node, one.uid) == 1
    assert "Another object" in quarantined(node.data)[one.uid]
    (listed,) = (
        entry
        for entry in isocenter_json("quarantine", "list", "--data", str(node.data))
        if entry["sop_instance_uid"] == one.uid
    )
    kept = (node.data / "quarantine" / listed["path"]).read_bytes()
    assert kept.endswith(other.data_set)


def test_other_bytes_are_refused_where_that_is_configured(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, '[storage]\non_conflict = "reject"\n'))
    one = instance("1.2.3.9.1")
    other = replace(one, data_set=one.data_set[:-1] + b"?")
    with under_attack(node), Peer.associated(node.port, STORE) as peer:
        assert peer.store(one).status == SUCCESS
        assert peer.store(other).status == DUPLICATE
        assert "0111" in only_complaint(node, peer.name)
        assert peer.store(one).status == SUCCESS
    assert_stored(node.data, [one])
    assert quarantined(node.data) == {}


@pytest.mark.parametrize("same", [True, False], ids=["same bytes", "other bytes"])
@pytest.mark.parametrize("workers", [1, 2])
def test_several_associations_send_one_uid_at_the_same_time(start_node, same: bool, workers: int):
    """Begun together, finished together: one is kept, all are answered, nothing is lost."""
    node = start_node(None, "--workers", str(workers))
    first = instance("1.2.3.9.2", pixels=600_000)
    versions = [
        first if same else replace(first, data_set=first.data_set[:-1] + bytes([number]))
        for number in range(4)
    ]
    together = threading.Barrier(len(versions))
    statuses = []

    def send(one: Instance) -> None:
        with Peer.associated(node.port, STORE) as peer:
            peer.begin_store(one)
            for fragment in fragments(1, one.data_set):
                together.wait(20)
                peer.send(fragment)
            statuses.append(peer.read_store_response().status)

    threads = [threading.Thread(target=send, args=(one,)) for one in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [SUCCESS] * 4
    eventually(lambda: instances_in_index(node, first.uid) == 1)  # rows follow the answer
    kept = stored(node.data)[first.uid]
    assert set(kept) <= {one.data_set for one in versions}
    if same:
        assert quarantined(node.data) == {}
    else:

        def aside() -> list[Path]:
            return list((node.data / "quarantine").rglob("*.json"))

        eventually(lambda: len(aside()) == 3)
        everything = kept + [note.with_suffix(".dcm").read_bytes() for note in aside()]
        for one in versions:
            assert any(found.endswith(one.data_set) for found in everything)


def test_a_study_of_two_patients_keeps_both(node: Node, ledger):
    """UIDs that collide over patients: neither hides the other, and no byte changes."""
    study = "1.2.3.33"
    first = instance(ledger.uid(), study=study)
    changed = {
        PATIENT_NAME: RawElement("PN", b"Else^Somebody"),
        PATIENT_ID: RawElement("LO", b"4712"),
    }
    second = instance(ledger.uid(), study=study, changed=changed)
    with Peer.associated(node.port, STORE) as peer:
        for one in (first, second):
            ledger.keep(peer, one)
    with Peer.associated(node.port, FIND) as peer:
        keys = {
            0x00080052: RawElement("CS", b"IMAGE"),
            STUDY_INSTANCE_UID: RawElement("UI", study.encode()),
            SERIES_INSTANCE_UID: RawElement("UI", f"{study}.1".encode()),
            SOP_INSTANCE_UID: RawElement("UI", b""),
        }
        assert len(peer.find(keys)) == 3


def test_a_uid_of_another_study_moves_nothing(node: Node, ledger):
    """The poisoned copy claims another study and series for an instance that is stored."""
    one = ledger.new()
    poisoned = instance(one.uid, study="1.2.3.34")
    with Peer.associated(node.port, STORE) as peer:
        ledger.keep(peer, one)
        assert peer.store(poisoned).status == SUCCESS
    assert instances_in_index(node, one.uid) == 1
    assert one.uid in quarantined(node.data)
