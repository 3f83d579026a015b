"""Orthanc both ways: its REST API makes it ask a node, and it answers Isocenter's commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.matrix.cells import (
    FIND,
    GET,
    MOVE,
    ROLES,
    STORAGE,
    VERIFICATION,
    answers,
    asks,
)
from tests.interop.matrix.subjects import (
    CT_INSTANCE,
    FILES,
    INSTANCES,
    STUDY,
    assert_same_image,
    instances_of,
)
from tests.server.support_nodes import configured
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE, Orthanc
from tests.support.processes import free_port

pytestmark = pytest.mark.interop

PEER = "Orthanc"


@dataclass(frozen=True)
class Neighbours:
    """A node and an Orthanc that know each other; neither holds anything yet."""

    node: Node
    orthanc: Orthanc

    @property
    def address(self) -> str:
        """Orthanc, as Isocenter's commands call it."""
        return f"{AE_TITLE}@{self.orthanc.address}"

    def asks(self, operation: str, **body: Any) -> Any:
        """Orthanc does something to the node; what it says then."""
        return self.orthanc.rest(f"/modalities/isocenter/{operation}", body)


@pytest.fixture
def neighbours(tmp_path: Path, start_node) -> Iterator[Neighbours]:
    port = free_port()
    peer = f'[peers.orthanc]\nae_title = "{AE_TITLE}"\nhost = "127.0.0.1"\nport = {port}\n'
    node = start_node(None, *configured(tmp_path, peer))
    known = {"isocenter": ("ISOCENTER", node.port)}
    with Orthanc(tmp_path / "orthanc", known, port=port) as orthanc:
        yield Neighbours(node, orthanc)


@pytest.fixture
def with_archive(neighbours: Neighbours) -> Neighbours:
    """The node holds both objects."""
    stored = isocenter("store", neighbours.node.address, *FILES)
    assert stored.returncode == 0, stored.stdout
    return neighbours


@pytest.fixture
def with_orthanc_filled(neighbours: Neighbours) -> Neighbours:
    """Orthanc holds both objects."""
    neighbours.orthanc.upload(*FILES)
    return neighbours


# Orthanc asks


@asks(PEER, VERIFICATION, by="/modalities/{id}/echo")
def test_its_echo_is_answered(neighbours: Neighbours):
    assert neighbours.asks("echo") == {}


@asks(PEER, STORAGE, by="/modalities/{id}/store")
def test_it_stores(neighbours: Neighbours):
    resources = neighbours.orthanc.upload(*FILES)
    report = neighbours.asks("store", Resources=resources)
    assert (report["InstancesCount"], report["FailedInstancesCount"]) == (2, 0)
    assert instances_of(neighbours.node) == INSTANCES


def query(neighbours: Neighbours, patient_id: str) -> tuple[str, list[dict[str, str]]]:
    """Orthanc asks the node for studies: the path of its query, and the answers."""
    keys = {"PatientID": patient_id, "StudyInstanceUID": ""}
    path = neighbours.asks("query", Level="Study", Query=keys)["Path"]
    return path, neighbours.orthanc.rest(f"{path}/answers?expand&simplify")


@asks(PEER, FIND, by="/modalities/{id}/query")
def test_it_finds(with_archive: Neighbours):
    _, (match,) = query(with_archive, "1CT1")
    assert match["StudyInstanceUID"] == STUDY
    assert query(with_archive, "NOBODY")[1] == []


@asks(PEER, MOVE, by="/queries/{id}/retrieve")
@answers(PEER, STORAGE, by="Orthanc")
def test_it_has_a_study_moved_to_itself(with_archive: Neighbours):
    path, _ = query(with_archive, "1CT1")
    with_archive.orthanc.rest(f"{path}/retrieve", AE_TITLE.encode())
    assert with_archive.orthanc.instances() == {CT_INSTANCE}


# Orthanc answers


@answers(PEER, VERIFICATION, by="Orthanc")
def test_isocenter_echoes_it(neighbours: Neighbours):
    assert isocenter_json("echo", neighbours.address)


@answers(PEER, STORAGE, by="Orthanc")
def test_isocenter_stores_in_it(neighbours: Neighbours):
    stored = isocenter("store", neighbours.address, *FILES)
    assert stored.returncode == 0, stored.stdout
    assert neighbours.orthanc.instances() == INSTANCES


@answers(PEER, FIND, by="Orthanc")
def test_isocenter_finds_in_it(with_orthanc_filled: Neighbours):
    for patient_id, studies in (("1CT1", [STUDY]), ("NOBODY", [])):
        keys = ("-k", f"PatientID={patient_id}", "-k", "StudyInstanceUID")
        found = isocenter_json("find", with_orthanc_filled.address, *keys)
        assert [match["0020000D"]["Value"][0] for match in found] == studies


@answers(PEER, GET, ROLES, by="Orthanc")
def test_isocenter_gets_from_it(with_orthanc_filled: Neighbours, tmp_path: Path):
    key = ("-k", f"StudyInstanceUID={STUDY}")
    got = isocenter("get", with_orthanc_filled.address, *key, "-od", tmp_path / "got")
    assert got.returncode == 0, got.stdout + with_orthanc_filled.orthanc.log()
    assert_same_image(tmp_path / "got" / f"{CT_INSTANCE}.dcm")


@answers(PEER, MOVE, by="Orthanc")
def test_isocenter_has_it_move_to_a_node(with_orthanc_filled: Neighbours):
    moved = isocenter("move", with_orthanc_filled.address, "-k", f"StudyInstanceUID={STUDY}")
    assert moved.returncode == 0, moved.stdout + with_orthanc_filled.orthanc.log()
    assert instances_of(with_orthanc_filled.node) == {CT_INSTANCE}
