"""The blocking driver: one association as requestor, over plain sockets, for CLI and scripts.

No event loop, no threads: every call waits, and every wait has a deadline.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.blocking_wire import (
    LAST_READS,
    RECEIVE_BUFFER_SIZE,
    Examine,
    TransportSecurity,
    Wire,
    open_wire,
)
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.errors import (
    AssociateTimeout,
    AssociationReleasedError,
    ConnectFailed,
    ConnectionLostError,
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
from isocenter.upperlayer.tls_failures import is_tls_error, tls_failure

if TYPE_CHECKING:
    import ssl

_WRITE_TIMEOUT = 30.0  # seconds without progress

_ESTABLISHING = "waiting for the answer to the association request"
_SENDING = "sending"
_RECEIVING = "waiting for a message"
_RELEASING = "releasing the association"


class BlockingAssociation:
    """An established association; a context manager that releases it, or aborts on an exception.

    `peer` is ``host:port``; `accepted_contexts` and `response` are what the peer agreed to.
    """

    def __init__(self, wire: Wire, core: Association, peer: str) -> None:
        """Use `connect`; this only puts the parts together."""
        self.peer = peer
        self._wire = wire
        self._core = core
        self._buffer = memoryview(bytearray(RECEIVE_BUFFER_SIZE))
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
        examine: Examine | None = None,
    ) -> BlockingAssociation:
        """Connect, negotiate TLS where a context is given, and establish the association.

        `examine` looks at the peer's certificate after the handshake, and raises an
        IsocenterError for one with which nothing shall be said.

        Raises `ConnectFailed`, `ConnectTimeout`, `AssociateTimeout`, `AssociationRejectedError`,
        `AssociationAbortedError` or `ConnectionLostError`; `LocalProtocolError` for a request that
        cannot be encoded.
        """
        peer = f"{host}:{port}"
        core = Association(requestor=True, limits=limits, timeouts=timeouts, now=time.monotonic())
        core.request_association(request, time.monotonic())
        tls = None if ssl_context is None else TransportSecurity(ssl_context, examine)
        association = cls(open_wire(host, port, connect_timeout, tls), core, peer)
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
            except OSError as error:
                self._hang_up(phase, error)
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
        except OSError as error:
            self._read_last_words(phase)
            self._hang_up(phase, error)

    def _read_last_words(self, phase: str) -> None:
        """Raise for an A-ABORT, or a TLS alert, that waits unread behind a write that failed."""
        try:
            for _ in range(LAST_READS):
                if not (count := self._wire.read_into(self._buffer, 0)):
                    break
                events = self._core.receive_data(self._buffer[:count], time.monotonic())
                for event in events:
                    if isinstance(event, Aborted):
                        self._fail(event, phase)
        except OSError as error:
            if is_tls_error(error):
                self._hang_up(phase, error)

    def _hang_up(self, phase: str, error: OSError | None = None) -> NoReturn:
        """The transport connection is gone."""
        self._core.connection_lost(time.monotonic())
        self._wire.close()
        if error is not None and is_tls_error(error):
            # With TLS 1.3 our side of the handshake is over before the peer has seen our
            # certificate, so what it thinks of it comes as an answer to the first write.
            kind = ConnectFailed if phase is _ESTABLISHING else ConnectionLostError
            raise kind(tls_failure(self.peer, error)) from error
        hint = "its log may say why"
        if phase is _ESTABLISHING:
            hint = (
                "this port may refuse our certificate or our host, or not be a DICOM port"
                if self._wire.is_tls
                else "this port may expect TLS, refuse our host, or not be a DICOM port"
            )
        raise ConnectionLostError(f"{self.peer} closed the connection while {phase}: {hint}.")

    def _fail(self, event: Event | None, phase: str) -> NoReturn:
        """Raise what `event` means for the caller, and close."""
        if isinstance(event, Aborted):
            with suppress(OSError):
                self._wire.write(self._core.data_to_send(), timeout=0)
            self._wire.close()
            raise abort_error(self.peer, phase, event, requested=phase is _ESTABLISHING)
        if isinstance(event, Released):
            self._wire.close()
            raise AssociationReleasedError(
                f"The association with {self.peer} was released after being idle for "
                f"{self._core.timeouts.idle:g} s."
            )
        self.abort()
        raise UpperLayerError(f"{self.peer} caused {type(event).__name__} while {phase}.")
