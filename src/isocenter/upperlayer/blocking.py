"""The blocking driver: one association as requestor, over plain sockets, for CLI and scripts.

No event loop, no threads: every call waits, and every wait has a deadline.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationReleasedError,
    ConnectFailed,
    ConnectionLostError,
    ConnectTimeout,
    ReleaseTimeout,
    ResponseTimeout,
    UpperLayerError,
    WriteTimeout,
)
from isocenter.upperlayer.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    DataReceived,
    Event,
    Released,
    ReleaseRequested,
)
from isocenter.upperlayer.failures import abort_error, rejection_error
from isocenter.upperlayer.limits import (
    DEFAULT_LIMITS,
    DEFAULT_TIMEOUTS,
    AssociationLimits,
    Timeouts,
)
from isocenter.upperlayer.pdu import AssociateAC, AssociateRQ
from isocenter.upperlayer.reasons import AbortReason, AbortSource
from isocenter.upperlayer.sending import Buffers
from isocenter.upperlayer.state_machine import State

if TYPE_CHECKING:
    import ssl

_RECEIVE_BUFFER_SIZE = 256 * 1024
_WRITE_TIMEOUT = 30.0  # seconds without progress
_TLS_BATCH = 256 * 1024  # bytes joined for one TLS write, which cannot gather
_LAST_READS = 16
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_IOV_MAX = os.sysconf("SC_IOV_MAX") if "SC_IOV_MAX" in getattr(os, "sysconf_names", {}) else 16

_Output = list[bytes | memoryview]

_ESTABLISHING = "waiting for the answer to the association request"
_SENDING = "sending"
_RECEIVING = "waiting for a message"
_RELEASING = "releasing the association"


class BlockingAssociation:
    """An established association; a context manager that releases it, or aborts on an exception.

    `peer` is ``host:port``; `accepted_contexts` and `response` are what the peer agreed to.
    """

    def __init__(self, connection: socket.socket, core: Association, peer: str) -> None:
        """Use `connect`; this only puts the parts together."""
        self.peer = peer
        self._wire = _Wire(connection)
        self._core = core
        self._buffer = memoryview(bytearray(_RECEIVE_BUFFER_SIZE))
        self._events: deque[Event] = deque()

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        request: AssociateRQ,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        limits: AssociationLimits = DEFAULT_LIMITS,
        connect_timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> BlockingAssociation:
        """Connect, negotiate TLS where a context is given, and establish the association.

        Raises `ConnectFailed`, `ConnectTimeout`, `AssociateTimeout`, `AssociationRejectedError`,
        `AssociationAbortedError` or `ConnectionLostError`; `LocalProtocolError` for a request that
        cannot be encoded.
        """
        peer = f"{host}:{port}"
        core = Association(requestor=True, limits=limits, timeouts=timeouts, now=time.monotonic())
        core.request_association(request, time.monotonic())
        connection = _open(host, port, connect_timeout, ssl_context)
        association = cls(connection, core, peer)
        try:
            association._establish(request)
        except BaseException:
            association.abort()
            raise
        return association

    @property
    def accepted_contexts(self) -> dict[int, AcceptedContext]:
        """What can be sent, by presentation context identifier."""
        return self._core.accepted_contexts

    @property
    def response(self) -> AssociateAC:
        """The peer's A-ASSOCIATE-AC."""
        assert self._core.response is not None
        return self._core.response

    def __enter__(self) -> BlockingAssociation:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.release()
        else:
            self.abort()

    def send(self, context_id: int, command: bytes, data: Buffers | None = None) -> None:
        """Send a command set and, if there is one, its data set, in one gather write.

        Raises `WriteTimeout`, `AssociationAbortedError`, `ConnectionLostError`, and
        `LocalProtocolError` for a context that was not accepted.
        """
        now = time.monotonic()
        self._core.send_data(context_id, True, command, now)
        if data is not None:
            self._core.send_data(context_id, False, data, now)
        self._flush(_SENDING)

    def receive(self, timeout: float | None) -> DataReceived:
        """The next piece of a message; its `data` is valid until the next call.

        `timeout` in seconds, None for no limit but the association's idle deadline. Raises
        `ResponseTimeout`, `AssociationAbortedError`, `AssociationReleasedError` (the release is
        confirmed) or `ConnectionLostError`.
        """
        give_up = None if timeout is None else time.monotonic() + timeout
        event = self._next_event(_RECEIVING, give_up)
        if event is None:
            raise ResponseTimeout(
                f"{self.peer} sent no message for {timeout:g} s; it may be overloaded: "
                "try a longer response timeout."
            )
        if isinstance(event, ReleaseRequested):
            self._core.confirm_release(time.monotonic())
            self._flush(_RELEASING)
            self._wire.close()
            raise AssociationReleasedError(
                f"{self.peer} released the association while we were {_RECEIVING}."
            )
        if not isinstance(event, DataReceived):
            self._fail(event, _RECEIVING)
        return event

    def release(self) -> None:
        """Release the association and close; data that still arrive are passed over.

        A peer that closes the connection instead of answering has released as well: nothing is
        left that could be lost. Raises `ReleaseTimeout` and `AssociationAbortedError`.
        """
        if self._wire.closed:
            return
        try:
            if self._core.state is State.Sta6:
                self._core.release(time.monotonic())
                self._flush(_RELEASING)
            self._await_release()
        except ConnectionLostError:
            self._wire.close()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Send A-ABORT, if the connection still takes it, and close."""
        if self._wire.closed:
            return
        self._core.abort(AbortSource.SERVICE_USER, AbortReason.NOT_SPECIFIED, time.monotonic())
        with suppress(OSError):
            self._wire.write(self._core.data_to_send(), timeout=0)
        self._wire.close()

    def _establish(self, request: AssociateRQ) -> None:
        """Send the request and take the answer."""
        self._core.connection_made(time.monotonic())
        self._flush(_ESTABLISHING)
        event = self._next_event(_ESTABLISHING)
        if isinstance(event, AssociationAccepted):
            return
        if isinstance(event, AssociationRejected):
            raise rejection_error(self.peer, request, event.reject)
        if isinstance(event, Aborted) and event.timed_out:
            raise AssociateTimeout(
                f"{self.peer} took the connection but did not answer the association request "
                f"within {self._core.timeouts.association:g} s: its DICOM service hangs, or the "
                "port expects TLS."
            )
        self._fail(event, _ESTABLISHING)

    def _await_release(self) -> None:
        """Wait for A-RELEASE-RP, through a release collision if need be."""
        while self._core.state is not State.Sta1:
            event = self._next_event(_RELEASING)
            if isinstance(event, ReleaseRequested):
                self._core.confirm_release(time.monotonic())
                self._flush(_RELEASING)
            elif isinstance(event, Aborted) and event.timed_out:
                raise ReleaseTimeout(
                    f"{self.peer} did not answer the release request within "
                    f"{self._core.timeouts.release:g} s; what it acknowledged before stands."
                )
            elif not isinstance(event, (DataReceived, Released)):
                self._fail(event, _RELEASING)
        self._wire.close()

    def _next_event(self, phase: str, give_up: float | None = None) -> Event | None:
        """Wait for an event; None when the time `give_up` passes first."""
        core, events = self._core, self._events
        while not events:
            deadline = core.deadline
            if give_up is not None and (deadline is None or give_up < deadline):
                deadline = give_up
            now = time.monotonic()
            try:
                count = self._wire.read_into(
                    self._buffer, None if deadline is None else deadline - now
                )
            except TimeoutError:
                now = time.monotonic()
                events.extend(core.expire(now))
                if not events and give_up is not None and now >= give_up:
                    return None
            except OSError:
                self._hang_up(phase)
            else:
                if count == 0:
                    self._hang_up(phase)
                events.extend(core.receive_data(self._buffer[:count], time.monotonic()))
            self._flush(phase)
        return events.popleft()

    def _flush(self, phase: str) -> None:
        """Write what the core has to say; a write that fails is explained by what was read."""
        output = self._core.data_to_send()
        if not output:
            return
        try:
            self._wire.write(output, timeout=_WRITE_TIMEOUT)
        except TimeoutError as error:
            self._read_last_words(phase)
            raise WriteTimeout(
                f"{self.peer} took none of our bytes for {_WRITE_TIMEOUT:g} s while {phase}; "
                "it may be overloaded or out of disk space: look into its log."
            ) from error
        except OSError:
            self._read_last_words(phase)
            self._hang_up(phase)

    def _read_last_words(self, phase: str) -> None:
        """Raise for an A-ABORT that waits unread behind a write that failed."""
        with suppress(OSError):
            while count := self._wire.read_into(self._buffer, 0):
                events = self._core.receive_data(self._buffer[:count], time.monotonic())
                for event in events:
                    if isinstance(event, Aborted):
                        self._fail(event, phase)

    def _hang_up(self, phase: str) -> NoReturn:
        """The transport connection is gone."""
        self._core.connection_lost(time.monotonic())
        self._wire.close()
        hint = "its log may say why"
        if phase is _ESTABLISHING:
            hint = "this port may expect TLS, refuse our host, or not be a DICOM port"
        raise ConnectionLostError(f"{self.peer} closed the connection while {phase}: {hint}.")

    def _fail(self, event: Event | None, phase: str) -> NoReturn:
        """Raise what `event` means for the caller, and close."""
        if isinstance(event, Aborted):
            with suppress(OSError):
                self._wire.write(self._core.data_to_send(), timeout=0)
            self._wire.close()
            raise abort_error(self.peer, phase, event)
        if isinstance(event, Released):
            self._wire.close()
            raise AssociationReleasedError(
                f"The association with {self.peer} was released after being idle for "
                f"{self._core.timeouts.idle:g} s."
            )
        self.abort()
        raise UpperLayerError(f"{self.peer} caused {type(event).__name__} while {phase}.")


class _Wire:
    """A connected socket, plain or TLS; every operation takes its timeout in seconds."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._gathers = hasattr(connection, "sendmsg") and not hasattr(connection, "cipher")
        self.closed = False

    def write(self, output: _Output, timeout: float) -> None:
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

    def _write_joined(self, output: _Output) -> None:
        for batch in _batches(output):
            view = memoryview(b"".join(batch))
            while view:
                view = view[self._socket.send(view) :]

    def read_into(self, buffer: memoryview, timeout: float | None) -> int:
        """Bytes read, 0 when the peer closed; raises TimeoutError."""
        self._socket.settimeout(None if timeout is None else max(timeout, 0.0))
        try:
            count = self._socket.recv_into(buffer)
        except BlockingIOError as error:
            raise TimeoutError from error
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
            for _ in range(_LAST_READS):
                if not self._socket.recv(_RECEIVE_BUFFER_SIZE):
                    break
        with suppress(OSError, ValueError):
            if not self._gathers:
                self._socket.unwrap()  # type: ignore[attr-defined]  # TLS: says close_notify
        self._socket.close()


