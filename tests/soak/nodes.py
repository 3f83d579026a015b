"""The two nodes of a soak: the one that is watched, and the one to which it moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from isocenter.services.association import Destination
from tests.server.support_nodes import configured
from tests.soak.ward import Ward
from tests.soak.watch import Watch
from tests.soak.work import ITEMS_PER_STATION, STATIONS
from tests.support.modality import worklist_item, write_worklist_file
from tests.support.node import AE_TITLE, Node, isocenter

_RECEIVER = "RECEIVER"


@contextmanager
def soaked_node(folder: Path, *options: str) -> Iterator[tuple[Ward, Watch]]:
    """A node under watch, with a receiver for its C-MOVEs; both must end without trouble."""
    with Node(folder / "receiver" / "data") as receiver:
        peer = f'[peers.receiver]\nae_title = "{_RECEIVER}"\nhost = "127.0.0.1"\n'
        config = configured(folder, f"{peer}port = {receiver.port}\n")
        with Node(folder / "node" / "data", *config, *options) as node:
            _fill_worklist(node, folder / "worklist")
            destination = Destination("127.0.0.1", node.port, AE_TITLE, "SOAK")
            ward = Ward(destination, _RECEIVER, folder)
            yield ward, Watch(node.process.pid)


def _fill_worklist(node: Node, folder: Path) -> None:
    """Items for each station, as files that are imported."""
    for number in range(1, len(STATIONS) * ITEMS_PER_STATION + 1):
        item = worklist_item(STATIONS[number % len(STATIONS)], number)
        write_worklist_file(folder / f"{number}.wl", item)
    done = isocenter("worklist", "import", "--data", node.data, folder)
    assert done.returncode == 0, done.stdout
