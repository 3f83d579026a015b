"""Calling over TLS: who is trusted at the other end, and what is said where nobody is.

Both drivers, the blocking one and asyncio's, must come to the same verdict with the same sentence.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from isocenter.dictionary.transfer_syntaxes import IMPLICIT_VR_LITTLE_ENDIAN
from isocenter.security.tls import ClientTLS, Expected
from isocenter.security.tls_files import TLSFiles
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.aio_requestor import RequestorProtocol, RequestorTLS, connect
from isocenter.upperlayer.blocking import BlockingAssociation
from isocenter.upperlayer.contexts import ProposedContext
from isocenter.upperlayer.errors import (
    ConnectFailed,
    ConnectionLostError,
    ConnectTimeout,
    UpperLayerError,
)
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateRQ
from tests.support.tls import Certificates, Pair
from tests.support.tls_peers import Serve, plain_context, tls_listener

REQUEST = AssociateRQ(
    called_ae_title="PACS",
    calling_ae_title="ISOCENTER",
    presentation_contexts=(
        ProposedContext(1, "1.2.840.10008.1.1", (IMPLICIT_VR_LITTLE_ENDIAN.uid,)),
    ),
)
REACHED = "reached"

Call = Callable[..., str]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


class _User:
    """An association's user that only waits for the end."""

    answering = False

    def __init__(self, connection: AssociationProtocol, over: asyncio.Event) -> None:
        self._over = over

    def handle(self, event: object) -> None: ...

    def writable(self) -> None: ...

    def closed(self) -> None:
        self._over.set()


async def _call_by_asyncio(port: int, context: ssl.SSLContext, examine, timeout: float) -> str:
    over = asyncio.Event()
    protocol = await connect(
        "127.0.0.1",
        port,
        lambda: RequestorProtocol(
            lambda connection: _User(connection, over),
            memoryview(bytearray(65536)),
            REQUEST,
            limits=AssociationLimits(),
            timeouts=Timeouts(),
            tls=RequestorTLS(context, examine),
        ),
        timeout=timeout,
    )
    await asyncio.wait_for(over.wait(), 20)
    return protocol.transport_trouble or REACHED


def by_asyncio(port: int, context: ssl.SSLContext, examine, timeout: float = 20) -> str:
    """What comes of an association that is asked for on the event loop."""
    try:
        return asyncio.run(_call_by_asyncio(port, context, examine, timeout))
    except UpperLayerError as error:
        return str(error)


def by_blocking(port: int, context: ssl.SSLContext, examine, timeout: float = 20) -> str:
    """The same with the blocking driver; a peer that reads the request and hangs up was reached."""
    try:
        BlockingAssociation.connect(
            "127.0.0.1",
            port,
            REQUEST,
            ssl_context=context,
            examine=examine,
            connect_timeout=timeout,
        )
    except (ConnectFailed, ConnectTimeout) as error:
        return str(error)
    except ConnectionLostError as error:
        return REACHED if "closed the connection while waiting" in str(error) else str(error)
    raise AssertionError("nobody answers in these tests")


@pytest.fixture(params=[by_blocking, by_asyncio], ids=["blocking", "asyncio"])
def call(request: pytest.FixtureRequest) -> Call:
    return request.param


def take_request(connection: socket.socket) -> None:
    """Read an association request, if one comes, and hang up."""
    if header := connection.recv(6):
        assert header[:1] == b"\x01"
        connection.recv(65536)


def calling(
    call: Call,
    port: int,
    files: TLSFiles,
    *bindings: str,
    ae_title: str = "PACS",
    host: str = "127.0.0.1",
    verify: bool = True,
    timeout: float = 20,
) -> str:
    tls = ClientTLS(files, verify=verify)
    examine = partial(tls.examine, expected=Expected(host, ae_title, bindings))
    return call(port, tls.current(), examine, timeout)


def trusting(certificates: Certificates, own: Pair | None = None, **more: object) -> TLSFiles:
    pair = (own.certificate, own.key) if own else (None, None)
    return TLSFiles(*pair, trusted=(certificates.ca,), **more)  # type: ignore[arg-type]


