"""Plain text and bad TLS on a port that wants good TLS; and handshakes that never end."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest

from isocenter.upperlayer.pdu import Abort, AssociateAC
from tests.security.attacks.guarded import GuardedNode, TLSPeer, guarded_node
from tests.security.attacks.under_attack import Honest, attack
from tests.server.support import ECHO, Peer, associate_rq
from tests.server.support_nodes import connections, eventually, log_lines
from tests.support.tls import Certificates, Pair, s_client
from tests.support.tls_node import PeerFiles

pytestmark = attack(30, "clear text / weak TLS")

HANDSHAKES = 256 + 4
"""What the node keeps of connections without an association, and the honest one's."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedNode]:
    """Each handshake takes 300 kB or so; the allocator keeps what as many took as there may be."""
    with guarded_node(tmp_path_factory.mktemp("guarded")) as running:
        for _ in range(3):
            with ExitStack() as stack:
                half_shaken(stack, running, client_hello())
                eventually(lambda: connections(running) <= HANDSHAKES)
            eventually(lambda: connections(running) == 0)
        yield running


@pytest.fixture(scope="module")
def modality(node: GuardedNode) -> PeerFiles:
    return node.issue("MODALITY")


def is_served(node: GuardedNode, modality: PeerFiles) -> bool:
    with TLSPeer(node.secure, modality.ca, modality) as peer:
        return isinstance(peer.asks("MODALITY"), AssociateAC) and peer.echo() == 0


def is_refused(node: GuardedNode, modality: PeerFiles, files: PeerFiles | None) -> bool:
    """TLS 1.3: the client may think that it is through, and hears of it with its first read."""
    try:
        with TLSPeer(node.secure, modality.ca, files) as peer:
            return peer.asks("MODALITY") is None
    except OSError:  # ssl.SSLError is one
        return True


def client_hello() -> bytes:
    """What a TLS client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def half_shaken(stack: ExitStack, node: GuardedNode, said: bytes) -> None:
    """Four hundred connections that say so much; more than may wait for an association."""
    for number in range(400):
        half = stack.enter_context(Peer(node.secure, source=f"127.0.1.{1 + number % 5}"))
        half.send(said)


def test_a_plain_association_is_told_that_this_port_speaks_tls(node: GuardedNode):
    with Peer(node.secure) as peer:
        peer.send(associate_rq(ECHO, calling="MODALITY").encode())
        assert isinstance(peer.read(), Abort)
    eventually(lambda: log_lines(node, "plain association request to a TLS port"))


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n", b"\0" * 50])
def test_other_protocols_are_closed(node: GuardedNode, sent: bytes):
    with Peer(node.secure) as peer:
        peer.send(sent)
        assert peer.read() is None  # closed, or reset for what was left unread


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_what_rfc_8996_forbids_is_refused(node: GuardedNode, version: str):
    done = s_client(node.secure, version, "-cipher", "ALL:@SECLEVEL=0")
    assert "Cipher is (NONE)" in done.stdout


@pytest.mark.parametrize(
    "suite", ["NULL-SHA256", "AES128-SHA", "ADH-AES128-SHA256", "AES128-GCM-SHA256"]
)
def test_suites_without_secrecy_or_authentication_are_refused(node: GuardedNode, suite: str):
    done = s_client(node.secure, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in done.stdout


def files_of(pair: Pair, ca: object) -> PeerFiles:
    return PeerFiles(pair.certificate, pair.key, ca)  # type: ignore[arg-type]


BAD: dict[str, Callable[[Certificates], Pair]] = {
    "of an unknown CA": lambda others: others.issue("MODALITY"),
    "self-signed": lambda others: others.self_signed("MODALITY"),
    "expired": lambda others: others.issue("MODALITY", ends_in=-1),
}


@pytest.mark.parametrize("what", BAD)
def test_a_certificate_that_proves_nothing_opens_nothing(
    node: GuardedNode, modality: PeerFiles, tmp_path, what: str
):
    files = files_of(BAD[what](Certificates(tmp_path)), modality.ca)
    assert is_refused(node, modality, files)
    eventually(lambda: log_lines(node, "a TLS handshake failed", "certificate was not accepted"))
    assert is_served(node, modality)


def test_no_certificate_opens_nothing(node: GuardedNode, modality: PeerFiles):
    assert is_refused(node, modality, None)


@pytest.mark.parametrize("part", [0, 1, 5, 100, None])
def test_handshakes_that_never_end_keep_nobody_out(
    node: GuardedNode, modality: PeerFiles, honest: Honest, part: int | None
):
    """They say nothing, half a ClientHello, or all of it and no more."""
    with ExitStack() as stack:
        half_shaken(stack, node, client_hello()[:part])
        honest.answered()
        assert is_served(node, modality)
        eventually(lambda: connections(node) <= HANDSHAKES)


def test_a_handshake_that_ends_without_a_request_is_one_connection_more(
    node: GuardedNode, modality: PeerFiles, honest: Honest
):
    """TLS is done and nothing follows: such connections count among the half-open ones."""
    with ExitStack() as stack:
        for number in range(40):
            stack.enter_context(
                TLSPeer(node.secure, modality.ca, modality, source=f"127.0.1.{1 + number % 5}")
            )
        honest.answered()
        assert is_served(node, modality)


def test_a_connection_reset_in_the_handshake_costs_nothing(node: GuardedNode):
    for _ in range(100):
        with Peer(node.secure) as peer:
            peer.send(client_hello())
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
