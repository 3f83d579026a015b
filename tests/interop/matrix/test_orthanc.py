"""Orthanc both ways: its REST API makes it ask a node, and it answers Isocenter's commands."""

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
    Archive,
    assert_same_image,
    instances_of,
)
from tests.support.node import AE_TITLE, Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc

pytestmark = pytest.mark.interop

PEER = "Orthanc"


@pytest.fixture
def user(orthanc: Orthanc, archive: Archive) -> Orthanc:
    """An empty Orthanc that knows the node with both objects as `isocenter`."""
    orthanc.introduce("isocenter", AE_TITLE, archive.node.port)
    return orthanc


@pytest.fixture
def provider(orthanc: Orthanc) -> Orthanc:
    """An Orthanc with both objects that knows Isocenter's commands by their AE title."""
    orthanc.introduce("isocenter", AE_TITLE, 104)
    orthanc.upload(*FILES)
    return orthanc


def address(orthanc: Orthanc) -> str:
    """Orthanc, as Isocenter's commands call it."""
    return f"{ORTHANC}@{orthanc.address}"


# Orthanc asks


@asks(PEER, VERIFICATION, by="/modalities/{id}/echo")
def test_its_echo_is_answered(user: Orthanc):
    assert user.rest("/modalities/isocenter/echo", {}) == {}


@asks(PEER, STORAGE, by="/modalities/{id}/store")
def test_it_stores(orthanc_and_node: tuple[Orthanc, Node]):
    orthanc, node = orthanc_and_node
    resources = orthanc.upload(*FILES)
    report = orthanc.rest("/modalities/isocenter/store", {"Resources": resources})
    assert (report["InstancesCount"], report["FailedInstancesCount"]) == (2, 0)
    assert instances_of(node) == INSTANCES


def query(orthanc: Orthanc, patient_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Orthanc asks the node for studies: the path of its query, and the answers."""
    keys = {"PatientID": patient_id, "StudyInstanceUID": ""}
    body = {"Level": "Study", "Query": keys}
    path = orthanc.rest("/modalities/isocenter/query", body)["Path"]
    return path, orthanc.rest(f"{path}/answers?expand&simplify")


@asks(PEER, FIND, by="/modalities/{id}/query")
def test_it_finds(user: Orthanc):
    _, (match,) = query(user, "1CT1")
    assert match["StudyInstanceUID"] == STUDY
    assert query(user, "NOBODY")[1] == []


@asks(PEER, MOVE, by="/queries/{id}/retrieve")
@answers(PEER, STORAGE, by="Orthanc")
def test_it_has_a_study_moved_to_itself(user: Orthanc):
    path, _ = query(user, "1CT1")
    user.rest(f"{path}/retrieve", ORTHANC.encode())
    assert user.instances() == {CT_INSTANCE}


# Orthanc answers


@answers(PEER, VERIFICATION, by="Orthanc")
def test_isocenter_echoes_it(orthanc: Orthanc):
    assert isocenter_json("echo", address(orthanc))


@answers(PEER, STORAGE, by="Orthanc")
def test_isocenter_stores_in_it(orthanc: Orthanc):
    stored = isocenter("store", address(orthanc), *FILES)
    assert stored.returncode == 0, stored.stdout
    assert orthanc.instances() == INSTANCES


@answers(PEER, FIND, by="Orthanc")
def test_isocenter_finds_in_it(provider: Orthanc):
    for patient_id, studies in (("1CT1", [STUDY]), ("NOBODY", [])):
        keys = ("-k", f"PatientID={patient_id}", "-k", "StudyInstanceUID")
        found = isocenter_json("find", address(provider), *keys)
        assert [match["0020000D"]["Value"][0] for match in found] == studies


@answers(PEER, GET, ROLES, by="Orthanc")
def test_isocenter_gets_from_it(provider: Orthanc, tmp_path: Path):
    key = ("-k", f"StudyInstanceUID={STUDY}")
    got = isocenter("get", address(provider), *key, "-od", tmp_path / "got")
    assert got.returncode == 0, got.stdout + provider.log()
    assert_same_image(tmp_path / "got" / f"{CT_INSTANCE}.dcm")


@answers(PEER, MOVE, by="Orthanc")
def test_isocenter_has_it_move_to_a_node(orthanc_and_node: tuple[Orthanc, Node]):
    orthanc, node = orthanc_and_node
    orthanc.upload(*FILES)
    moved = isocenter("move", address(orthanc), "-k", f"StudyInstanceUID={STUDY}")
    assert moved.returncode == 0, moved.stdout + orthanc.log()
    assert instances_of(node) == {CT_INSTANCE}