def serving(pair: Pair, serve: Serve = take_request):
    return tls_listener(plain_context(pair), serve)


def test_a_peer_whose_certificate_names_the_host_is_trusted(call: Call, certificates: Certificates):
    with serving(certificates.issue("ANYTHING")) as peer:
        assert calling(call, peer.port, trusting(certificates)) == REACHED
        assert peer.versions == ["TLSv1.3"]


def test_a_peer_whose_certificate_names_the_ae_title_is_trusted(
    call: Call, certificates: Certificates
):
    with serving(certificates.issue("PACS", names=())) as peer:
        assert calling(call, peer.port, trusting(certificates)) == REACHED


def test_a_certificate_for_another_name_is_refused_before_anything_is_said(
    call: Call, certificates: Certificates
):
    said: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        said.append(connection.recv(65536))

    with serving(certificates.issue("OTHER", names=("other.example",)), listen) as peer:
        words = calling(call, peer.port, trusting(certificates))
        assert "its certificate is for OTHER, other.example" in words
        assert "neither the host 127.0.0.1 nor the AE title PACS" in words
        # ANY-SCP names nobody: only the host counts, and not an empty common name either.
        assert "not the host 127.0.0.1" in calling(
            call, peer.port, trusting(certificates), ae_title=""
        )
    assert [one for one in said if one] == []


def test_a_pin_trusts_one_certificate_and_no_other_of_the_same_ca(
    call: Call, certificates: Certificates
):
    one, other = certificates.issue("PACS"), certificates.issue("PACS")
    pin = f"sha256:{one.sha256}"
    with serving(one) as peer:
        assert calling(call, peer.port, trusting(certificates), pin) == REACHED
    with serving(other) as peer:
        words = calling(call, peer.port, trusting(certificates), pin)
    assert f"SHA-256 {other.sha256}, which is none of {pin}" in words


