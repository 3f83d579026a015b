"""C-MOVE as a means to reach somebody else: addresses come from the configuration, never a peer."""

import itertools
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.security.attacks.under_attack import attack, under_attack
from tests.server.support_instances import instance
from tests.server.support_nodes import configured
from tests.server.support_retrieve import counters, fill, move, requesting
from tests.support.node import Node

pytestmark = attack(12, "C-MOVE as SSRF/reflector")

UNKNOWN = 0xA801


class Trap:
    """Listens where the attacker wants the node to connect to."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.close = self.socket.close

    @property
    def sprung(self) -> bool:
        try:
            self.socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with one instance and one peer, which is not there; its name is a host name, too."""
    folder = tmp_path_factory.mktemp("reflector")
    toml = (
        '[peers.localhost]\nae_title = "DEST"\nhost = "127.0.0.1"\nport = 1\n'
        "[retrieve]\nattempts = 1\nconnect_timeout = 1\n"
    )
    with Node(folder / "data", *configured(folder, toml)) as running:
        fill(running, instance("1.2.3.4.0"))
        yield running


DESTINATIONS = [
    "127.0.0.1:{port}", "127.0.0.1", "localhost", "localhost:{port}", "@127.0.0.1:{port}",
    "http://127.0.0.1", "../peers", "dest", "*", "%s%n", "REQUESTOR",
]  # fmt: skip


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_a_destination_that_is_no_known_title_is_refused(node: Node, destination: str):
    with closing(Trap()) as trap:
        title = destination.format(port=trap.port)[:16]
        with requesting(node) as association:
            ((final, _),) = move(association, title)
        assert final.Status in (UNKNOWN, 0xA900, 0xC001), f"{final.Status:04X}"
        assert not trap.sprung


def test_a_caller_is_no_destination_because_it_calls(node: Node):
    """Not even under an AE title that it made up, and whose port it listens on."""
    with closing(Trap()) as trap, requesting(node) as association:
        ((final, _),) = move(association, association.requestor.ae_title)
        assert final.Status == UNKNOWN
        assert not trap.sprung


def test_a_move_to_oneself_is_no_loop(node: Node):
    """The node sends to itself what it has; that is a repetition, so nothing grows."""
    with requesting(node) as association:
        *_, (final, _) = move(association, "ISOCENTER")
    assert final.Status == 0
    assert counters(final) == (None, 1, 0, 0)


def test_nodes_that_move_to_each_other_stop(start_node, tmp_path: Path, free_port: int):
    """A move makes a store, and a store makes no move: two nodes cannot be set on each other."""
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    other = start_node(folders[1] / "data", *configured(folders[1], '[node]\nae_title = "B"\n'))
    peer = f'[peers.b]\nae_title = "B"\nhost = "127.0.0.1"\nport = {other.port}\n'
    toml = f'[node]\nae_title = "A"\n{peer}'
    one = start_node(folders[0] / "data", *configured(folders[0], toml))
    fill(one, instance("1.2.3.4.0"))
    with under_attack(one), under_attack(other):
        for _ in range(10):
            with requesting(one) as association:
                *_, (final, _) = move(association, "B")
                assert counters(final) == (None, 1, 0, 0)


def test_many_moves_to_a_dead_destination_keep_nobody_waiting(node: Node, honest):
    """Each of them waits for a connection; C-ECHO is answered, and they end."""
    with requesting(node) as association:
        for _ in range(5):
            *_, (final, _) = move(association, "DEST")
            assert final.Status == 0xA702
            honest.answered()


def test_only_permitted_destinations_are_moved_to(start_node, tmp_path: Path):
    """`move_destinations` of the peer that asks."""
    with closing(Trap()) as trap:
        names = itertools.count()
        toml = "".join(
            f'[peers.p{next(names)}]\nae_title = "{title}"\nhost = "127.0.0.1"\n'
            f'port = {trap.port}\nmove_destinations = ["ALLOWED"]\n'
            for title in ("REQUESTOR", "ALLOWED", "FORBIDDEN")
        )
        node = start_node(None, *configured(tmp_path, toml))
        fill(node, instance("1.2.3.4.0"))
        with under_attack(node), requesting(node) as association:
            ((final, _),) = move(association, "FORBIDDEN")
            assert final.Status in (UNKNOWN, 0x0124), f"{final.Status:04X}"
        assert not trap.sprung
