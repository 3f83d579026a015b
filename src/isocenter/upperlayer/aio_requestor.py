"""The asyncio driver of an association that we ask for; the acceptor's is in `aio`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

from isocenter.upperlayer.aio import WRITE_TIMEOUT, AssociationProtocol, AssociationUser
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.errors import ConnectFailed, ConnectTimeout
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.tls_failures import is_tls_error, tls_failure

MakeUser = Callable[[AssociationProtocol], AssociationUser]


class RequestorTLS(NamedTuple):
    """The TLS of a connection that we make.

    `examine` looks at who is at the other end, and raises an IsocenterError for a stranger.
    """

    context: ssl.SSLContext
    examine: Callable[[ssl.SSLObject], None]


class RequestorProtocol(AssociationProtocol):
    """The requestor's side of one transport connection: sends `request` when it is made."""

    def __init__(
        self,
        make_user: MakeUser,
        receive_buffer: memoryview,
        request: AssociateRQ,
        *,
        limits: AssociationLimits,
        timeouts: Timeouts,
        write_timeout: float = WRITE_TIMEOUT,
        tls: RequestorTLS | None = None,
    ) -> None:
        super().__init__(
            make_user,
            receive_buffer,
            limits=limits,
            timeouts=timeouts,
            write_timeout=write_timeout,
        )
        self._request = request
        self.tls = None if tls is None else tls.context
        self.examine = None if tls is None else tls.examine
        self.transport_trouble = ""
        """What TLS said when the connection ended, if it was TLS that ended it."""

    def connection_lost(self, error: Exception | None) -> None:
        if isinstance(error, OSError) and is_tls_error(error):
            # With TLS 1.3 a peer that refuses our certificate says so after our handshake.
            self.transport_trouble = tls_failure(self.peer, error)
        super().connection_lost(error)

    def release(self) -> None:
        """A-RELEASE request; harmless once the association has ended."""
        if self.established:
            self.core.release(self._loop.time())
            self.flush()

    def _make_core(self, now: float) -> Association:
        core = Association(requestor=True, limits=self._limits, timeouts=self._timeouts, now=now)
        core.request_association(self._request, now)
        return core


async def connect(
    host: str, port: int, make_protocol: Callable[[], RequestorProtocol], *, timeout: float
) -> RequestorProtocol:
    """Make the transport connection; the association request goes out with it.

    `timeout` is in seconds, and counts for the TLS handshake too. What comes of the request, the
    protocol's user hears. Raises ConnectFailed and ConnectTimeout.
    """
    loop = asyncio.get_running_loop()
    peer = f"{host}:{port}"
    protocol = make_protocol()
    try:
        async with asyncio.timeout(timeout):
            if protocol.tls is None:
                await loop.create_connection(lambda: protocol, host, port)
            else:
                await loop.create_connection(
                    lambda: protocol,
                    host,
                    port,
                    ssl=protocol.tls,
                    server_hostname=host,
                    ssl_handshake_timeout=timeout,
                )
    except TimeoutError as error:
        advice = "check host, port and firewalls"
        if protocol.tls is not None:
            advice += ", and whether the port is one for TLS"
        raise ConnectTimeout(f"{peer} did not answer within {timeout:g} s: {advice}.") from error
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectFailed(f"The host {host!r} was not found: check its name.") from error
    except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError) as error:
        if protocol.tls is None:
            raise _unreachable(peer, error) from error
        raise ConnectFailed(tls_failure(peer, error)) from error
    except OSError as error:
        raise _unreachable(peer, error) from error
    if protocol.objection:
        raise ConnectFailed(f"{peer} was not trusted: {protocol.objection}.")
    return protocol


def _unreachable(peer: str, error: OSError) -> ConnectFailed:
    return ConnectFailed(
        f"{peer} cannot be reached ({error.strerror}): check host, port and network."
    )