def test_a_binding_replaces_the_name_of_the_host(call: Call, certificates: Certificates):
    with serving(certificates.issue("SOMETHING")) as peer:
        assert calling(call, peer.port, trusting(certificates), "CN:SOMETHING") == REACHED
        assert "none of CN:PACS" in calling(call, peer.port, trusting(certificates), "CN:PACS")
        assert calling(call, peer.port, trusting(certificates), "*") == REACHED


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "has expired: it must be renewed at the peer"),
        ("not yet valid", "is not valid yet: check the clocks"),
        ("unknown CA", "comes from a CA that is not trusted here"),
        ("self-signed", "is self-signed and not known here"),
        ("client", r"may not be used by a server"),
        ("revoked", "the peer's certificate was revoked by its issuer"),
    ],
)
def test_a_bad_certificate_is_refused_and_the_reason_named(
    call: Call, certificates: Certificates, tmp_path: Path, kind: str, words: str
):
    from cryptography.x509.oid import ExtendedKeyUsageOID

    bad = {
        "expired": lambda: certificates.issue("PACS", ends_in=-1),
        "not yet valid": lambda: certificates.issue("PACS", starts_in=1),
        "unknown CA": lambda: Certificates(tmp_path).issue("PACS"),
        "self-signed": lambda: certificates.self_signed("PACS"),
        "client": lambda: certificates.issue("PACS", usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
        "revoked": lambda: certificates.issue("PACS"),
    }[kind]()
    revoked = (certificates.revoke(bad),) if kind == "revoked" else ()
    with serving(bad) as peer:
        said = calling(call, peer.port, trusting(certificates, revoked=revoked))
        assert words in said
        # Even whoever is not bound to anything must be of a trusted CA.
        assert words in calling(call, peer.port, trusting(certificates, revoked=revoked), "*")


def test_a_self_signed_certificate_can_be_trusted_for_its_owner(
    call: Call, certificates: Certificates
):
    alone = certificates.self_signed("PACS")
    with serving(alone) as peer:
        files = TLSFiles(trusted=(alone.certificate,))
        assert calling(call, peer.port, files) == REACHED


def test_a_chain_with_a_ca_between_is_followed(
    call: Call, certificates: Certificates, tmp_path: Path
):
    below = Certificates(tmp_path, "A CA below", parent=certificates)
    leaf = below.issue("PACS")
    with serving(leaf) as peer:
        assert calling(call, peer.port, trusting(certificates)) == REACHED
        # An administrator may trust the CA between alone.
        assert calling(call, peer.port, TLSFiles(trusted=(below.ca,))) == REACHED
        # Where its root revokes the CA between, nothing of that CA is good.
        revoked = certificates.revoke(Pair(below.ca, below.ca))
        words = calling(call, peer.port, trusting(certificates, revoked=(revoked,)))
    assert "the peer's certificate's CA was revoked" in words


def test_unverified_means_unverified(call: Call, certificates: Certificates, tmp_path: Path):
    with serving(Certificates(tmp_path).issue("OTHER", ends_in=-1)) as peer:
        assert calling(call, peer.port, TLSFiles(), verify=False) == REACHED


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("none", "demands a certificate of ours"),
        ("unknown CA", "does not trust the CA of our certificate"),
        ("expired", "our certificate has expired"),
    ],
)
def test_a_peer_that_refuses_our_certificate_is_understood(
    call: Call,
    certificates: Certificates,
    tmp_path: Path,
    newest: ssl.TLSVersion,
    shown: str,
    words: str,
):
    ours = {
        "none": lambda: None,
        "unknown CA": lambda: Certificates(tmp_path).issue("ISOCENTER"),
        "expired": lambda: certificates.issue("ISOCENTER", ends_in=-1),
    }[shown]()
    context = plain_context(certificates.issue("PACS"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    context.maximum_version = newest
    with tls_listener(context, take_request) as peer:
        said = calling(call, peer.port, trusting(certificates, ours))
    assert len(peer.failures) == 1
    # The reset that may follow the alert can overtake it; then only its part in the story is told.
    assert words in said or "refuse our certificate" in said or "certificate, which" in said


def test_our_certificate_is_shown_where_it_is_asked_for(call: Call, certificates: Certificates):
    context = plain_context(certificates.issue("PACS"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(certificates.ca)
    names: list[object] = []

    def look(connection: ssl.SSLSocket) -> None:
        names.append(connection.getpeercert()["subject"])  # type: ignore[index]
        take_request(connection)

    with tls_listener(context, look) as peer:
        ours = certificates.issue("ISOCENTER")
        assert calling(call, peer.port, trusting(certificates, ours)) == REACHED
    assert names == [((("commonName", "ISOCENTER"),),)]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_a_peer_that_speaks_old_versions_only_is_named(call: Call, certificates: Certificates):
    context = plain_context(certificates.issue("PACS"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tls_listener(context, take_request) as peer:
        assert "it needs TLS 1.2 or 1.3" in calling(call, peer.port, trusting(certificates))


def test_a_peer_without_a_suite_of_ours_is_named(call: Call, certificates: Certificates):
    context = plain_context(certificates.issue("PACS"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
    with tls_listener(context, take_request) as peer:
        assert "shares no cipher suite" in calling(call, peer.port, trusting(certificates))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"\x07\x00\x00\x00\x00\x04\x00\x00\x02\x01", "does not speak TLS on this port"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS on this port"),
        (b"", "closed the connection during the TLS handshake"),
    ],
    ids=["DICOM", "HTTP", "silence"],
)
def test_a_port_without_tls_is_named(
    call: Call, certificates: Certificates, answer: bytes, words: str
):
    import threading

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        assert words in calling(call, port, trusting(certificates))
        thread.join()


def test_a_peer_that_never_answers_the_handshake_is_given_up(
    call: Call, certificates: Certificates
):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = calling(call, port, trusting(certificates), timeout=0.2)
    assert "0.2 s" in words
    assert "TLS" in words
