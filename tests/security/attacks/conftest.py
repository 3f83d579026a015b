"""One node that bears the attacks of all files, and what is looked at after each of them."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from isocenter.archive.receiving import BLOCKS_IN_ALL
from tests.security.attacks.pdus import half_sent_objects
from tests.security.attacks.under_attack import Honest, under_attack
from tests.server.support import ECHO, FIND, STORE, Peer
from tests.server.support_instances import PATIENT, Instance, assert_stored, instance
from tests.server.support_nodes import configured, connections, eventually
from tests.support.node import Node

SETTINGS = '[limits]\nobject_size = "4 MiB"\n'
QUERIES = 8


class Ledger:
    """What the shared node has acknowledged, and must have kept byte for byte; nothing else."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._numbers = itertools.count(1)
        self.acknowledged: list[Instance] = []

    def uid(self) -> str:
        """A SOP Instance UID that nobody has used."""
        return f"1.2.3.8.{next(self._numbers)}"

    def new(self, **options: int) -> Instance:
        """An instance that nobody has sent."""
        return instance(self.uid(), **options)

    def keep(self, peer: Peer, one: Instance, **options: int) -> None:
        """Stores what must then be found again after everything."""
        assert peer.store(one, **options).status == 0
        self.acknowledged.append(one)

    def check(self) -> None:
        assert_stored(self._node.data, self.acknowledged)


class AttackedNode(Node):
    """Its log begins anew with each attack: ports, which name peers there, come again and again."""

    _seen = 0

    def log(self) -> str:
        return self.whole_log()[self._seen :]

    def whole_log(self) -> str:
        return super().log()

    def begin_log(self) -> None:
        self._seen = len(self.whole_log())


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedNode]:
    """The node that all attacks share, with its pools grown to their size."""
    folder = tmp_path_factory.mktemp("attacked")
    with AttackedNode(folder / "data", *configured(folder, SETTINGS)) as running:
        _warm_up(running)
        yield running
        running._seen = 0


def _warm_up(node: Node) -> None:
    """Has the node start its query threads, and take all blocks that it ever has for objects."""
    with Peer(node.port) as peer:
        peer.associate(FIND, window=(QUERIES, 1))
        queries = [peer.begin_find({}) for _ in range(QUERIES)]
        assert len([peer.read_message() for _ in queries]) == QUERIES
    with ExitStack() as stack:
        half_sent_objects(stack, node, BLOCKS_IN_ALL + 10)
    eventually(lambda: connections(node) == 0)


@pytest.fixture(scope="session")
def _ledger(node: Node) -> Ledger:
    return Ledger(node)


@pytest.fixture(scope="module")
def ledger(node: AttackedNode, _ledger: Ledger) -> Iterator[Ledger]:
    """What the shared node has acknowledged; after a file's attacks all of it is there."""
    yield _ledger
    _ledger.check()
    assert PATIENT not in node.whole_log()


@pytest.fixture
def bystander(node: Node, ledger: Ledger) -> Iterator[Peer]:
    """An honest association from before the attack, which stores before and after it."""
    with Peer.associated(node.port, ECHO, STORE) as peer:
        ledger.keep(peer, ledger.new(), context_id=3)
        yield peer
        assert peer.echo() == 0
        ledger.keep(peer, ledger.new(), context_id=3)
        assert peer.released()


@pytest.fixture(autouse=True)
def honest(request: pytest.FixtureRequest) -> Iterator[Honest | None]:
    """What a test does to the `node` that it takes is done within `under_attack`.

    While an attack lasts, the test can ask whether the honest peer is `answered`.
    """
    if "node" not in request.fixturenames or not request.node.get_closest_marker("attack"):
        yield None
        return
    attacked = request.getfixturevalue("node")
    if isinstance(attacked, AttackedNode):
        attacked.begin_log()
    with under_attack(attacked) as peer:
        yield peer
