"""The archive's background thread: whatever is too slow for the ingest thread, in order."""

import contextlib
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import structlog

HOUSEKEEPING_SECONDS = 1.0

INDEX_SECONDS = 5.0
"""How long a background task waits for the index, which on a full disk does not answer."""

log = structlog.get_logger(__name__)


class Janitor:
    """Runs tasks one after the other and, when there are none, the housekeeping."""

    def __init__(self, housekeeping: Callable[[], None]) -> None:
        self._housekeeping = housekeeping
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="archive-janitor", daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[], None]) -> None:
        """Run `task` on the janitor's thread, soon."""
        self._queue.put(task)

    def drain(self) -> None:
        """Return when everything submitted before has run."""
        done = threading.Event()
        self._queue.put(done.set)
        done.wait()

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        kept_house_at = time.monotonic()
        while True:
            with contextlib.suppress(Empty):
                task = self._queue.get(timeout=HOUSEKEEPING_SECONDS)
                if task is None:
                    return
                self._perform(task)
            if time.monotonic() - kept_house_at >= HOUSEKEEPING_SECONDS:
                self._perform(self._housekeeping)
                kept_house_at = time.monotonic()

    def _perform(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:
            log.exception("a background task of the archive failed")