def _batches(output: _Output) -> Iterator[_Output]:
    """Groups of buffers that are worth one TLS write."""
    batch: _Output = []
    size = 0
    for buffer in output:
        batch.append(buffer)
        size += len(buffer)
        if size >= _TLS_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _open(
    host: str, port: int, timeout: float, ssl_context: ssl.SSLContext | None
) -> socket.socket:
    """Connect, with TLS where a context is given; raises `ConnectFailed` or `ConnectTimeout`."""
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
    if ssl_context is None:
        return connection
    try:
        return ssl_context.wrap_socket(connection, server_hostname=host)
    except TimeoutError as error:
        connection.close()
        raise ConnectTimeout(
            f"{peer} did not finish the TLS handshake within {timeout:g} s: "
            "its port may be one without TLS."
        ) from error
    except OSError as error:
        connection.close()
        raise ConnectFailed(_tls_failure(peer, error)) from error


def _tls_failure(peer: str, error: OSError) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason == "WRONG_VERSION_NUMBER":
        return f"{peer} does not speak TLS on this port: connect without TLS or use its TLS port."
    if reason == "CERTIFICATE_VERIFY_FAILED":
        words = getattr(error, "verify_message", "") or "not trusted"
        return f"The certificate of {peer} was not accepted ({words}): check the CA and the name."
    words = reason.replace("_", " ").lower() or str(error)
    return (
        f"The TLS handshake with {peer} failed ({words}): it may expect a client certificate, "
        "other TLS versions, or no TLS at all."
    )
