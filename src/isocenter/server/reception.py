"""Connections on their way to becoming associations: plain ones at once, TLS ones by a handshake.

A handshake has a deadline, and so has the first byte before it. A connection counts as waiting
(`admission`) from here until it has its association, so that those who never speak keep nobody out.
"""

from __future__ import annotations

import asyncio
import gc
import select
import socket
import ssl
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from typing import Protocol

import structlog

from isocenter.security.audit import codes
from isocenter.security.handshakes import (
    HANDSHAKE,
    describe_failed_handshake,
    describe_no_handshake,
)
from isocenter.server.admission import Admission
from isocenter.server.audit import AuditDesk
from isocenter.server.config import Config
from isocenter.services.failures import Failure, FailureLog
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.pdu import Abort, PDUType
from isocenter.upperlayer.reasons import AbortReason, AbortSource

SHUTDOWN_SECONDS = 5.0
"""The wait for the peer's close_notify, after which the connection is just closed."""

_NOT_HERE = Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNRECOGNIZED_PDU).encode()

CLEARED_AFTER = 64
"""TLS connections that have ended, after which their memory is given back: asyncio leaves 256 KiB
of each to the garbage collector, which counts objects and not their sizes."""

_PEEKED = 8
_RECORD_HEADER = 5  # RFC 8446 5.1: type, version, length
_LONGEST_RECORD = 1 << 14
_UNREAD = 65536

log = structlog.get_logger(__name__)


class TLSContexts(Protocol):
    """The TLS of a listener; it may change while the node runs."""

    def current(self) -> ssl.SSLContext:
        """For the next handshake."""

    def examine(self, connection: ssl.SSLObject) -> None:
        """After it: raises IsocenterError for a peer whose certificate was revoked."""


class Arrival(socket.socket):
    """A connection from its being accepted to its end, which its transport's close is."""

    def __init__(self, descriptor: int, listener: str, host: str, *, crowded: bool) -> None:
        super().__init__(fileno=descriptor)
        self.setblocking(False)
        self.listener = listener
        self.host = host
        self.crowded = crowded
        self.on_accepted: list[Callable[[], None]] = []
        self.on_closed: list[Callable[[], None]] = []

    def accepted(self) -> None:
        """It has got its association."""
        for call in self.on_accepted:
            call()

    def close(self) -> None:
        super().close()
        calls, self.on_closed = self.on_closed, []
        for call in calls:
            call()

    def hang_up(self) -> None:
        """End it, however far it has come: whoever serves it sees the peer leave."""
        with suppress(OSError):  # it has ended by itself
            self.shutdown(socket.SHUT_RDWR)


