"""Connections before they are associations: handshakes, their deadlines, and who else knocks."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from isocenter.server.admission import Admission
from isocenter.server.config import Config
from isocenter.server.reception import Arrival, Reception
from isocenter.services.failures import Failure
from isocenter.upperlayer.pdu import Abort, decode_pdu
from tests.server.support import ECHO, associate_rq
from tests.support.tls import Certificates

WORD = b"welcome"


class Welcome(asyncio.Protocol):
    """What stands in for an association: says a word, and ends."""

    objection = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(WORD)
        transport.close()


class Fixed:
    """One context for good."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def current(self) -> ssl.SSLContext:
        return self.context

    def examine(self, connection: ssl.SSLObject) -> None:
        """Nothing is revoked here."""


class Scene:
    """A reception with a plain and a TLS listener, and the clients of a test."""

    def __init__(self, folder: Path, *, timeout: float = 30.0, room: int = 100) -> None:
        self.certificates = Certificates(folder)
        server = self.certificates.issue("ISOCENTER")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.certificate, server.key)
        context.load_verify_locations(self.certificates.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        self.failed: list[Failure] = []
        self.alerts: list[tuple[str, str]] = []
        config = Config.model_validate(
            {"tls": {"handshake_timeout": timeout}, "limits": {"half_open": room}}
        )
        self.admission: Admission[Arrival] = Admission(
            config.limits, asyncio.get_running_loop().time
        )
        self.reception = Reception(
            config,
            {"tls": Fixed(context)},
            self._protocol,
            self.admission,
            self,
            SimpleNamespace(alert=self._alert),  # type: ignore[arg-type]
        )
        self.crowded: list[tuple[str, bool]] = []
        self._clients = ExitStack()

    def _protocol(self, arrival: Arrival) -> Any:
        self.crowded.append((arrival.listener, arrival.crowded))
        return Welcome()

    def _alert(self, _code: object, what: str, *, host: str) -> None:
        self.alerts.append((what, host))

    def record(self, failure: Failure) -> None:
        self.failed.append(failure)

    def connect(self, listener: str, *, crowded: bool = False) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._clients.enter_context(ours)
        self.reception.take(Arrival(theirs.detach(), listener, "192.0.2.9", crowded=crowded))
        return ours

    async def tls_client(self, pair: Any) -> bytes:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.certificates.ca)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        reader, writer = await asyncio.open_connection(
            sock=self.connect("tls"), ssl=context, server_hostname="localhost"
        )
        try:
            return await reader.read(100)
        finally:
            writer.close()

    async def close(self) -> None:
        await self.reception.close()
        self._clients.close()


def play(scene: Callable[[Scene], Coroutine[Any, Any, None]], folder: Path, **options: Any) -> None:
    async def whole() -> None:
        stage = Scene(folder, **options)
        try:
            await scene(stage)
        finally:
            await stage.close()

    with capture_logs():
        asyncio.run(asyncio.wait_for(whole(), 60))


async def said(client: socket.socket) -> bytes:
    """All that a client hears until the end."""
    loop = asyncio.get_running_loop()
    heard = b""
    try:
        while piece := await loop.sock_recv(client, 4096):
            heard += piece
    except ConnectionResetError:
        pass
    return heard


def test_plain_and_tls_connections_are_served_each_on_its_listener(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(stage.connect("listen", crowded=True), 100) == WORD
        good = stage.certificates.issue("CT1")
        assert await stage.tls_client(good) == WORD
        assert stage.crowded == [("listen", True), ("tls", False)]
        assert not stage.failed

    play(scene, tmp_path)


def test_a_plain_association_on_the_tls_port_is_named_and_answered(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        client = stage.connect("tls")
        client.send(associate_rq(ECHO).encode())
        assert isinstance(decode_pdu(await said(client)), Abort)
        (failure,) = stage.failed
        assert "a plain association request to a TLS port" in failure.diagnosis

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "SSH"),
        (b"\x00\xff\x00\xff", "neither TLS nor DICOM"),
        (b"\x16\x03\x01\x00\x05junk!", "the peer"),
    ],
)
def test_others_on_the_tls_port_are_named(tmp_path: Path, first: bytes, words: str) -> None:
    async def scene(stage: Scene) -> None:
        client = stage.connect("tls")
        client.send(first)
        client.shutdown(socket.SHUT_WR)
        await said(client)
        (failure,) = stage.failed
        assert words in failure.diagnosis
        assert failure.peer == "192.0.2.9"
        ((what, host),) = stage.alerts
        assert (words in what, host) == (True, "192.0.2.9")

    play(scene, tmp_path)


def test_a_client_without_a_good_certificate_gets_no_association(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        stranger = Certificates(tmp_path / "other").issue("CT1")
        expired = stage.certificates.issue("CT1", ends_in=-1)
        for pair, words in (
            (None, "showed no certificate"),
            (stranger, "was not accepted"),
            (expired, "expired"),
        ):
            with suppress(ssl.SSLError, ConnectionError):  # in TLS 1.3 the refusal comes late
                assert await stage.tls_client(pair) == b""
            while not stage.failed:
                await asyncio.sleep(0)
            assert words in stage.failed.pop().diagnosis

    play(scene, tmp_path)


@pytest.mark.parametrize("first", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_stops_has_a_deadline(tmp_path: Path, first: bytes) -> None:
    async def scene(stage: Scene) -> None:
        client = stage.connect("tls")
        client.send(first)
        assert await said(client) == b""
        assert stage.failed[0].diagnosis == "it was not finished in time"

    play(scene, tmp_path, timeout=0.1)


def test_handshakes_that_stop_keep_nobody_out(tmp_path: Path) -> None:
    """With room for sixteen, the oldest of the silent ones makes room for each who comes."""

    async def scene(stage: Scene) -> None:
        silent = [stage.connect("tls") for _ in range(17)]
        assert await said(silent[0]) == b""
        good = stage.certificates.issue("CT1")
        for _ in range(3):
            assert await stage.tls_client(good) == WORD
        assert await said(silent[1]) == b""
        assert stage.admission.waiting <= 16

    play(scene, tmp_path, room=16)


def test_what_has_ended_is_counted_no_more(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        for first in (b"", b"GET / HTTP/1.1", b"\x16\x03\x01\x00\x05junk!"):
            client = stage.connect("tls")
            client.send(first)
            client.shutdown(socket.SHUT_WR)
            assert stage.admission.waiting == 1
            await said(client)
            while stage.admission.waiting:
                await asyncio.sleep(0)

    play(scene, tmp_path)


def test_a_connection_that_cannot_be_served_is_closed(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        def fail(_arrival: Arrival) -> Any:
            raise MemoryError

        stage.reception._make_protocol = fail
        assert await said(stage.connect("listen")) == b""

    play(scene, tmp_path)
