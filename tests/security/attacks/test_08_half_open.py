"""Peers that say half of something and then wait, or trickle: nobody else waits for them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isocenter.upperlayer.pdu import ReleaseRQ
from tests.security.attacks.pdus import half_sent_objects
from tests.security.attacks.under_attack import Honest, attack, under_attack
from tests.server.support import (
    COMMAND,
    ECHO,
    FIND,
    STORE,
    Peer,
    associate_rq,
    p_data,
    pdu,
    pdv,
)
from tests.server.support_instances import assert_no_trace, instance
from tests.server.support_nodes import (
    configured,
    connections,
    eventually,
    log_lines,
    only_complaint,
    wait_until_all_serve,
)
from tests.support.node import Node

pytestmark = attack(8, "slowloris / half-open")

ASSOCIATE = associate_rq(ECHO, STORE, FIND).encode()
HALF_SENT = (
    ASSOCIATE[:3],
    ASSOCIATE[:6],
    ASSOCIATE[:80],
    ASSOCIATE[:-1],
    pdu(1, ASSOCIATE[6:], length=1 << 20),
    b"",
)
HALF_SENT_DATA = (
    b"\x04",
    pdu(4, length=100),
    pdu(4, pdv(1, COMMAND, length=90), length=100),
    pdu(4, pdv(1, COMMAND, b"data", length=90), length=100),
    p_data(1, COMMAND, b"data") + b"\x04\x00\x00",
)

# Peers that wait: the default timeouts, so all of them are still there when the echo comes


def test_a_hundred_half_sent_pdus_keep_nobody_waiting(node: Node, ledger, honest: Honest):
    with ExitStack() as stack:
        peers = []
        for number in range(100):
            if number % 2:
                peer = stack.enter_context(Peer(node.port))
                peer.send(HALF_SENT[number % len(HALF_SENT)])
            else:
                peer = stack.enter_context(Peer.associated(node.port, ECHO, STORE, FIND))
                peer.send(HALF_SENT_DATA[number % len(HALF_SENT_DATA)])
            peers.append(peer)
        honest.answered()
        with Peer.associated(node.port, STORE) as sender:
            ledger.keep(sender, ledger.new())
        for peer in peers:
            peer.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.socket.recv(1)
    eventually(lambda: node.log().count("without releasing the association") >= 50)


def test_more_half_sent_objects_than_there_is_memory_for_keep_nobody_waiting(
    node: Node, ledger, honest: Honest
):
    with ExitStack() as stack:
        half_sent_objects(stack, node, 130)
        honest.answered()
        with Peer.associated(node.port, STORE) as sender:
            ledger.keep(sender, ledger.new(pixels=2 * 1024 * 1024))


def half_open(stack: ExitStack, node: Node, addresses: int) -> list[Peer]:
    """Four hundred connections that ask for no association; more than may wait for one."""
    peers = []
    for number in range(400):
        source = f"127.0.1.{1 + number % addresses}"
        peer = stack.enter_context(Peer(node.port, source=source))
        peer.send(HALF_SENT[number % len(HALF_SENT)])
        peers.append(peer)
    return peers


@pytest.mark.parametrize("addresses", [1, 3, 200])
def test_connections_that_ask_for_nothing_keep_nobody_out(
    node: Node, ledger, honest: Honest, addresses: int
):
    with ExitStack() as stack:
        half_open(stack, node, addresses)
        honest.answered()
        with Peer.associated(node.port, STORE) as sender:
            ledger.keep(sender, ledger.new())
        eventually(lambda: connections(node) <= 256 + 2)  # limits.half_open, and the honest one's


def test_of_one_address_with_many_half_open_connections_the_oldest_go(node: Node, honest: Honest):
    """Somebody else who has been waiting for longer stays."""
    with ExitStack() as stack:
        slow = stack.enter_context(Peer(node.port, source="127.0.1.9"))
        slow.send(ASSOCIATE[:50])
        peers = half_open(stack, node, 1)
        assert peers[0].read() is None
        honest.answered()
        slow.send(ASSOCIATE[50:])
        assert slow.read() is not None
        assert slow.echo() == 0


def test_half_open_connections_fill_no_worker(tmp_path: Path):
    toml = "[workers]\ncount = 2\n[limits]\nhalf_open = 40\nassociations = 20\n"
    with Node(tmp_path / "data", *configured(tmp_path, toml)) as node:
        wait_until_all_serve(node, 2)
        eventually(lambda: connections(node) == 0)
        with under_attack(node) as honest, ExitStack() as stack:
            half_open(stack, node, 3)
            honest.answered()
            # On their way between the processes some more are open for a moment.
            eventually(lambda: connections(node) <= 40 + 2)


# Peers that wait too long


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with little patience."""
    folder = tmp_path_factory.mktemp("hasty")
    options = configured(
        folder,
        "[limits]\nartim_timeout = 0.4\npdu_timeout = 0.4\nwrite_timeout = 0.4\nidle_timeout = 1\n",
    )
    with Node(folder / "data", *options) as running:
        yield running


