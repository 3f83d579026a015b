"""The blocking driver over TLS: waits end, and what is read in pieces comes whole."""

import socket
import ssl
import threading
from pathlib import Path

import pytest

from isocenter.upperlayer.blocking_wire import TransportSecurity, Wire, open_wire
from tests.support.tls import Certificates
from tests.support.tls_peers import Serve, plain_context, tls_listener, until_closed

SOON = 0.05


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


def listening(certificates: Certificates, serve: Serve):
    return tls_listener(plain_context(certificates.issue("PEER")), serve)


def opened(certificates: Certificates, port: int) -> Wire:
    context = ssl.create_default_context(cafile=str(certificates.ca))
    return open_wire("127.0.0.1", port, 20, TransportSecurity(context))


def read_exactly(wire: Wire, size: int, timeout: float | None = 20) -> bytes:
    buffer, read = memoryview(bytearray(100_000)), bytearray()
    while len(read) < size:
        count = wire.read_into(buffer, timeout)
        assert count
        read += buffer[:count]
    return bytes(read)


def test_a_read_without_waiting_finds_nothing_and_the_connection_stays(
    certificates: Certificates,
):
    speak = threading.Event()

    def serve(connection: socket.socket) -> None:
        assert speak.wait(20)
        connection.sendall(b"at last")
        until_closed(connection)

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        for timeout in (0, -1, SOON):
            with pytest.raises(TimeoutError):
                wire.read_into(memoryview(bytearray(100)), timeout)
        speak.set()
        assert read_exactly(wire, 7) == b"at last"
        wire.close()


def test_what_is_left_of_a_record_is_read_without_waiting(certificates: Certificates):
    payload = bytes(range(256)) * 40  # in one record of 10,240 bytes

    def serve(connection: socket.socket) -> None:
        connection.sendall(payload)
        until_closed(connection)

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        small = memoryview(bytearray(1000))
        read = bytes(small[: wire.read_into(small, 20)])
        while len(read) < len(payload):
            # The rest is not in the socket any more: whoever asks the kernel waits in vain.
            read += small[: wire.read_into(small, 0)]
        assert read == payload
        wire.close()


@pytest.mark.parametrize("size", [1, 16_384, 16_385, 150_000])
def test_bytes_arrive_whole_whatever_the_records_are(certificates: Certificates, size: int):
    pieces = [memoryview(bytes([number % 251]) * (size // 3 + 1)) for number in range(3)]

    def serve(connection: socket.socket) -> None:
        while chunk := connection.recv(65536):
            connection.sendall(chunk)

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        sent = b"".join(pieces)
        echoed: list[bytes] = []
        reader = threading.Thread(target=lambda: echoed.append(read_exactly(wire, len(sent))))
        wire.write(list(pieces), timeout=20)
        reader.start()
        reader.join()
        assert echoed == [sent]
        wire.close()


def test_a_peer_that_takes_nothing_is_given_up_and_the_close_does_not_wait(
    certificates: Certificates,
):
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        assert done.wait(20)

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        with pytest.raises(TimeoutError):
            wire.write([bytes(50_000_000)], timeout=SOON)
        wire.close()  # the peer says no close_notify, as it does not read
        assert wire.closed
        done.set()


def test_a_close_does_not_wait_for_a_peer_that_never_stops_talking(certificates: Certificates):
    def serve(connection: socket.socket) -> None:
        while True:
            connection.sendall(bytes(100_000))

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        read_exactly(wire, 100_000)
        wire.close()


def test_a_connection_that_is_cut_reads_as_its_end(certificates: Certificates):
    def serve(connection: ssl.SSLSocket) -> None:
        connection.shutdown(socket.SHUT_RDWR)

    with listening(certificates, serve) as peer:
        wire = opened(certificates, peer.port)
        assert wire.read_into(memoryview(bytearray(100)), 20) == 0
        wire.close()


def test_a_host_that_cannot_be_named_in_tls_is_said(tmp_path: Path):
    from isocenter.upperlayer.errors import ConnectFailed

    with pytest.raises(ConnectFailed, match="was not found"):
        open_wire("a..b", 104, 1, TransportSecurity(ssl.create_default_context()))
