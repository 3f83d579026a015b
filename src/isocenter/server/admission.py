"""How many connections a node bears: those of associations, and those that may become one.

A connection that has no association yet costs its peer nothing, so however many of them there are
must not keep anybody else out. They have a room of their own. When it is full, the next one still
gets in, and the oldest connection of the address that has most of them there makes room for it; an
honest peer says what it wants within moments and leaves the room again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import structlog

from isocenter.server.config import LimitsSection

QUIET_SECONDS = 60.0
"""The least time between two lines of the log about a full room: a flood must not fill the log."""

C = TypeVar("C", bound=Hashable)

log = structlog.get_logger(__name__)


class WaitingRoom(Generic[C]):
    """Connections without an association, `room` of them at most."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._hosts: dict[C, str] = {}
        self._of_host: dict[str, dict[C, None]] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._hosts)

    def enter(self, connection: C, host: str) -> C | None:
        """Take in a connection; return the one that must be closed for it, if the room was full."""
        expelled = self._expel() if len(self._hosts) >= self._room else None
        self._hosts[connection] = host
        self._of_host.setdefault(host, {})[connection] = None
        return expelled

    def leave(self, connection: C) -> str | None:
        """A connection has got its association, or has ended; return its host if it was here."""
        host = self._hosts.pop(connection, None)
        if host is not None:
            del self._of_host[host][connection]
            if not self._of_host[host]:
                del self._of_host[host]
        return host

    def _expel(self) -> C:
        busiest = max(self._of_host.values(), key=len)  # of several the one that is here longest
        oldest = next(iter(busiest))
        self.leave(oldest)
        return oldest


class Admission(Generic[C]):
    """Counts a node's connections, by whatever identifies them. For one thread.

    `clock` gives the time in seconds.
    """

    def __init__(self, limits: LimitsSection, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._waiting: WaitingRoom[C] = WaitingRoom(limits.half_open)
        self._hosts: dict[C, str] = {}
        self._per_host: Counter[str] = Counter()
        self._told_at = -QUIET_SECONDS
        self.expelled = 0
        """Connections that had to make room, since the start."""

    @property
    def waiting(self) -> int:
        """Connections without an association."""
        return len(self._waiting)

    @property
    def associations(self) -> int:
        """Connections with one."""
        return len(self._hosts)

    def connected(self, connection: C, host: str) -> C | None:
        """There is a new connection; return the one that the caller must close for it, if any."""
        expelled = self._waiting.enter(connection, host)
        if expelled is not None:
            self.expelled += 1
            self._tell(host)
        return expelled

    def is_crowded(self, host: str) -> bool:
        """Whether a further association with this host would be one too many."""
        limits = self._limits
        return (
            len(self._hosts) >= limits.associations
            or self._per_host[host] >= limits.associations_per_peer
        )

    def associated(self, connection: C) -> None:
        """A connection has got its association, which lasts until it is closed."""
        host = self._waiting.leave(connection)
        if host is not None:
            self._hosts[connection] = host
            self._per_host[host] += 1

    def closed(self, connection: C) -> None:
        """A connection is gone; one that is not counted any more may be, too."""
        self._waiting.leave(connection)
        host = self._hosts.pop(connection, None)
        if host is not None:
            self._per_host[host] -= 1
            if not self._per_host[host]:
                del self._per_host[host]

    def _tell(self, host: str) -> None:
        now = self._clock()
        if now - self._told_at >= QUIET_SECONDS:
            self._told_at = now
            log.warning(
                "too many connections without an association; the oldest of the address that has "
                "most are closed",
                host=host,
                limit=self._limits.half_open,
                count=self.expelled,
            )
