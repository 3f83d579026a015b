"""Deleting from a running node, in one process and in several."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from isocenter.archive.maintenance import verify
from isocenter.dictionary.sop_classes import STUDY_ROOT_GET
from isocenter.encoding.elements import RawElement
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from isocenter.services.association import Destination
from tests.server.support import FIND, Peer
from tests.server.support_crashes import kill_everything
from tests.server.support_instances import CT, Instance, instance
from tests.server.support_nodes import configured, eventually, log_lines
from tests.server.support_retrieve import fill
from tests.support.node import Node, isocenter, isocenter_json

EXPLICIT = "1.2.840.10008.1.2.1"
STUDY, OTHER = "1.2.3.1", "1.2.3.2"
WHY = ("--role", "QA", "--reason", "wrong side", "--yes")
one_or_several = pytest.mark.parametrize("workers", ["1", "2"])


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[..., Node]:
    """Starts a node with two studies of five objects each."""

    def start(workers: str = "1", toml: str = "") -> Node:
        node: Node = start_node(None, *configured(tmp_path, toml), "--workers", workers)
        fill(node, *objects(STUDY), *objects(OTHER))
        return node

    return start


def objects(study: str, *, pixels: int = 30_000) -> list[Instance]:
    return [instance(f"{study}.9.{n}", study=study, pixels=pixels) for n in range(5)]


def delete(node: Node, *arguments: str) -> dict[str, Any]:
    done = isocenter("delete", *arguments, *WHY, "--data", node.data, "--json")
    assert done.returncode == 0, done.stdout
    deletion: dict[str, Any] = json.loads(done.stdout)
    return deletion


def the_deletion(node: Node) -> dict[str, Any]:
    deletion, *_ = isocenter_json("delete", "list", "--data", node.data)
    return dict(deletion)


def found(node: Node, study: str) -> int:
    """How many studies a query finds."""
    with Peer.associated(node.port, FIND) as peer:
        level, uid = RawElement("CS", b"STUDY"), RawElement("UI", study.encode())
        responses = peer.find({0x00080052: level, 0x0020000D: uid})
        peer.released()
    return len(responses) - 1


class Receiver:
    """Takes what a C-GET brings; `at_first` runs while the first object comes."""

    def __init__(self, at_first: Callable[[], object] | None = None) -> None:
        self.data_sets: list[bytes] = []
        self._at_first = at_first

    def begin(self, request, context):
        self.data_sets.append(b"")
        return self

    def write(self, fragment: memoryview) -> None:
        at_first, self._at_first = self._at_first, None
        if at_first is not None:
            at_first()
        self.data_sets[-1] += bytes(fragment)

    def finish(self) -> int:
        return 0

    def abort(self) -> None:
        pass


def retrieve(node: Node, study: str, receiver: Receiver | None = None) -> list[bytes]:
    """The data sets of a study; the retrieve must succeed."""
    receiver = receiver or Receiver()
    identifier = {
        0x00080052: RawElement("CS", b"STUDY"),
        0x0020000D: RawElement("UI", study.encode()),
    }
    contexts = [(STUDY_ROOT_GET, [EXPLICIT]), (CT, [EXPLICIT])]
    with Destination("127.0.0.1", node.port).connect(contexts, receiving=[CT]) as association:
        *_, last = association.get(STUDY_ROOT_GET, identifier, receiver)
    assert last.status.is_success
    return receiver.data_sets


def contents(instances: list[Instance]) -> list[bytes]:
    return [one.data_set for one in instances]


@one_or_several
def test_a_deleted_study_is_neither_found_nor_sent_until_it_is_restored(start, workers) -> None:
    node = start(workers)
    deletion = delete(node, STUDY)
    assert (deletion["instances"], deletion["studies"]) == (5, [STUDY])
    assert (found(node, STUDY), found(node, OTHER)) == (0, 1)
    assert retrieve(node, STUDY) == []
    assert isocenter_json("status", "--data", node.data)["instances"] == 5
    done = isocenter("delete", "restore", "1", "--data", node.data)
    assert done.stdout.endswith("Restored 5 instances of deletion 1.\n")
    assert found(node, STUDY) == 1
    assert sorted(retrieve(node, STUDY)) == sorted(contents(objects(STUDY)))
    assert verify(node.data).problems == []


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_an_instance_that_is_stored_again_is_kept(start, workers) -> None:
    node = start(workers)
    delete(node, "--instance", f"{STUDY}.9.2", "--instance", f"{STUDY}.9.3")
    assert len(retrieve(node, STUDY)) == 3
    fill(node, objects(STUDY)[2])
    eventually(lambda: the_deletion(node)["state"] == "taken out", seconds=60)
    assert len(retrieve(node, STUDY)) == 4
    assert isocenter("delete", "purge", "1", "--yes", "--data", node.data).returncode == 0
    assert objects(STUDY)[2].data_set in retrieve(node, STUDY)
    assert verify(node.data).problems == []


def test_a_retrieve_under_way_gets_everything_that_it_was_to_get(start) -> None:
    node = start()
    large = objects("1.2.3.3", pixels=4_000_000)
    fill(node, *large)
    receiver = Receiver(lambda: delete(node, "1.2.3.3", "--wait", "0"))
    received = retrieve(node, "1.2.3.3", receiver)
    assert received == contents(large)
    eventually(lambda: the_deletion(node)["state"] == "taken out")
    assert retrieve(node, "1.2.3.3") == []


def test_what_is_read_is_erased_when_it_has_been_read(start) -> None:
    node = start()
    large = objects("1.2.3.3", pixels=4_000_000)
    fill(node, *large)
    some = [word for one in large[1:3] for word in ("--instance", one.uid)]

    def delete_and_see_that_it_waits() -> None:
        delete(node, *some, "--now", "--wait", "0")
        eventually(lambda: log_lines(node, "a deletion waits"))
        assert the_deletion(node)["state"] == "hidden"

    received = retrieve(node, "1.2.3.3", Receiver(delete_and_see_that_it_waits))
    assert received == contents(large)
    eventually(lambda: the_deletion(node)["state"] == "purged")
    assert retrieve(node, "1.2.3.3") == contents([large[0], *large[3:]])


def test_a_deletion_is_purged_by_the_node_when_its_time_has_come(start, tmp_path) -> None:
    node = start()
    options = configured(tmp_path, "[deletion]\nkeep_for = 0.5\n")
    delete(node, STUDY, *options)
    eventually(lambda: the_deletion(node)["state"] == "purged")
    assert list((node.data / "trash").iterdir()) == []
    # The log says so, and neither why nor whose it was.
    assert log_lines(node, "deleted objects", "instances=5")
    assert log_lines(node, "purged objects", "instances=5")
    assert not log_lines(node, "wrong side")


def test_a_node_that_was_killed_goes_on_with_its_deletions(start_node, start) -> None:
    node = start()
    delete(node, STUDY, "--wait", "0")
    kill_everything(node)
    again = start_node(node.data)
    eventually(lambda: the_deletion(again)["state"] == "taken out")
    assert (found(again, STUDY), found(again, OTHER)) == (0, 1)


@pytest.mark.slow
def test_a_stopped_node_goes_on_with_its_deletions_when_it_runs_again(start_node, start) -> None:
    node = start()
    delete(node, STUDY, "--wait", "0")
    node.stop()
    assert isocenter("delete", OTHER, *WHY, "--data", node.data).returncode == 0
    again = start_node(node.data)
    eventually(
        lambda: (
            {one["state"] for one in isocenter_json("delete", "list", "--data", again.data)}
            == {"taken out"}
        )
    )
    assert isocenter_json("status", "--data", again.data)["instances"] == 0


@pytest.mark.slow
def test_storage_commitment_says_no_such_object_of_what_was_deleted(start, tmp_path) -> None:
    node = start()
    for one in objects(STUDY):
        path = tmp_path / "files" / f"{one.uid}.dcm"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_file_meta(FileMeta(CT, one.uid, EXPLICIT)) + one.data_set)
    asking = ("commit", f"ISOCENTER@{node.address}", tmp_path / "files", "--wait", "30")
    assert isocenter(*asking).returncode == 0
    delete(node, "--instance", f"{STUDY}.9.1")
    answer = isocenter(*asking)
    assert answer.returncode != 0
    assert f"{STUDY}.9.1" in answer.stdout
    assert "0112" in answer.stdout or "no such object" in answer.stdout.lower()
