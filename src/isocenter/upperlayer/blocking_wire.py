"""The connection below the blocking driver: made, with TLS or without, written, read, closed."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from isocenter.errors import IsocenterError
from isocenter.upperlayer.errors import ConnectFailed, ConnectTimeout
from isocenter.upperlayer.tls_failures import tls_failure

if TYPE_CHECKING:
    import ssl

RECEIVE_BUFFER_SIZE = 256 * 1024
LAST_READS = 16
"""Reads of what a peer still says when we are about to go; it may go on for ever."""

_TLS_BATCH = 256 * 1024  # bytes joined for one TLS write, which cannot gather
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_IOV_MAX = os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in getattr(os, "sysconf_names", {}) else 16

Output = list[bytes | memoryview]

Examine = Callable[["ssl.SSLSocket"], None]
"""Looks at who is at the other end after the handshake; an IsocenterError says why not."""


class TransportSecurity(NamedTuple):
    """The TLS of a connection that we make."""

    context: ssl.SSLContext
    examine: Examine | None = None


def open_wire(host: str, port: int, timeout: float, tls: TransportSecurity | None) -> Wire:
    """Connect, with TLS where it is given; raises `ConnectFailed` or `ConnectTimeout`."""
    peer = f"{host}:{port}"
    if not 0 < port < 65536:
        raise ConnectFailed(f"{peer} cannot be reached: a port is 1 to 65535.")
    try:
        connection = socket.create_connection((host, port), timeout)
    except TimeoutError as error:
        raise ConnectTimeout(
            f"{peer} did not answer within {timeout:g} s: check host, port and firewalls."
        ) from error
    except ConnectionRefusedError as error:
        raise ConnectFailed(
            f"{peer} refused the connection: nothing listens there; check the port and whether "
            "the service runs."
        ) from error
    except (socket.gaierror, UnicodeError) as error:
        raise ConnectFailed(f"The host {host!r} was not found: check its name.") from error
    except OSError as error:
        raise ConnectFailed(
            f"{peer} cannot be reached ({error}): check host, port and network."
        ) from error
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Wire(connection if tls is None else _secured(connection, host, peer, timeout, tls))


def _secured(
    connection: socket.socket, host: str, peer: str, timeout: float, tls: TransportSecurity
) -> ssl.SSLSocket:
    """The same connection after a handshake, and with whom we meant to talk."""
    try:
        secured = tls.context.wrap_socket(connection, server_hostname=host)
    except TimeoutError as error:
        connection.close()
        raise ConnectTimeout(
            f"{peer} did not finish the TLS handshake within {timeout:g} s: "
            "its port may be one without TLS."
        ) from error
    except (OSError, ValueError) as error:
        connection.close()
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise ConnectFailed(f"The host {host!r} cannot be named in TLS: {error}.") from error
        raise ConnectFailed(tls_failure(peer, error)) from error
    try:
        if tls.examine is not None:
            tls.examine(secured)
    except IsocenterError as error:
        secured.close()
        raise ConnectFailed(f"{peer} was not trusted: {error}.") from error
    except BaseException:
        secured.close()
        raise
    return secured


class Wire:
    """A connected socket, plain or TLS; every operation takes its timeout in seconds."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.is_tls = hasattr(connection, "cipher")
        self._gathers = hasattr(connection, "sendmsg") and not self.is_tls
        self.closed = False

    def write(self, output: Output, timeout: float) -> None:
        """Write all buffers; `timeout` counts from the last progress."""
        self._socket.settimeout(timeout)
        if not self._gathers:
            self._write_joined(output)
            return
        index = 0
        while index < len(output):
            sent = self._socket.sendmsg(output[index : index + _IOV_MAX])
            while index < len(output) and sent >= len(output[index]):
                sent -= len(output[index])
                index += 1
            if sent:
                output[index] = memoryview(output[index])[sent:]

    def _write_joined(self, output: Output) -> None:
        for batch in _batches(output):
            view = memoryview(b"".join(batch))
            while view:
                view = view[self._socket.send(view) :]

    def read_into(self, buffer: memoryview, timeout: float | None) -> int:
        """Bytes read, 0 when the peer closed; raises TimeoutError.

        Of TLS one record at most: what is left stays in the TLS layer, from which the next read
        takes it without waiting.
        """
        self._socket.settimeout(None if timeout is None else max(timeout, 0.0))
        try:
            count = self._socket.recv_into(buffer)
        except OSError as error:
            if _would_wait(error):
                raise TimeoutError from error
            raise
        if _QUICKACK is not None:
            # Peers with Nagle on wait for our ACK before the second part of a message; the
            # kernel forgets this setting, so it is renewed after each read.
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        return count

    def close(self) -> None:
        """Close once, so that what was written still reaches the peer."""
        if self.closed:
            return
        self.closed = True
        with suppress(OSError):
            # Unread bytes would turn the close into a reset, and a reset discards our A-ABORT.
            self._socket.settimeout(0)
            for _ in range(LAST_READS):
                if not self._socket.recv(RECEIVE_BUFFER_SIZE):
                    break
        with suppress(OSError, ValueError):
            if self.is_tls:
                # Says close_notify; without a timeout left it does not wait for the peer's.
                self._socket.unwrap()  # type: ignore[attr-defined]
        self._socket.close()


def _batches(output: Output) -> Iterator[Output]:
    """Groups of buffers that are worth one TLS write."""
    batch: Output = []
    size = 0
    for buffer in output:
        batch.append(buffer)
        size += len(buffer)
        if size >= _TLS_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _would_wait(error: OSError) -> bool:
    """Whether a read without waiting found nothing: TLS has an exception of its own for it.

    TLS may want to write before it can read on (a key update, RFC 8446 4.6.3).
    """
    return isinstance(error, BlockingIOError) or type(error).__name__ in (
        "SSLWantReadError",
        "SSLWantWriteError",
    )
