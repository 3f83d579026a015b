"""The blocking driver against scripted peers on loopback; each script runs in a thread."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.blocking import BlockingAssociation
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationAbortedError,
    AssociationRejectedError,
    AssociationReleasedError,
    ConnectFailed,
    ConnectionLostError,
    ConnectTimeout,
    LocalProtocolError,
    ReleaseTimeout,
    ResponseTimeout,
    WriteTimeout,
)
from isocenter.upperlayer.events import DataReceived, Event
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateRJ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)
from tests.upperlayer.links import REQUEST, RESPONSE

SOON = 0.05  # a timeout that is meant to pass
Script = Callable[[socket.socket], None]


@contextmanager
def peer(script: Script) -> Iterator[int]:
    """A port where `script` handles one connection; its exceptions fail the test."""
    faults: list[BaseException] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(20)
                try:
                    script(connection)
                except BaseException as fault:
                    faults.append(fault)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            thread.join(20)
        assert not thread.is_alive()
    assert faults == []


def read_pdu(connection: socket.socket) -> bytes:
    header = connection.recv(6, socket.MSG_WAITALL)
    return header + connection.recv(int.from_bytes(header[2:6], "big"), socket.MSG_WAITALL)


def accept(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(RESPONSE.encode())


def until_closed(connection: socket.socket) -> bytes:
    received = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            received += piece
    return received


def accept_then(*pdus: object, wait: bool = True) -> Script:
    """Accept, send these PDUs, and wait until the other side closes."""

    def script(connection: socket.socket) -> None:
        accept(connection)
        connection.sendall(b"".join(pdu.encode() for pdu in pdus))  # type: ignore[attr-defined]
        if wait:
            until_closed(connection)

    return script


def answer_with(answer: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(answer)
        until_closed(connection)

    return script


def connect(port: int, **options) -> BlockingAssociation:
    return BlockingAssociation.connect("127.0.0.1", port, REQUEST, **options)


def echoing(connection: socket.socket) -> None:
    """A whole acceptor made of the core: sends every message back, then confirms the release."""
    core = Association(requestor=False, now=0)
    core.connection_made(0)
    buffer = memoryview(bytearray(65536))
    while not core.closing:
        count = connection.recv_into(buffer)
        events = core.receive_data(buffer[:count], 0) if count else core.connection_lost(0)
        for event in events:
            _echo(core, event)
        connection.sendall(b"".join(core.data_to_send()))


def _echo(core: Association, event: Event) -> None:
    name = type(event).__name__
    if name == "AssociationRequested":
        core.accept(RESPONSE, 0)
    elif name == "ReleaseRequested":
        core.confirm_release(0)
    elif isinstance(event, DataReceived):
        core.send_data(
            event.context_id, event.is_command, bytes(event.data), 0, is_last=event.is_last
        )


def receive_message(association: BlockingAssociation) -> bytes:
    received = b""
    while True:
        part = association.receive(20)
        received += part.data
        if part.is_last:
            return received


def test_messages_go_out_and_come_back():
    payload = bytes(range(256)) * 4000
    with peer(echoing) as port, connect(port) as association:
        assert association.peer == f"127.0.0.1:{port}"
        assert association.response.presentation_contexts == RESPONSE.presentation_contexts
        assert sorted(association.accepted_contexts) == [1, 3]
        association.send(1, b"command")
        assert receive_message(association) == b"command"
        association.send(3, b"another command", payload)
        assert receive_message(association) == b"another command"
        assert receive_message(association) == payload


def test_a_message_of_more_buffers_than_one_gather_write_takes_arrives_whole():
    payload = bytes(range(250)) * 4000
    limits = AssociationLimits(sending_length=1050)
    with peer(echoing) as port, connect(port, limits=limits) as association:
        association.send(3, b"command", [payload[:333_333], payload[333_333:]])
        assert receive_message(association) == b"command"
        assert receive_message(association) == payload


def test_nothing_goes_out_on_a_refused_context():
    with (
        peer(accept_then()) as port,
        pytest.raises(LocalProtocolError, match="context 5"),
        connect(port) as association,
    ):
        association.send(5, b"command")


def test_an_exception_aborts_the_association():
    seen = []

    def script(connection: socket.socket) -> None:
        accept(connection)
        seen.append(until_closed(connection))

    with pytest.raises(KeyError), peer(script) as port, connect(port):
        raise KeyError
    assert seen == [Abort(0, 0).encode()]


def test_a_clean_exit_releases_the_association():
    seen = []

    def script(connection: socket.socket) -> None:
        accept(connection)
        seen.append(read_pdu(connection))
        connection.sendall(ReleaseRP().encode())
        seen.append(until_closed(connection))

    with peer(script) as port, connect(port) as association:
        pass
    assert seen == [ReleaseRQ().encode(), b""]
    association.release()
    association.abort()


def test_a_release_collision_ends_well():
    def script(connection: socket.socket) -> None:
        accept(connection)
        assert read_pdu(connection) == ReleaseRQ().encode()
        connection.sendall(ReleaseRQ().encode())
        assert read_pdu(connection) == ReleaseRP().encode()
        connection.sendall(ReleaseRP().encode())
        until_closed(connection)

    with peer(script) as port:
        connect(port).release()


def test_a_release_that_the_peer_asked_for_first_is_confirmed():
    def script(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(RESPONSE.encode() + ReleaseRQ().encode())
        assert read_pdu(connection) == ReleaseRP().encode()

    with peer(script) as port:
        connect(port).release()


def test_a_peer_that_closes_instead_of_confirming_has_released():
    def script(connection: socket.socket) -> None:
        accept(connection)
        read_pdu(connection)

    with peer(script) as port:
        connect(port).release()


def test_a_release_without_answer_times_out():
    with peer(accept_then()) as port:
        association = connect(port, timeouts=Timeouts(release=SOON))
        with pytest.raises(ReleaseTimeout, match="did not answer the release"):
            association.release()


def test_an_abort_instead_of_a_release_answer_is_reported():
    def script(connection: socket.socket) -> None:
        accept(connection)
        read_pdu(connection)
        connection.sendall(Abort(2, 2).encode())
        until_closed(connection)

    with peer(script) as port:
        association = connect(port)
        with pytest.raises(AssociationAbortedError, match="while releasing"):
            association.release()


def test_a_rejection_says_what_to_do():
    with (
        peer(answer_with(AssociateRJ(1, 1, 7).encode())) as port,
        pytest.raises(AssociationRejectedError, match="check the called AE title") as caught,
    ):
        connect(port)
    assert (caught.value.result, caught.value.source, caught.value.reason) == (1, 1, 7)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Abort(2, 1).encode(), "unrecognized PDU"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "connect with TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "web server"),
        (ReleaseRP().encode(), "RELEASE_RP arrived in Sta5"),
    ],
    ids=["abort", "tls", "http", "unexpected"],
)
def test_a_wrong_answer_to_the_request_is_explained(answer: bytes, words: str):
    with peer(answer_with(answer)) as port, pytest.raises(AssociationAbortedError, match=words):
        connect(port)


def test_a_peer_that_closes_instead_of_answering_is_reported():
    with (
        peer(lambda connection: None) as port,
        pytest.raises(ConnectionLostError, match="may expect TLS"),
    ):
        connect(port)


def test_a_peer_that_does_not_answer_the_request_times_out():
    with (
        peer(lambda connection: until_closed(connection) and None) as port,
        pytest.raises(AssociateTimeout, match="did not answer the association request"),
    ):
        connect(port, timeouts=Timeouts(association=SOON))


def test_a_port_where_nobody_listens_is_named(free_port: int):
    with pytest.raises(ConnectFailed, match=f"127.0.0.1:{free_port} refused the connection"):
        connect(free_port)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300])
def test_a_host_that_does_not_exist_is_named(host: str):
    with pytest.raises(ConnectFailed, match="was not found"):
        BlockingAssociation.connect(host, 104, REQUEST)


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999])
def test_a_port_that_cannot_be_is_named(port: int):
    with pytest.raises(ConnectFailed, match="a port is 1 to 65535"):
        connect(port)


def test_a_connection_that_is_not_taken_times_out():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        with socket.socket() as first, socket.socket() as second:
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(address)
            with pytest.raises(ConnectTimeout, match="check host, port and firewalls"):
                connect(address[1], connect_timeout=SOON)


def test_a_peer_that_sends_nothing_times_out_and_stays_usable():
    with peer(echoing) as port, connect(port) as association:
        with pytest.raises(ResponseTimeout, match=r"sent no message for 0\.05 s"):
            association.receive(SOON)
        association.send(1, b"command")
        assert receive_message(association) == b"command"


def test_a_peer_that_aborts_while_we_wait_is_reported():
    with (
        peer(accept_then(Abort(0, 0))) as port,
        pytest.raises(AssociationAbortedError, match="while waiting for a message"),
        connect(port) as association,
    ):
        association.receive(20)


def test_a_peer_that_releases_while_we_wait_is_reported_and_confirmed():
    seen = []

    def script(connection: socket.socket) -> None:
        accept(connection)
        connection.sendall(ReleaseRQ().encode())
        seen.append(until_closed(connection))

    with peer(script) as port:
        association = connect(port)
        with pytest.raises(AssociationReleasedError):
            association.receive(20)
    assert seen == [ReleaseRP().encode()]


def test_a_connection_that_breaks_while_we_wait_is_reported():
    with (
        peer(accept_then(wait=False)) as port,
        pytest.raises(ConnectionLostError, match="closed the connection while waiting"),
        connect(port) as association,
    ):
        association.receive(20)


def test_a_violation_while_we_wait_is_answered_and_reported():
    seen = []

    def script(connection: socket.socket) -> None:
        accept(connection)
        stray = PDataTF((PresentationDataValue(9, True, True, b"x"),))
        connection.sendall(stray.encode())
        seen.append(until_closed(connection))

    with peer(script) as port:
        association = connect(port)
        with pytest.raises(AssociationAbortedError, match="context 9, which was not accepted"):
            association.receive(20)
    assert seen == [Abort(2, 6).encode()]


def test_an_idle_association_is_released():
    def script(connection: socket.socket) -> None:
        accept(connection)
        assert read_pdu(connection) == ReleaseRQ().encode()
        connection.sendall(ReleaseRP().encode())
        until_closed(connection)

    with peer(script) as port:
        association = connect(port, timeouts=Timeouts(idle=SOON))
        with pytest.raises(AssociationReleasedError, match=r"after being idle for 0\.05 s"):
            association.receive(None)


def test_an_abort_that_stops_our_sending_is_found_behind_the_failed_write():
    def script(connection: socket.socket) -> None:
        accept(connection)
        connection.recv(100)
        connection.sendall(Abort(2, 6).encode())
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    with peer(script) as port:
        association = connect(port)
        with pytest.raises((AssociationAbortedError, ConnectionLostError), match="while sending"):
            association.send(3, b"command", bytes(100_000_000))
        association.abort()


def test_a_peer_that_takes_no_bytes_times_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("isocenter.upperlayer.blocking._WRITE_TIMEOUT", SOON)
    stop = threading.Event()

    def script(connection: socket.socket) -> None:
        accept(connection)
        stop.wait(20)

    with peer(script) as port:
        association = connect(port)
        with pytest.raises(WriteTimeout, match=r"took none of our bytes for 0\.05 s while sending"):
            association.send(3, b"command", bytes(50_000_000))
        association.abort()
        stop.set()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    folder = tmp_path_factory.mktemp("tls")
    crt, key = folder / "node.crt", folder / "node.key"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        f"-keyout {key} -out {crt} -subj /CN=node -addext subjectAltName=IP:127.0.0.1"
    )
    try:
        subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("openssl is not installed (Debian package openssl)")
    return crt, key


def over_tls(script: Script, certificate: tuple[Path, Path]) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def wrapped(connection: socket.socket) -> None:
        try:
            tls = context.wrap_socket(connection, server_side=True)
        except ssl.SSLError:
            return  # the client did not like us, which is what those tests are about
        with tls, suppress(ssl.SSLError):
            script(tls)

    return wrapped


def test_messages_travel_over_tls(certificate: tuple[Path, Path]):
    context = ssl.create_default_context(cafile=certificate[0])
    payload = bytes(range(256)) * 4000
    with (
        peer(over_tls(echoing, certificate)) as port,
        connect(port, ssl_context=context) as association,
    ):
        association.send(3, b"command", payload)
        assert receive_message(association) == b"command"
        assert receive_message(association) == payload


def test_a_certificate_that_is_not_trusted_is_named(certificate: tuple[Path, Path]):
    with (
        peer(over_tls(echoing, certificate)) as port,
        pytest.raises(ConnectFailed, match="is self-signed and not known here"),
    ):
        connect(port, ssl_context=ssl.create_default_context())


def test_tls_to_a_plain_port_is_recognized(certificate: tuple[Path, Path]):
    def plain(connection: socket.socket) -> None:
        core = Association(requestor=False, now=0)
        core.connection_made(0)
        core.receive_data(memoryview(connection.recv(4096)), 0)
        connection.sendall(b"".join(core.data_to_send()))
        until_closed(connection)

    with (
        peer(plain) as port,
        pytest.raises(ConnectFailed, match="does not speak TLS on this port"),
    ):
        connect(port, ssl_context=ssl.create_default_context(cafile=certificate[0]))


def test_a_plain_request_to_a_tls_port_is_recognized(certificate: tuple[Path, Path]):
    with (
        peer(over_tls(echoing, certificate)) as port,
        pytest.raises((AssociationAbortedError, ConnectionLostError), match=r"expect.* TLS"),
    ):
        connect(port)
