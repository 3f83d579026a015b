"""Two associations back to back, for tests: whole protocol runs without a socket or a clock."""

from __future__ import annotations

from dataclasses import dataclass, field

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.events import Event
from isocenter.upperlayer.limits import (
    DEFAULT_LIMITS,
    DEFAULT_TIMEOUTS,
    AssociationLimits,
    Timeouts,
)


@dataclass(slots=True)
class MemoryLink:
    """A requestor and an acceptor with a perfect wire between them.

    `pump` carries bytes until neither side has more to say and collects what each side reports.
    Events hold views of bytes that nobody reuses, so they stay valid. `now` moves by hand.
    """

    requestor: Association
    acceptor: Association
    now: float = 0.0
    requestor_events: list[Event] = field(default_factory=list)
    acceptor_events: list[Event] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        *,
        limits: AssociationLimits = DEFAULT_LIMITS,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        now: float = 0.0,
    ) -> MemoryLink:
        """Two fresh associations whose transport connection is made."""
        requestor = Association(requestor=True, limits=limits, timeouts=timeouts, now=now)
        acceptor = Association(requestor=False, limits=limits, timeouts=timeouts, now=now)
        requestor.connection_made(now)
        acceptor.connection_made(now)
        return cls(requestor, acceptor, now)

    def pump(self) -> tuple[list[Event], list[Event]]:
        """Carry all bytes both ways; the new events of (requestor, acceptor)."""
        new_requestor: list[Event] = []
        new_acceptor: list[Event] = []
        while True:
            outgoing = b"".join(self.requestor.data_to_send())
            incoming = b"".join(self.acceptor.data_to_send())
            if outgoing:
                new_acceptor += self.acceptor.receive_data(memoryview(outgoing), self.now)
            if incoming:
                new_requestor += self.requestor.receive_data(memoryview(incoming), self.now)
            if not outgoing and not incoming:
                break
        self.requestor_events += new_requestor
        self.acceptor_events += new_acceptor
        return new_requestor, new_acceptor

    def hang_up(self) -> tuple[list[Event], list[Event]]:
        """Close the transport connection; the new events of (requestor, acceptor)."""
        new_requestor = self.requestor.connection_lost(self.now)
        new_acceptor = self.acceptor.connection_lost(self.now)
        self.requestor_events += new_requestor
        self.acceptor_events += new_acceptor
        return new_requestor, new_acceptor