def _has_left(connection: socket.socket) -> bool:
    """Whether the peer will say no more."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


class Reception:
    """Takes in the connections of one process. For the loop's thread."""

    def __init__(
        self,
        config: Config,
        contexts: Mapping[str, TLSContexts],
        make_protocol: Callable[[Arrival], AssociationProtocol],
        admission: Admission[Arrival],
        failures: FailureLog,
        audit: AuditDesk,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._contexts = contexts
        self._make_protocol = make_protocol
        self._admission = admission
        self._failures = failures
        self._audit = audit
        self._timeout = config.tls.handshake_timeout
        self._starting: set[asyncio.Task[None]] = set()
        self._ended = 0
        self.failed = 0
        """Handshakes that failed since the start."""

    def take(self, arrival: Arrival) -> None:
        """Serve a connection."""
        arrival.on_accepted.append(partial(self._admission.associated, arrival))
        arrival.on_closed.append(partial(self._admission.closed, arrival))
        if (expelled := self._admission.connected(arrival, arrival.host)) is not None:
            expelled.hang_up()
        contexts = self._contexts.get(arrival.listener)
        if contexts is None:
            self._begin(arrival, self._serve(arrival))
        else:
            arrival.on_closed.append(self._clear)
            self._begin(arrival, self._serve_tls(arrival, contexts))

    async def close(self) -> None:
        """Give up what has not become an association yet."""
        tasks = list(self._starting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, arrival: Arrival, work: Coroutine[None, None, None]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._starting.discard(task)
            if task.cancelled():  # perhaps before it had begun
                arrival.close()

        task = self._loop.create_task(work)
        self._starting.add(task)
        task.add_done_callback(ended)

    async def _serve(self, arrival: Arrival) -> None:
        try:
            await self._loop.connect_accepted_socket(partial(self._make_protocol, arrival), arrival)
        except Exception:
            log.exception("a connection could not be served", host=arrival.host)
            arrival.close()

    async def _serve_tls(self, arrival: Arrival, contexts: TLSContexts) -> None:
        host = arrival.host
        try:
            async with asyncio.timeout(self._timeout):
                first = await self._first_bytes(arrival)
                if not first:
                    log.debug("a connection ended before its TLS handshake", host=host)
                    arrival.close()
                    return
                if (who := describe_no_handshake(first)) is not None:
                    self._refuse_plain(arrival, first, who)
                    return
                protocol = self._make_protocol(arrival)
                protocol.examine = contexts.examine
                await self._loop.connect_accepted_socket(
                    lambda: protocol,
                    arrival,
                    ssl=contexts.current(),
                    ssl_handshake_timeout=self._timeout,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
                if protocol.objection:
                    self._failed(host, protocol.objection)
        except TimeoutError:
            self._failed(host, "it was not finished in time")
            arrival.close()
        except OSError as error:  # ssl.SSLError is one
            self._failed(host, describe_failed_handshake(error))
            arrival.close()
        except Exception:
            log.exception("a connection could not be served", host=host)
            arrival.close()

    def _clear(self) -> None:
        self._ended += 1
        if self._ended % CLEARED_AFTER == 0:
            self._loop.call_soon(gc.collect)

    async def _first_bytes(self, connection: socket.socket) -> bytes:
        """What the peer says first, left unread; nothing if it closes before that.

        Of a handshake it is there to its first record's end: half a ClientHello costs no TLS.
        """
        await self._readable(connection)
        first = connection.recv(_PEEKED, socket.MSG_PEEK)
        if first and first[0] == HANDSHAKE:
            await self._readable(connection, _RECORD_HEADER)
            first = connection.recv(_PEEKED, socket.MSG_PEEK)
            length = int.from_bytes(first[3:_RECORD_HEADER], "big")
            needed = _RECORD_HEADER + min(length, _LONGEST_RECORD)
            await self._readable(connection, needed)
            if len(connection.recv(needed, socket.MSG_PEEK)) < needed and _has_left(connection):
                return b""
        return first

    async def _readable(self, connection: socket.socket, count: int = 1) -> None:
        """Wait for so many bytes, or the peer's end."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
        readable: asyncio.Future[None] = self._loop.create_future()

        def is_readable() -> None:
            if not readable.done():
                readable.set_result(None)

        self._loop.add_reader(connection, is_readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)

    def _refuse_plain(self, connection: Arrival, first: bytes, who: str) -> None:
        """A peer that does not speak TLS here hears so at once if it speaks DICOM."""
        self._failed(connection.host, who)
        try:
            if first[0] == PDUType.ASSOCIATE_RQ:
                connection.recv(_UNREAD)  # what is unread would turn the close into a reset
                connection.send(
                    Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNRECOGNIZED_PDU).encode()
                )
        except OSError:
            pass  # it hears nothing, then
        connection.close()

    def _failed(self, host: str, why: str) -> None:
        self.failed += 1
        log.warning("a TLS handshake failed", host=host, why=why)
        self._failures.record(Failure("provider", host, "TLS handshake", why))
        self._audit.alert(codes.NODE_AUTHENTICATION, f"TLS handshake failed: {why}", host=host)
