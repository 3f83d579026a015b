"""Peers that ask and never read the answers: they stop themselves, and nobody else."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isocenter.dimse.messages import CEchoRQ
from isocenter.encoding.elements import RawElement
from isocenter.services.query_desk import OPEN
from tests.security.attacks.under_attack import MIB, Honest, attack, under_attack
from tests.server.support import COMMAND, ECHO, FIND, LAST, Peer, p_data, store_all
from tests.server.support_instances import instance
from tests.server.support_nodes import configured, connections, eventually, open_files
from tests.support.node import Node

pytestmark = attack(8, "slowloris / half-open")

KEYS = (
    0x00080018, 0x00080016, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E, 0x00080020, 0x00080030,
    0x00081030, 0x0008103E, 0x00080050, 0x00080060, 0x00200010, 0x00200011, 0x00200013, 0x00100030,
)  # fmt: skip
INSTANCES = 500
QUERIES = 8  # as many as an association may have under way: more than any socket buffer takes


def images_query() -> dict[int, RawElement]:
    """A query with INSTANCES matches of some hundred bytes each."""
    keys = {tag: RawElement("LO", b"") for tag in KEYS}
    return keys | {
        0x00080052: RawElement("CS", b"IMAGE"),
        0x0020000D: RawElement("UI", b"1.2.3.99"),
        0x0020000E: RawElement("UI", b"1.2.3.99.1"),
    }


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with little patience, and a query that has many matches."""
    folder = tmp_path_factory.mktemp("hasty")
    long_name = {0x00100010: RawElement("PN", b"x" * 60 + b"^" + b"y" * 60)}
    instances = [
        instance(f"1.2.3.99.1.{n}", study="1.2.3.99", pixels=2, changed=long_name)
        for n in range(INSTANCES)
    ]
    hasty = "[limits]\nwrite_timeout = 0.4\nidle_timeout = 4\nartim_timeout = 3\n"
    options = configured(folder, hasty)
    with Node(folder / "data", *options) as running:
        assert set(store_all(running.port, instances)) == {0}
        with ExitStack() as stack:  # SQLite closes a descriptor only when it has locked nothing
            unread_queries(stack, running, 3 * OPEN)
            with Peer.associated(running.port, FIND) as reader:  # once all of them have begun
                reader.find(images_query())
        eventually(lambda: connections(running) == 0)
        yield running


def unread_queries(stack: ExitStack, node: Node, count: int) -> None:
    """So many, on associations from several addresses, whose peers never read."""
    for number in range(0, count, QUERIES):
        source = f"127.0.1.{1 + number // QUERIES % 4}"
        peer = stack.enter_context(Peer(node.port, receive_buffer=4096, source=source))
        peer.associate(FIND, window=(QUERIES, 1))
        for _ in range(QUERIES):
            peer.begin_find(images_query())


def only_the_honest_one_is_left(node: Node) -> bool:
    """It has two connections at one time."""
    return connections(node) <= 2


def test_peers_that_never_read_their_matches_hold_up_nobody(node: Node, honest: Honest):
    with ExitStack() as stack:
        unread_queries(stack, node, 16 * QUERIES)
        honest.answered()
        with Peer.associated(node.port, FIND) as reader:
            assert len(reader.find(images_query())) == INSTANCES + 1
        # Taking nothing for write_timeout, or saying nothing for idle_timeout, each is dropped.
        eventually(lambda: only_the_honest_one_is_left(node))


def test_pipelined_queries_do_not_pile_up(node: Node):
    """More requests at once than are served: they must not each hold a connection."""
    before = open_files(node)
    most = 0
    with Peer.associated(node.port, FIND, receive_buffer=4096) as peer:
        for _ in range(600):
            peer.begin_find(images_query())
            most = max(most, open_files(node))
    assert most < before + 60
    eventually(lambda: only_the_honest_one_is_left(node))


def test_a_flood_of_requests_without_reading_the_answers_is_held_back(tmp_path: Path):
    """The node stops reading from a peer that does not read, instead of keeping its answers."""
    options = configured(tmp_path, "[limits]\nwrite_timeout = 600\n")
    echo = p_data(1, COMMAND | LAST, CEchoRQ(message_id=1, affected_sop_class_uid=ECHO[0]).encode())
    with (
        Node(tmp_path / "data", *options) as node,
        under_attack(node) as honest,
        Peer.associated(node.port, ECHO, receive_buffer=4096) as peer,
    ):
        peer.socket.settimeout(2)
        with pytest.raises(TimeoutError):
            peer.socket.sendall(echo * (64 * MIB // len(echo)))
        honest.answered()


def test_unread_queries_of_many_associations_keep_no_query_out(node: Node, honest: Honest):
    """Each holds a cursor of the database: only so many are open, and the unread ones give way."""
    before = open_files(node)
    with ExitStack() as stack:
        unread_queries(stack, node, 40 * QUERIES)
        with Peer.associated(node.port, FIND) as reader:
            assert len(reader.find(images_query())) == INSTANCES + 1
        honest.answered()
        assert open_files(node) < before + 40 + 3 * OPEN
