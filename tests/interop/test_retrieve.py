"""C-GET and C-MOVE both ways: foreign programs retrieve from the node, `isocenter` from them."""

from pathlib import Path

import pydicom
import pytest

from tests.interop.matrix.cells import GET, MOVE, ROLES, STORAGE, answers, asks
from tests.support import peers
from tests.support.corpus import bundled, data_set_of
from tests.support.node import Node, isocenter, isocenter_json

pytestmark = pytest.mark.interop

FILES = ("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm", "test-SR.dcm")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory):
    """A node that holds four studies."""
    with Node(tmp_path_factory.mktemp("node") / "data") as filled:
        stored = isocenter("store", filled.address, *map(bundled, FILES))
        assert stored.returncode == 0, stored.stdout
        yield filled


def uid_of(name: str, keyword: str) -> str:
    return str(pydicom.dcmread(bundled(name))[keyword].value)


def assert_received(folder: Path, *names: str) -> None:
    """Exactly these instances lie in `folder`, byte for byte as they were stored."""
    received = {}
    for path in folder.rglob("*"):
        if path.is_file():
            received[str(pydicom.dcmread(path).SOPInstanceUID)] = data_set_of(path)
    sent = {uid_of(name, "SOPInstanceUID"): data_set_of(bundled(name)) for name in names}
    assert received.keys() == sent.keys()
    assert received == sent


@pytest.mark.parametrize("root", ["-P", "-S"])
@asks("DCMTK", GET, ROLES, by="getscu")
def test_getscu_gets_a_study(node: Node, tmp_path: Path, root: str):
    keys = ("-k", "QueryRetrieveLevel=STUDY")
    study = "StudyInstanceUID=" + uid_of("CT_small.dcm", "StudyInstanceUID")
    got = peers.dcmtk(
        "getscu", "-v", root, "+B", "-od", tmp_path, *keys, "-k", study,
        "127.0.0.1", str(node.port),
    )  # fmt: skip
    assert got.returncode == 0, got.stdout
    assert_received(tmp_path, "CT_small.dcm")


@asks("DCMTK", GET, ROLES, by="getscu")
def test_getscu_gets_a_list_of_studies(node: Node, tmp_path: Path):
    studies = "\\".join(uid_of(name, "StudyInstanceUID") for name in FILES)
    got = peers.dcmtk(
        "getscu", "-v", "-S", "+B", "-od", tmp_path, "-k", "QueryRetrieveLevel=STUDY",
        "-k", f"StudyInstanceUID={studies}", "127.0.0.1", str(node.port),
    )  # fmt: skip
    assert got.returncode == 0, got.stdout
    assert_received(tmp_path, *FILES)


@asks("pynetdicom", GET, ROLES, by="getscu")
def test_pynetdicom_gets_an_image(node: Node, tmp_path: Path):
    got = peers.pynetdicom(
        "getscu", "127.0.0.1", str(node.port), "-S", "-od", str(tmp_path),
        "-k", "QueryRetrieveLevel=IMAGE",
        "-k", "SOPInstanceUID=" + uid_of("CT_small.dcm", "SOPInstanceUID"),
    )  # fmt: skip
    assert got.returncode == 0, got.stdout
    assert_received(tmp_path, "CT_small.dcm")


def test_getscu_is_told_what_is_wrong_with_its_identifier(node: Node, tmp_path: Path):
    got = peers.dcmtk(
        "getscu", "-d", "-S", "-od", tmp_path, "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID=1.2.*", "127.0.0.1", str(node.port),
    )  # fmt: skip
    assert "0xa900" in got.stdout.lower()
    assert_received(tmp_path)


MOVE_IMAGES = (
    "-k", "QueryRetrieveLevel=IMAGE",
    "-k", "SOPInstanceUID=" + "\\".join(uid_of(name, "SOPInstanceUID") for name in FILES),
)  # fmt: skip


@pytest.fixture
def moving_node(tmp_path: Path, start_node, node: Node, free_port: int):
    """Starts a node with the four studies and one destination: AE title ARCHIVE on `free_port`."""
    config = tmp_path / "isocenter.toml"
    config.write_text(
        f'[peers.archive]\nae_title = "ARCHIVE"\nhost = "127.0.0.1"\nport = {free_port}\n'
        "[retrieve]\npending_interval = 0\n"
    )
    filled = start_node(None, "-c", str(config))
    stored = isocenter("store", filled.address, *map(bundled, FILES))
    assert stored.returncode == 0, stored.stdout
    return filled


@asks("DCMTK", MOVE, by="movescu")
@answers("DCMTK", STORAGE, by="storescp")
def test_movescu_moves_to_storescp(moving_node: Node, tmp_path: Path, free_port: int):
    with peers.dcmtk_storescp(tmp_path, port=free_port) as receiver:
        moved = peers.dcmtk(
            "movescu", "-d", "-S", "-aem", "ARCHIVE", *MOVE_IMAGES,
            "127.0.0.1", str(moving_node.port),
        )  # fmt: skip
        assert moved.returncode == 0, moved.stdout + receiver.log()
    assert_received(tmp_path / "received", *FILES)
    assert moved.stdout.count("C-MOVE RSP") == len(FILES), moved.stdout


