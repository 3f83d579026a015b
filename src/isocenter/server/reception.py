"""Connections on their way to becoming associations: plain ones at once, TLS ones by a handshake.

A handshake has a deadline, and so has the first byte before it. Only so many may be under way; the
one that has taken longest makes room for the next, so connections that never speak keep nobody out.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Protocol

import structlog

from isocenter.security.handshakes import describe_failed_handshake, describe_no_handshake
from isocenter.server.config import Config
from isocenter.services.failures import Failure, FailureLog
from isocenter.upperlayer.aio import AssociationProtocol
from isocenter.upperlayer.pdu import Abort, PDUType
from isocenter.upperlayer.reasons import AbortReason, AbortSource

HANDSHAKES = 256
"""TLS handshakes under way in one process; beyond them the oldest is given up."""

SHUTDOWN_SECONDS = 5.0
"""The wait for the peer's close_notify, after which the connection is just closed."""

_NOT_HERE = Abort(AbortSource.SERVICE_PROVIDER, AbortReason.UNRECOGNIZED_PDU).encode()

_PEEKED = 8
_UNREAD = 65536

log = structlog.get_logger(__name__)


class TLSContexts(Protocol):
    """The TLS of a listener; it may change while the node runs."""

    def current(self) -> ssl.SSLContext:
        """For the next handshake."""

    def examine(self, connection: ssl.SSLObject) -> None:
        """After it: raises IsocenterError for a peer whose certificate was revoked."""


class Reception:
    """Takes in the connections of one process. For the loop's thread.

    `make_protocol` gets the listener's name and whether the node is crowded.
    """

    def __init__(
        self,
        config: Config,
        contexts: Mapping[str, TLSContexts],
        make_protocol: Callable[[str, bool], AssociationProtocol],
        failures: FailureLog,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._contexts = contexts
        self._make_protocol = make_protocol
        self._failures = failures
        self._timeout = config.tls.handshake_timeout
        self._arriving: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._handshakes: OrderedDict[asyncio.Task[None], None] = OrderedDict()

    def take(
        self, listener: str, connection: socket.socket, host: str, *, crowded: bool = False
    ) -> None:
        """Serve a connection, which is this reception's from now on."""
        connection.setblocking(False)
        contexts = self._contexts.get(listener)
        factory = partial(self._make_protocol, listener, crowded)
        if contexts is None:
            self._begin(self._arriving, self._serve(connection, host, factory))
            return
        while len(self._handshakes) >= HANDSHAKES:
            oldest, _ = self._handshakes.popitem(last=False)
            oldest.cancel()
        self._begin(self._handshakes, self._serve_tls(connection, host, factory, contexts))

    async def close(self) -> None:
        """Give up what has not become an association yet."""
        tasks = [*self._arriving, *self._handshakes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(
        self, among: OrderedDict[asyncio.Task[None], None], work: Coroutine[None, None, None]
    ) -> None:
        task = self._loop.create_task(work)
        among[task] = None
        task.add_done_callback(lambda done: among.pop(done, None))

    async def _serve(
        self, connection: socket.socket, host: str, factory: Callable[[], AssociationProtocol]
    ) -> None:
        try:
            await self._loop.connect_accepted_socket(factory, connection)
        except Exception:
            log.exception("a connection could not be served", host=host)
            connection.close()
        except BaseException:
            connection.close()
            raise

    async def _serve_tls(
        self,
        connection: socket.socket,
        host: str,
        factory: Callable[[], AssociationProtocol],
        contexts: TLSContexts,
    ) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                first = await self._first_bytes(connection)
                if not first:
                    log.debug("a connection ended before its TLS handshake", host=host)
                    connection.close()
                    return
                if (who := describe_no_handshake(first)) is not None:
                    self._refuse_plain(connection, host, first, who)
                    return
                protocol = factory()
                protocol.examine = contexts.examine
                await self._loop.connect_accepted_socket(
                    lambda: protocol,
                    connection,
                    ssl=contexts.current(),
                    ssl_handshake_timeout=self._timeout,
                    ssl_shutdown_timeout=SHUTDOWN_SECONDS,
                )
                if protocol.objection:
                    self._failed(host, protocol.objection)
        except TimeoutError:
            self._failed(host, "it was not finished in time")
            connection.close()
        except OSError as error:  # ssl.SSLError is one
            self._failed(host, describe_failed_handshake(error))
            connection.close()
        except Exception:
            log.exception("a connection could not be served", host=host)
            connection.close()
        except BaseException:
            connection.close()
            raise

    async def _first_bytes(self, connection: socket.socket) -> bytes:
        """What the peer says first, left unread; nothing if it closes."""
        readable: asyncio.Future[None] = self._loop.create_future()

        def is_readable() -> None:
            if not readable.done():
                readable.set_result(None)

        self._loop.add_reader(connection, is_readable)
        try:
            await readable
        finally:
            self._loop.remove_reader(connection)
        return connection.recv(_PEEKED, socket.MSG_PEEK)

    def _refuse_plain(self, connection: socket.socket, host: str, first: bytes, who: str) -> None:
        """A peer that does not speak TLS here hears so at once if it speaks DICOM."""
        self._failed(host, who)
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
        log.warning("a TLS handshake failed", host=host, why=why)
        self._failures.record(Failure("provider", host, "TLS handshake", why))
