"""The asyncio driver: moves the bytes of one association between a transport and its core.

One receive buffer serves every connection of a loop, because each read is handled to the end
before the next begins; so an idle association costs a few kilobytes. Deadlines are kept by one
timer per connection that is re-armed only when it fires too early, not at each read.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from isocenter.errors import IsocenterError
from isocenter.upperlayer.association import Association
from isocenter.upperlayer.events import Event
from isocenter.upperlayer.limits import AssociationLimits, Timeouts
from isocenter.upperlayer.pdu import AssociateAC, AssociateRJ
from isocenter.upperlayer.reasons import AbortSource
from isocenter.upperlayer.state_machine import SENDING_STATES, State

if TYPE_CHECKING:
    import ssl

RECEIVE_BUFFER_SIZE = 256 * 1024
HIGH_WATER = 256 * 1024
WRITE_TIMEOUT = 30.0
"""Seconds without progress after which a peer that takes none of our bytes is dropped."""

_PATIENCE = 1.0
_GATHERED_FROM = 16 * 1024  # bytes that cost less to hand to the kernel in pieces than to join
_GATHERED_PIECES = 1024  # Linux's UIO_MAXIOV

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class AssociationUser(Protocol):
    """Whoever acts on the events of one association (PS3.7 and up)."""

    def handle(self, event: Event) -> None:
        """Act on an event; must not block. Data in it are valid during the call only."""

    def closed(self) -> None:
        """The transport is gone; no event follows."""

    @property
    def answering(self) -> bool:
        """Whether it owes the peer an answer and has all that it needs for it."""

    def writable(self) -> None:
        """The peer has taken what it was sent; more may be written."""


class AssociationProtocol(asyncio.BufferedProtocol):
    """The acceptor's side of one transport connection."""

    def __init__(
        self,
        make_user: Callable[[AssociationProtocol], AssociationUser],
        receive_buffer: memoryview,
        *,
        limits: AssociationLimits,
        timeouts: Timeouts,
        write_timeout: float = WRITE_TIMEOUT,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = receive_buffer
        self._make_user = make_user
        self._limits = limits
        self._timeouts = timeouts
        self._write_timeout = write_timeout
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._socket: socket.socket | None = None
        self._poll: select.poll | None = None
        self._held_back = False
        self.congested = False
        self.peer = self.host = ""
        self.peer_certificate: bytes | None = None  # DER; its chain was verified
        self.examine: Callable[[ssl.SSLObject], None] | None = None
        """Looks at who is at the other end of TLS; raises an IsocenterError for a stranger."""
        self.objection = ""
        """Why nothing was said to whoever is there."""
        self.last_received = 0.0

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), select.POLLIN)
        tls = transport.get_extra_info("ssl_object")
        self._plain = tls is None
        if tls is not None and not self._is_welcome(tls):
            transport.abort()
            return
        self.peer_certificate = None if tls is None else tls.getpeercert(binary_form=True)
        address = transport.get_extra_info("peername")
        if isinstance(address, tuple):
            self.host, self.peer = address[0], f"{address[0]}:{address[1]}"
        if self._socket is not None and self._socket.family != socket.AF_UNIX:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        now = self._loop.time()
        self.core = self._make_core(now)
        self._user = self._make_user(self)
        self._dispatch(self.core.connection_made(now))

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.last_received = now = self._loop.time()
        self._dispatch(self.core.receive_data(self._buffer[:nbytes], now))
        self._acknowledge_at_once()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._poll = None  # the descriptor may soon be somebody else's
        if self.objection:
            return  # there never was an association
        for timer in (self._timer, self._stalled):
            if timer is not None:
                timer.cancel()
        self._timer = self._stalled = None
        for event in self.core.connection_lost(self._loop.time()):
            self._user.handle(event)
        self._user.closed()

    def pause_writing(self) -> None:
        self.congested = True
        self._regulate_reading()
        self._watch_progress()

    def resume_writing(self) -> None:
        self.congested = False
        if self._stalled is not None and not self._transport.is_closing():
            self._stalled.cancel()
            self._stalled = None
        self._regulate_reading()
        self._user.writable()

    # What the association's user calls

    @property
    def established(self) -> bool:
        """Whether data can be sent and taken (Sta6)."""
        return self.core.state is State.Sta6

    @property
    def secure(self) -> bool:
        """Whether the connection is TLS."""
        return not self._plain

    @property
    def unanswered(self) -> bool:
        """Whether the peer still waits for the answer to its association request (Sta3)."""
        return self.core.state is State.Sta3

    def accept(self, response: AssociateAC) -> None:
        """A-ASSOCIATE response (accept); outside `handle`, call `flush` afterwards."""
        if self._still_in(State.Sta3):
            self.core.accept(response, self._loop.time())

    def reject(self, reject: AssociateRJ) -> None:
        """A-ASSOCIATE response (reject); likewise."""
        if self._still_in(State.Sta3):
            self.core.reject(reject, self._loop.time())

    def confirm_release(self) -> None:
        """A-RELEASE response."""
        if self._still_in(State.Sta8):
            self.core.confirm_release(self._loop.time())

    def abort(self, source: int = AbortSource.SERVICE_USER, reason: int = 0) -> None:
        """A-ABORT (by the service user) or A-P-ABORT request; what was queued is still sent."""
        if not self.core.closing:
            self.core.abort(source, reason, self._loop.time())
            self.flush()

    def send(
        self, context_id: int, command: bytes, data: bytes | Sequence[memoryview] | None = None
    ) -> None:
        """Queue one message; `flush` writes it. Outside `handle`, call `flush` afterwards."""
        if self.core.state not in SENDING_STATES:
            return  # aborted meanwhile by us, of which a user that still works was not told
        now = self._loop.time()
        self.core.send_data(context_id, True, command, now)
        if data is not None:
            self.core.send_data(context_id, False, data, now)

    def send_part(self, context_id: int, data: bytes | memoryview, *, is_last: bool) -> None:
        """Queue a part of a data set whose command was queued by `send`; nothing between them.

        Once `flush` has returned, `data` may change.
        """
        self.core.send_data(context_id, False, data, self._loop.time(), is_last=is_last)

    def flush(self) -> None:
        """Write what the core has to send, and close when it says so."""
        if pieces := self.core.data_to_send():
            self._write(pieces)
        if self.core.closing:
            self._transport.close()
            if self._stalled is None and self._transport.get_write_buffer_size():
                self._watch_progress()
        self._arm()

    def pause_reading(self) -> None:
        """Take no more bytes from the peer for now."""
        self._held_back = True
        self._regulate_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        self._held_back = False
        self._regulate_reading()

    def has_input(self) -> bool:
        """Whether the peer has sent bytes that were not read yet, and could be."""
        if self._poll is None or self._held_back or self.congested:
            return False
        return bool(self._poll.poll(0))

    def after_reading(self, call: Callable[[], None]) -> None:
        """Run `call` once what the peer has sent by now was read and handled."""
        self._loop.call_later(0, call)  # timers run behind the sockets' callbacks

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Run `call` on the loop after a while."""
        self._loop.call_later(seconds, call)

    def drop(self) -> None:
        """Close the transport without another word."""
        self._transport.abort()

    # Inside

    def _write(self, pieces: list[bytes | memoryview]) -> None:
        if len(pieces) > 1 and (size := sum(map(len, pieces))) >= _GATHERED_FROM:
            sent = self._written_at_once(pieces)
            pieces = [] if sent == size else list(_behind(pieces, sent))
        if pieces:  # joined, for the transport may keep what it is given
            self._transport.write(b"".join(pieces))

    def _written_at_once(self, pieces: list[bytes | memoryview]) -> int:
        """Bytes that the kernel took without their being joined first, which costs more than it.

        Nothing of what the transport still holds is overtaken; its write meets any error again.
        """
        transport = self._transport
        if (
            self._socket is None
            or not self._plain
            or transport.get_write_buffer_size()
            or transport.is_closing()
        ):
            return 0
        try:
            return os.writev(self._socket.fileno(), pieces[:_GATHERED_PIECES])
        except OSError:
            return 0

    def _make_core(self, now: float) -> Association:
        return Association(requestor=False, limits=self._limits, timeouts=self._timeouts, now=now)

    def _regulate_reading(self) -> None:
        # Who does not take the answers is not read from either, or they would pile up here.
        if self._held_back or self.congested:
            self._transport.pause_reading()
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _is_welcome(self, tls: ssl.SSLObject) -> bool:
        """Whether the association may begin; before a byte of it is read or sent."""
        try:
            if self.examine is not None:
                self.examine(tls)
        except IsocenterError as error:
            self.objection = str(error)
        return not self.objection

    def _still_in(self, state: State) -> bool:
        # What the peer sent behind a request, in the same read, may have ended the association
        # before its user hears of either.
        return self.core.state is state

    def _dispatch(self, events: Iterable[Event]) -> None:
        handle = self._user.handle
        for event in events:
            handle(event)
        self.flush()

    def _acknowledge_at_once(self) -> None:
        # Peers that leave Nagle's algorithm on hold back the second small write of a message
        # until we acknowledge the first; Linux delays that by 40 ms unless asked again and again.
        # Where an answer is about to go out, it carries the acknowledgement.
        if self._user.answering and not self.core.inside_pdu:
            return
        if _QUICKACK is not None and self._socket is not None and not self._transport.is_closing():
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:
                self._socket = None

    def _arm(self) -> None:
        deadline = self.core.deadline
        if deadline is None or self._transport.is_closing():
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return  # fires early, then arms itself again
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        now = self._loop.time()
        deadline = self.core.deadline
        waits_for_us = self._held_back or (self._user.answering and not self.core.inside_pdu)
        if waits_for_us and self.core.state is State.Sta6:  # whom we keep waiting is not late
            self._timer = self._loop.call_later(_PATIENCE, self._expire)
        elif deadline is not None and deadline <= now:
            self._dispatch(self.core.expire(now))
        else:
            self._arm()

    def _watch_progress(self) -> None:
        pending = self._transport.get_write_buffer_size()
        self._stalled = self._loop.call_later(self._write_timeout, self._check_progress, pending)

    def _check_progress(self, pending_before: int) -> None:
        if self._transport.get_write_buffer_size() >= pending_before:
            self.drop()
        else:
            self._watch_progress()


def _behind(pieces: Iterable[bytes | memoryview], count: int) -> Iterator[bytes | memoryview]:
    """What follows the first `count` bytes of `pieces`."""
    for piece in pieces:
        if count < len(piece):
            yield memoryview(piece)[count:] if count else piece
        count = max(0, count - len(piece))
