"""The two nodes of a soak: the one that is watched, and the one to which it moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.services.association import Destination
from tests.server.support_nodes import configured
from tests.soak.watch import Watch
from tests.soak.work import Ward
from tests.support.node import AE_TITLE, Node

_RECEIVER = "RECEIVER"


@contextmanager
def soaked_node(folder: Path, *options: str) -> Iterator[tuple[Ward, Watch]]:
    """A node under watch, with a receiver for its C-MOVEs; both must end without trouble."""
    with Node(folder / "receiver" / "data") as receiver:
        peer = f'[peers.receiver]\nae_title = "{_RECEIVER}"\nhost = "127.0.0.1"\n'
        config = configured(folder, f"{peer}port = {receiver.port}\n")
        with Node(folder / "node" / "data", *config, *options) as node:
            destination = Destination("127.0.0.1", node.port, AE_TITLE, "SOAK")
            ward = Ward(destination, _RECEIVER, folder)
            yield ward, Watch(node.process.pid)
