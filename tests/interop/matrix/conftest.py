"""What the tests of the matrix share: two objects, and a node that holds them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.matrix.subjects import FILES, Archive
from tests.server.support_nodes import configured
from tests.support.node import Node, isocenter
from tests.support.processes import free_port


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """A node with both objects that may move them to the AE title RECEIVER."""
    folder = tmp_path_factory.mktemp("archive")
    receiver_port = free_port()
    options = configured(
        folder,
        f'[peers.receiver]\nae_title = "RECEIVER"\nhost = "127.0.0.1"\nport = {receiver_port}\n',
    )
    with Node(folder / "data", *options) as node:
        stored = isocenter("store", node.address, *FILES)
        assert stored.returncode == 0, stored.stdout
        yield Archive(node, receiver_port)


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """An empty folder for what a peer gets."""
    folder = tmp_path / "received"
    folder.mkdir()
    return folder