@asks("DCMTK", MOVE, by="movescu")
@answers("DCMTK", STORAGE, by="movescu")
def test_movescu_moves_to_itself(moving_node: Node, tmp_path: Path, free_port: int):
    own = tmp_path / "own"
    own.mkdir()
    moved = peers.dcmtk(
        "movescu", "-v", "-S", "-od", own, "-aem", "ARCHIVE",
        "+P", str(free_port), *MOVE_IMAGES, "127.0.0.1", str(moving_node.port),
    )  # fmt: skip
    assert moved.returncode == 0, moved.stdout
    assert len(list(own.iterdir())) == len(FILES)


@asks("pynetdicom", MOVE, by="movescu")
def test_pynetdicom_moves(moving_node: Node, tmp_path: Path, free_port: int):
    with peers.dcmtk_storescp(tmp_path, port=free_port) as receiver:
        moved = peers.pynetdicom(
            "movescu", "127.0.0.1", str(moving_node.port), "-S", "-aem", "ARCHIVE", *MOVE_IMAGES
        )
        assert moved.returncode == 0, moved.stdout + receiver.log()
    assert_received(tmp_path / "received", *FILES)


def test_an_unknown_destination_is_answered_with_advice(node: Node):
    moved = peers.dcmtk(
        "movescu", "-d", "-S", "-aem", "NOBODY", *MOVE_IMAGES, "127.0.0.1", str(node.port)
    )
    assert "0xa801" in moved.stdout
    assert "add it to [peers]" in moved.stdout


def uids_key(*names: str) -> tuple[str, str]:
    return "-k", "SOPInstanceUID=" + "\\".join(uid_of(name, "SOPInstanceUID") for name in names)


def test_isocenter_gets_from_a_node(node: Node, tmp_path: Path):
    got = isocenter("get", node.address, *uids_key(*FILES), "-od", tmp_path / "new")
    assert got.returncode == 0, got.stdout
    assert_received(tmp_path / "new", *FILES)
    names = {f"{uid_of(name, 'SOPInstanceUID')}.dcm" for name in FILES}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names


def test_isocenter_moves_from_a_node(moving_node: Node, tmp_path: Path, free_port: int):
    with peers.dcmtk_storescp(tmp_path, port=free_port):
        outcome = isocenter_json(
            "move", moving_node.address, *uids_key(*FILES), "--destination", "ARCHIVE"
        )
    assert (outcome["status"], outcome["completed"], outcome["failed"]) == ("0x0000", 4, 0)
    assert_received(tmp_path / "received", *FILES)


def test_isocenter_tells_why_a_move_was_refused(node: Node):
    moved = isocenter("move", node.address, *uids_key(*FILES), "--destination", "NOBODY")
    assert moved.returncode == 62
    assert "A801H Refused: move destination unknown" in moved.stdout


def foreign_archives(*services: str) -> pytest.MarkDecorator:
    """Runs a test with each foreign archive as the provider of `services`."""
    return pytest.mark.parametrize(
        ("start_archive", "ae_title"),
        [
            pytest.param(
                peers.dcmtk_dcmqrscp, "DCMQRSCP", marks=answers("DCMTK", *services, by="dcmqrscp")
            ),
            pytest.param(
                peers.pynetdicom_qrscp, "QRSCP", marks=answers("pynetdicom", *services, by="qrscp")
            ),
        ],
        ids=["dcmqrscp", "pynetdicom"],
    )


STUDIES = ("CT_small.dcm",)  # pynetdicom's archive knows no lists of UIDs


def studies_key(*names: str) -> tuple[str, str]:
    return "-k", "StudyInstanceUID=" + "\\".join(uid_of(each, "StudyInstanceUID") for each in names)


@foreign_archives(GET, ROLES)
def test_isocenter_gets_from_a_foreign_archive(tmp_path: Path, start_archive, ae_title: str):
    with start_archive(tmp_path) as server:
        there = f"{ae_title}@{server.address}"
        stored = isocenter("store", there, *map(bundled, STUDIES))
        assert stored.returncode == 0, stored.stdout + server.log()
        got = isocenter("get", there, *studies_key(*STUDIES), "-od", tmp_path / "got")
        assert got.returncode == 0, got.stdout + server.log()
    assert received_uids(tmp_path / "got") == {uid_of(name, "SOPInstanceUID") for name in STUDIES}


@foreign_archives(MOVE)
def test_isocenter_has_a_foreign_archive_move_to_a_node(
    tmp_path: Path, start_node, start_archive, ae_title: str
):
    receiver = start_node()
    with start_archive(tmp_path, destination=("ISOCENTER", receiver.port)) as server:
        there = f"{ae_title}@{server.address}"
        stored = isocenter("store", there, *map(bundled, STUDIES))
        assert stored.returncode == 0, stored.stdout + server.log()
        moved = isocenter("move", there, *studies_key(*STUDIES))
        assert moved.returncode == 0, moved.stdout + server.log()
    found = isocenter_json("find", receiver.address, "-L", "STUDY", "-k", "StudyInstanceUID")
    assert {match["0020000D"]["Value"][0] for match in found} == {
        uid_of(name, "StudyInstanceUID") for name in STUDIES
    }


def received_uids(folder: Path) -> set[str]:
    return {str(pydicom.dcmread(path).SOPInstanceUID) for path in folder.iterdir()}
