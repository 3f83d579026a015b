"""What the tests of the matrix share: two objects, and a node that holds them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.matrix.subjects import FILES, Archive
from tests.server.support_nodes import configured
from tests.support.node import AE_TITLE, Node, isocenter
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import free_port


@pytest.fixture(scope="session")
def orthanc_port() -> int:
    """Where Orthanc listens, should it be started."""
    return free_port()


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, orthanc_port: int) -> Iterator[Archive]:
    """A node with both objects that may move them to the AE titles RECEIVER and ORTHANC."""
    folder = tmp_path_factory.mktemp("archive")
    receiver_port = free_port()
    peers = (("receiver", "RECEIVER", receiver_port), ("orthanc", ORTHANC, orthanc_port))
    options = configured(
        folder,
        "".join(
            f'[peers.{name}]\nae_title = "{title}"\nhost = "127.0.0.1"\nport = {port}\n'
            for name, title, port in peers
        ),
    )
    with Node(folder / "data", *options) as node:
        stored = isocenter("store", node.address, *FILES)
        assert stored.returncode == 0, stored.stdout
        yield Archive(node, receiver_port)


@pytest.fixture(scope="session")
def _orthanc(tmp_path_factory: pytest.TempPathFactory, orthanc_port: int) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc"), orthanc_port) as running:
        yield running


@pytest.fixture
def orthanc(_orthanc: Orthanc) -> Orthanc:
    """The Orthanc of the whole session, empty."""
    _orthanc.clear()
    return _orthanc


@pytest.fixture
def orthanc_and_node(orthanc: Orthanc, start_node) -> tuple[Orthanc, Node]:
    """Both empty; Orthanc knows the node as the modality `isocenter`."""
    node = start_node()
    orthanc.introduce("isocenter", AE_TITLE, node.port)
    return orthanc, node


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """An empty folder for what a peer gets."""
    folder = tmp_path / "received"
    folder.mkdir()
    return folder
