"""From other threads to the network loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)


class LoopPost:
    """Hands calls from other threads to the loop; many calls cost one wake-up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[Callable[[], None]] = deque()
        self._scheduled = False
        self._thread = threading.get_ident()

    def __call__(self, call: Callable[[], None]) -> None:
        """Run `call` on the loop: soon, or now if this is its thread. A closed loop drops it."""
        if threading.get_ident() == self._thread:
            call()
            return
        self._calls.append(call)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:
                self._calls.clear()

    def _run(self) -> None:
        self._scheduled = False
        calls = self._calls
        while calls:
            call = calls.popleft()
            try:
                call()
            except Exception:
                log.exception("a call on the network loop failed")