@pytest.mark.parametrize("sent", HALF_SENT)
def test_artim_closes_a_connection_without_a_request(hasty: Node, sent: bytes):
    """AA-2: closed, without an A-ABORT; and the log says so."""
    with Peer(hasty.port) as peer:
        peer.send(sent)
        assert peer.read() is None
        eventually(lambda: log_lines(hasty, f"peer={peer.name}"))


def trickle(peer: Peer, data: bytes) -> None:
    """Sends a byte at a time until the node has had enough."""
    peer.socket.settimeout(0.02)
    for number in range(len(data)):
        peer.send(data[number : number + 1])
        try:
            if peer.socket.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
        except ConnectionResetError:
            break
    else:
        raise AssertionError("the node took it all")
    peer.socket.settimeout(20)


def test_artim_closes_a_request_that_trickles_in(hasty: Node):
    with Peer(hasty.port) as peer:
        trickle(peer, pdu(1, ASSOCIATE[6:] + bytes(3000)))
        assert peer.read() is None


@pytest.mark.parametrize("sent", HALF_SENT_DATA)
def test_a_pdu_that_does_not_end_is_aborted(hasty: Node, sent: bytes):
    with Peer.associated(hasty.port, ECHO) as peer:
        peer.send(sent)
        assert peer.aborted() == (2, 0)
        assert "did not end within 0.4 s" in only_complaint(hasty, peer.name)


def test_a_pdu_that_trickles_in_is_aborted(hasty: Node):
    """The deadline is of the whole PDU: a byte now and then does not move it."""
    with Peer.associated(hasty.port, ECHO) as peer:
        trickle(peer, p_data(1, COMMAND, bytes(3000)))
        assert peer.aborted() == (2, 0)


def test_an_object_that_stops_half_way_is_aborted_and_leaves_nothing(hasty: Node):
    torn = instance("1.2.3.7.2", pixels=600_000)
    with Peer.associated(hasty.port, STORE) as peer:
        peer.begin_store(torn)
        torn_pdv = pdv(1, 0, torn.data_set[:100_000], length=110_000)
        peer.send(pdu(4, torn_pdv, length=110_004))
        assert peer.aborted() == (2, 0)
    eventually(lambda: log_lines(hasty, "before its answer", peer.name))
    assert_no_trace(hasty.data, torn.uid)


def test_an_idle_association_is_aborted(hasty: Node):
    with Peer.associated(hasty.port, ECHO) as peer:
        assert peer.aborted() == (0, 0)
        assert "nothing came in time" in only_complaint(hasty, peer.name)


def test_a_peer_that_does_not_close_after_an_abort_is_closed(hasty: Node):
    """Sta13, then ARTIM."""
    with Peer.associated(hasty.port, ECHO) as peer:
        peer.send(pdu(0x42))
        assert peer.read() is not None
        peer.send(b"and on it goes")
        assert peer.read() is None


def test_a_peer_that_does_not_close_after_its_release_is_closed(hasty: Node):
    with Peer.associated(hasty.port, ECHO) as peer:
        peer.send(ReleaseRQ().encode())
        assert peer.read() is not None
        assert peer.read() is None
