"""Queries in progress: how many are open at one time, and whose gives way.

An open query holds a cursor of the database for as long as its peer takes to read the matches. Only
so many are open; further ones wait to be started, a host at a time. While some wait, a query whose
peer has read nothing for a while is ended: the oldest of the host that has most of such.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from isocenter.services.fair_threads import FairThreads, Task

OPEN = 64
"""Queries open at one time in a process."""

PATIENCE = 1.0
"""Seconds for which a peer may read nothing while other queries wait to be started."""


class Query(Protocol):
    """One query of a peer."""

    @property
    def host(self) -> str:
        """The peer's network address."""

    def start(self) -> None:
        """It is among the open ones now."""

    def give_way(self) -> None:
        """End, and close the cursor: others wait for one."""


class Clock(Protocol):
    """What the desk uses of an event loop."""

    def time(self) -> float:
        """Seconds."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> object:
        """Have something called in so many seconds."""


class QueryDesk:
    """The queries of one process. For the loop's thread."""

    def __init__(self, threads: FairThreads, clock: Clock, *, open_at_once: int = OPEN) -> None:
        self._threads = threads
        self._clock = clock
        self._most = open_at_once
        self._open: set[Query] = set()
        self._coming: OrderedDict[str, deque[Query]] = OrderedDict()  # by host; whose turn is next
        self._unread: dict[Query, float] = {}  # since when; the oldest first
        self._looking = False

    def run(self, query: Query, task: Task) -> None:
        """Run a step of a query on a thread. Raises RuntimeError when they have been shut down."""
        self._threads.submit(query.host, task)

    def begin(self, query: Query) -> None:
        """Start a query, now or once there is room."""
        if len(self._open) < self._most:
            self._start(query)
        else:
            self._coming.setdefault(query.host, deque()).append(query)
            self._look()

    def stopped_reading(self, query: Query) -> None:
        """Its peer takes no more matches for now."""
        self._unread[query] = self._clock.time()
        if self._coming:
            self._look()

    def reads_again(self, query: Query) -> None:
        """It does."""
        self._unread.pop(query, None)

    def ended(self, query: Query) -> None:
        """A query holds no cursor any more, or never will; it may be told of again."""
        self._unread.pop(query, None)
        self._forget(query)
        self._open.discard(query)
        while self._coming and len(self._open) < self._most:
            self._start(self._next())

    def _start(self, query: Query) -> None:
        self._open.add(query)
        query.start()

    def _next(self) -> Query:
        host, queries = next(iter(self._coming.items()))
        query = queries.popleft()
        if queries:
            self._coming.move_to_end(host)
        else:
            del self._coming[host]
        return query

    def _forget(self, query: Query) -> None:
        """It does not want to be started any more."""
        queries = self._coming.get(query.host)
        if queries is not None and query in queries:
            queries.remove(query)
            if not queries:
                del self._coming[query.host]

    def _look(self) -> None:
        """See in a moment, unless that is to come already, whether somebody must give way."""
        if not self._looking:
            self._looking = True
            self._clock.call_later(PATIENCE / 2, self._make_room)

    def _make_room(self) -> None:
        self._looking = False
        while self._coming and (slow := self._slowest()) is not None:
            self._unread.pop(slow)
            slow.give_way()
        if self._coming:
            self._look()

    def _slowest(self) -> Query | None:
        since = self._clock.time() - PATIENCE
        late = [query for query, stopped in self._unread.items() if stopped <= since]
        if not late:
            return None
        per_host = Counter(query.host for query in late)
        return max(late, key=lambda query: per_host[query.host])  # of several the oldest
