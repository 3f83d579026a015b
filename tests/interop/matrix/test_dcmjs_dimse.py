"""dcmjs-dimse both ways: its client asks a node, its server answers Isocenter's commands."""

from collections.abc import Iterator
from pathlib import Path

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
from tests.support import dcmjs_dimse
from tests.support.node import isocenter, isocenter_json
from tests.support.processes import Server

pytestmark = pytest.mark.interop

PEER = "dcmjs-dimse"
SUCCESS, PENDING = 0, 0xFF00


# Its client asks


@asks(PEER, VERIFICATION, by="Client")
def test_its_echo_is_answered(archive: Archive):
    assert dcmjs_dimse.ask(archive.node.port, "echo")["statuses"] == [SUCCESS]


@asks(PEER, STORAGE, by="Client")
def test_it_stores(start_node):
    node = start_node()
    stored = dcmjs_dimse.ask(node.port, "store", files=[str(path) for path in FILES])
    assert stored["statuses"] == [SUCCESS, SUCCESS]
    assert instances_of(node) == INSTANCES


@asks(PEER, FIND, by="Client")
def test_it_finds(archive: Archive):
    keys = {"PatientID": "1CT1", "StudyInstanceUID": ""}
    found = dcmjs_dimse.ask(archive.node.port, "find", keys=keys)
    assert found["statuses"] == [PENDING, SUCCESS]
    assert [match["StudyInstanceUID"] for match in found["matches"]] == [STUDY]


@asks(PEER, MOVE, by="Client")
@answers(PEER, STORAGE, by="Server")
def test_it_has_a_study_moved_to_its_own_server(archive: Archive, tmp_path: Path):
    with dcmjs_dimse.serve(tmp_path, port=archive.receiver_port):
        moved = dcmjs_dimse.ask(archive.node.port, "move", destination="RECEIVER", study=STUDY)
    assert moved["statuses"][-1] == SUCCESS
    assert_same_image(tmp_path / "received" / f"{CT_INSTANCE}.dcm")


@asks(PEER, GET, ROLES, by="Client")
def test_it_gets_a_study(archive: Archive, received: Path):
    got = dcmjs_dimse.ask(archive.node.port, "get", study=STUDY, folder=str(received))
    assert got["statuses"][-1] == SUCCESS
    assert_same_image(received / f"{CT_INSTANCE}.dcm")


@asks(PEER, STORAGE, GET, by="Client")
def test_it_gets_what_it_has_stored(start_node, received: Path):
    """It stores in implicit VR, and proposes implicit and explicit VR to get it back."""
    node = start_node()
    stored = dcmjs_dimse.ask(node.port, "store", files=[str(FILES[0])])
    assert stored["statuses"] == [SUCCESS]
    got = dcmjs_dimse.ask(node.port, "get", study=STUDY, folder=str(received))
    assert got["statuses"][-1] == SUCCESS
    assert_same_image(received / f"{CT_INSTANCE}.dcm")


# Its server answers


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with dcmjs_dimse.serve(tmp_path / "server") as running:
        yield running


def store_in(server: Server) -> None:
    stored = isocenter("store", server.address, FILES[0])
    assert stored.returncode == 0, stored.stdout + server.log()


@answers(PEER, VERIFICATION, by="Server")
def test_isocenter_echoes_it(server: Server):
    assert isocenter_json("echo", server.address)


@answers(PEER, STORAGE, by="Server")
def test_isocenter_stores_in_it(server: Server, tmp_path: Path):
    store_in(server)
    assert_same_image(tmp_path / "server" / "received" / f"{CT_INSTANCE}.dcm")


@answers(PEER, FIND, by="Server")
def test_isocenter_finds_in_it(server: Server):
    store_in(server)
    for patient_id, studies in (("1CT1", [STUDY]), ("NOBODY", [])):
        keys = ("-k", f"PatientID={patient_id}", "-k", "StudyInstanceUID")
        found = isocenter_json("find", server.address, *keys)
        assert [match["0020000D"]["Value"][0] for match in found] == studies


@answers(PEER, GET, ROLES, by="Server")
def test_isocenter_gets_from_it(server: Server, tmp_path: Path):
    store_in(server)
    key = ("-k", f"StudyInstanceUID={STUDY}")
    got = isocenter("get", server.address, *key, "-od", tmp_path / "got")
    assert got.returncode == 0, got.stdout + server.log()
    assert_same_image(tmp_path / "got" / f"{CT_INSTANCE}.dcm")


@answers(PEER, MOVE, by="Server")
def test_isocenter_has_it_move_to_a_node(start_node, tmp_path: Path):
    node = start_node()
    with dcmjs_dimse.serve(tmp_path, ISOCENTER=node.port) as server:
        store_in(server)
        moved = isocenter("move", server.address, "-k", f"StudyInstanceUID={STUDY}")
        assert moved.returncode == 0, moved.stdout + server.log()
    assert instances_of(node) == {CT_INSTANCE}
