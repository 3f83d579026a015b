"""Peers that take time or room instead of breaking rules: they wait, trickle, flood, never read."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from isocenter.dimse.messages import CEchoRQ
from isocenter.encoding.elements import RawElement
from isocenter.upperlayer.pdu import AssociateRJ, ReleaseRQ
from tests.server.support import (
    COMMAND,
    ECHO,
    FIND,
    LAST,
    STORE,
    Peer,
    associate_rq,
    echo_seconds,
    p_data,
    pdu,
    pdv,
    store_all,
    store_rq,
)
from tests.server.support_instances import assert_no_trace, assert_stored, instance
from tests.server.support_nodes import (
    configured,
    connections,
    eventually,
    log_lines,
    memory,
    only_complaint,
    open_files,
)
from tests.support.node import Node

MIB = 1 << 20
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


def patient_echo(port: int) -> None:
    """An honest C-ECHO is answered within a second, whatever goes on (one of three may be slow)."""
    assert min(echo_seconds(port) for _ in range(3)) < 1.0


# Peers that wait: the default timeouts, so all of them are still there when the echo comes


def test_a_hundred_half_sent_pdus_keep_nobody_waiting(node: Node):
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
        patient_echo(node.port)
        assert store_all(node.port, [instance("1.2.3.7.1")]) == [0]
        for peer in peers:
            peer.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.socket.recv(1)
    eventually(lambda: node.log().count("without releasing the association") >= 50)


def test_more_half_sent_objects_than_there_is_memory_for_keep_nobody_waiting(node: Node):
    whole = instance("1.2.3.7.2", pixels=2 * 1024 * 1024)
    with ExitStack() as stack:
        for number in range(130):
            peer = stack.enter_context(Peer.associated(node.port, STORE))
            half = instance(f"1.2.3.7.{1000 + number}")
            peer.begin_store(half, context_id=1)
            peer.send(p_data(1, 0, half.data_set[:800]))
        patient_echo(node.port)
        assert store_all(node.port, [whole]) == [0]


def test_two_hundred_silent_connections_keep_nobody_waiting(node: Node):
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Peer(node.port))
        patient_echo(node.port)


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


# Peers that never read

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
def filled(hasty: Node) -> Node:
    long_name = {0x00100010: RawElement("PN", b"x" * 60 + b"^" + b"y" * 60)}
    instances = [
        instance(f"1.2.3.99.1.{n}", study="1.2.3.99", pixels=2, changed=long_name)
        for n in range(INSTANCES)
    ]
    assert set(store_all(hasty.port, instances)) == {0}
    return hasty


def test_a_reader_gets_every_match(filled: Node):
    with Peer.associated(filled.port, FIND) as peer:
        assert len(peer.find(images_query())) == INSTANCES + 1


def test_peers_that_never_read_their_matches_hold_up_nobody(filled: Node):
    with ExitStack() as stack:
        deaf = []
        for number in range(16):
            peer = stack.enter_context(Peer(filled.port, receive_buffer=4096))
            peer.associate(FIND, window=(QUERIES, 1))
            deaf.append(peer)
            for _ in range(1 + number % QUERIES):
                peer.begin_find(images_query())
        patient_echo(filled.port)
        with Peer.associated(filled.port, FIND) as reader:
            assert len(reader.find(images_query())) == INSTANCES + 1
        # Taking nothing for write_timeout, each of them is dropped; nothing of them stays.
        eventually(lambda: connections(filled) == 0)
    patient_echo(filled.port)


def test_pipelined_queries_do_not_pile_up(filled: Node):
    """More requests at once than are served: they must not each hold a connection."""
    before = open_files(filled)
    most = 0
    with Peer.associated(filled.port, FIND, receive_buffer=4096) as peer:
        for _ in range(600):
            peer.begin_find(images_query())
            most = max(most, open_files(filled))
    assert most < before + 60
    eventually(lambda: connections(filled) == 0)


def test_a_flood_of_requests_without_reading_the_answers_is_held_back(tmp_path: Path):
    """The node stops reading from a peer that does not read, instead of keeping its answers."""
    options = configured(tmp_path, "[limits]\nwrite_timeout = 600\n")
    echo = p_data(1, COMMAND | LAST, CEchoRQ(message_id=1, affected_sop_class_uid=ECHO[0]).encode())
    with Node(tmp_path / "data", *options) as node:
        patient_echo(node.port)
        with Peer.associated(node.port, ECHO, receive_buffer=4096) as peer:
            peer.socket.settimeout(2)
            with pytest.raises(TimeoutError):
                peer.socket.sendall(echo * (64 * MIB // len(echo)))
            patient_echo(node.port)


# Repetition


def attacks() -> Iterator[Callable[[Peer], None]]:
    """What the repeated attackers do, in turn."""
    big = instance("1.2.3.7.3", pixels=300_000)

    def half_a_request(peer: Peer) -> None:
        peer.send(ASSOCIATE[:50])

    def noise(peer: Peer) -> None:
        peer.send(b"\x99" * 300)
        peer.aborted()

    def garbage_in_the_association(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.send(p_data(1, COMMAND, b"x"), pdu(0x42))
        peer.aborted()

    def half_an_object(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.command(3, store_rq(big))
        peer.send(p_data(3, 0, big.data_set[:100_000]), p_data(3, 0, big.data_set[100_000:200_000]))

    def half_a_request_to_find(peer: Peer) -> None:
        peer.send(ASSOCIATE)
        peer.read()
        peer.begin_find(b"\x08\x00\x52\x00CS\x00\x10IMAGE", context_id=5)

    yield from itertools.cycle(
        (half_a_request, noise, garbage_in_the_association, half_an_object, half_a_request_to_find)
    )


def test_two_hundred_attacks_leak_neither_memory_nor_files(node: Node):
    attack = attacks()

    def repeat(count: int) -> None:
        for _ in range(count):
            with Peer(node.port) as peer:
                next(attack)(peer)

    honest = instance("1.2.3.7.4")
    store_all(node.port, [honest])
    before = open_files(node)
    repeat(50)  # lets caches, threads and pools grow to their size
    eventually(lambda: open_files(node) <= before + 6)
    files, resident = open_files(node), memory(node)
    repeat(200)
    eventually(lambda: open_files(node) <= files + 3)
    eventually(lambda: memory(node) < resident + 8 * MIB)
    patient_echo(node.port)
    assert_no_trace(node.data, "1.2.3.7.3")


# Too many


def test_one_association_too_many_is_rejected_for_now(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[limits]\nassociations = 3\n"))
    time_limit = time.monotonic() + 20
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(Peer.associated(node.port, ECHO))
        with Peer(node.port) as peer:
            peer.send(ASSOCIATE)
            assert peer.read() == AssociateRJ(2, 3, 2)
            assert "local limit exceeded" in only_complaint(node, peer.name)
    while True:  # the node hears of the closed ones in its own time
        with Peer(node.port) as peer:
            peer.send(ASSOCIATE)
            if not isinstance(peer.read(), AssociateRJ):
                break
        assert time.monotonic() < time_limit


def test_one_address_cannot_take_every_association(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[limits]\nassociations_per_peer = 2\n"))
    with (
        Peer.associated(node.port, ECHO),
        Peer.associated(node.port, ECHO),
        Peer(node.port) as peer,
    ):
        peer.send(ASSOCIATE)
        assert peer.read() == AssociateRJ(2, 3, 2)


def test_what_was_stored_meanwhile_is_there(node: Node):
    """The last test of this module."""
    large = instance("1.2.3.7.2", pixels=2 * 1024 * 1024)
    assert_stored(node.data, [instance("1.2.3.7.1"), large, instance("1.2.3.7.4")])
