"""How a search ends before its own end: nobody waits for it any more, or its time is up."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

Clock = Callable[[], float]
"""Seconds that only ever grow."""

_STEPS_AT_ONCE = 20_000  # of SQLite's machine, about a millisecond


class Watch:
    """Watches one search: it may work for `seconds` (None: any time).

    What counts is the time between `begin` and `pause`, not that in which nobody asked for more.
    `give_up` may be called from any thread; the rest is for whoever searches.
    """

    def __init__(self, seconds: float | None = None, clock: Clock = time.monotonic) -> None:
        self.given_up = False
        self.is_limited = seconds is not None
        self._limit = seconds
        self._left = seconds or 0.0
        self._deadline = 0.0
        self._clock = clock

    def give_up(self) -> None:
        """Nobody waits any more."""
        self.given_up = True

    def begin(self) -> None:
        """More is asked for: time counts from here."""
        if self.is_limited:
            self._deadline = self._clock() + self._left

    def pause(self) -> None:
        """It was found; time does not count until more is asked for."""
        if self.is_limited:
            self._left = self._deadline - self._clock()

    @property
    def timed_out(self) -> bool:
        """Whether the time is up. Asked between `begin` and `pause`."""
        return self.is_limited and self._clock() >= self._deadline

    @property
    def over(self) -> bool:
        """Whether the search is to end now."""
        return self.given_up or self.timed_out

    @property
    def limit(self) -> str:
        """The time that it may take, as text."""
        return f"{self._limit or 0:g} s"

    @contextmanager
    def over_statements(self, connection: Connection) -> Iterator[None]:
        """Have SQLite look up now and then while it runs statements: it ends them when told."""
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(lambda: self.over, _STEPS_AT_ONCE)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)


UNLIMITED = Watch()
"""Over what nobody else waits for."""
