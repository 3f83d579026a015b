"""Keeps events in the audit trail, away from the loop: a thread, and a transaction now and then.

Nothing is dropped in silence. While the database takes nothing, messages wait in memory; when many
do, or the node stops, they go to `audit.overflow` and are taken back later, by the next start at
the latest. Should that fail too and more wait than memory shall hold, they are counted, the log
says so, and the trail will (Audit Recording Stopped). Alerts that repeat are counted, too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import structlog

from isocenter.archive.layout import AUDIT_OVERFLOW
from isocenter.errors import IsocenterError
from isocenter.security.audit import codes, kinds
from isocenter.security.audit.chain import Draft, draft
from isocenter.security.audit.codes import Outcome
from isocenter.security.audit.events import Event, Here
from isocenter.security.audit.messages import source_name
from isocenter.security.audit.trail import AuditTrail
from isocenter.server.audit_overflow import Overflow

SECONDS_BETWEEN = 1.0
"""Between two transactions of a process: what a kill -9 can take with it."""

LONGEST_PAUSE = 30.0
"""Between two tries while the database takes nothing."""

WRITTEN_TOGETHER = 500
KEPT_WAITING = 2_000
"""Messages that wait in memory while the database takes nothing, before they go to the file."""

MOST_WAITING = 100_000
"""Events, and different alerts, that wait at all; what comes beyond them is only counted."""

Occurrences = Callable[[], Iterable[Event]]
"""Makes events when it is called, on the recorder's thread."""

log = structlog.get_logger(__name__)


class AuditRecorder:
    """Records events in the trail at `path`. For any thread.

    Its thread starts, and opens the database, with the first event.
    """

    def __init__(self, path: Path, here: Here) -> None:
        self.here = here
        self._source = source_name(here.ae_titles, here.host)
        self._trail = AuditTrail(path, required=False)
        self._overflow = Overflow(path.with_name(AUDIT_OVERFLOW))
        self._lock = threading.Lock()
        self._waiting: deque[Occurrences] = deque()
        self._alerts: Counter[Event] = Counter()
        self._moments: dict[Event, float] = {}
        self._lost = 0
        self._unwritten: list[Draft] = []
        self._pause = SECONDS_BETWEEN
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self, occurrences: Occurrences) -> None:
        """Have events written soon; they are made on another thread."""
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._lost += 1
            else:
                self._waiting.append(occurrences)
            self._start()
        self._wake.set()

    def alert(self, event: Event) -> None:
        """Have an event written soon that may repeat fast: then it is one message with a number."""
        with self._lock:
            if event not in self._alerts and len(self._alerts) >= MOST_WAITING:
                self._lost += 1
            else:
                self._alerts[event] += 1
                self._moments.setdefault(event, event.moment)
            self._start()
        self._wake.set()

    def close(self) -> None:
        """Write what waits, to the file if need be, and end."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._trail.close()

    def _start(self) -> None:
        if self._thread is None and not self._closing.is_set():
            self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()

    # On the thread

    def _run(self) -> None:
        self._take_back()
        while True:
            self._wake.wait(timeout=self._pause if self._unwritten else None)
            self._wake.clear()
            closing = self._closing.is_set()
            self._unwritten += self._drafts()
            self._write()
            if closing:
                self._spill()
                return
            if len(self._unwritten) > KEPT_WAITING:
                self._spill()
            self._closing.wait(self._pause)

    def _drafts(self) -> list[Draft]:
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            alerts, self._alerts = self._alerts, Counter()
            moments, self._moments = self._moments, {}
            lost, self._lost = self._lost, 0
        drafts = []
        for occurrences in waiting:
            try:
                drafts += [draft(event, self._source) for event in occurrences()]
            except Exception:
                log.exception("an event could not be put into the audit trail")
                drafts.append(self._stopped("An event could not be put into words"))
        for event, count in alerts.items():
            told = replace(event, moment=moments[event])
            if count > 1:
                told = replace(told, description=f"{event.description} ({count} times)".strip())
            drafts.append(draft(told, self._source))
        if lost:
            log.error("audit events were lost", count=lost)
            drafts.append(self._stopped(f"{lost} events were lost while nothing could be written"))
        return drafts

    def _write(self) -> None:
        try:
            while self._unwritten:
                some = self._unwritten[:WRITTEN_TOGETHER]
                self._trail.append(some, self._broken)
                del self._unwritten[: len(some)]
        except IsocenterError as error:
            if self._pause == SECONDS_BETWEEN:
                log.error("the audit trail cannot be written", error=error)
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
            return
        if self._pause > SECONDS_BETWEEN:
            log.warning("the audit trail can be written again")
            self._pause = SECONDS_BETWEEN
            self._take_back()

    def _spill(self) -> None:
        """Put what the database does not take into the file."""
        if not self._unwritten:
            return
        try:
            self._overflow.put(self._unwritten)
        except OSError as error:
            log.error("audit messages wait in memory only", error=error.strerror or str(error))
            if self._closing.is_set():
                log.error("audit events were lost", count=len(self._unwritten))
            elif (beyond := len(self._unwritten) - MOST_WAITING) > 0:
                del self._unwritten[:beyond]
                with self._lock:
                    self._lost += beyond
            return
        log.warning("put audit messages into the overflow file", count=len(self._unwritten))
        self._unwritten.clear()

    def _take_back(self) -> None:
        if self._overflow.is_empty:
            return
        try:
            count = self._overflow.take_back(lambda some: self._trail.append(some, self._broken))
        except (IsocenterError, OSError) as error:
            log.error("the overflow file of the audit trail waits", error=error)
            return
        log.info("took audit messages back from the overflow file", count=count)

    def _broken(self, what: str) -> Draft:
        return draft(broken_trail(self.here, what), self._source)

    def _stopped(self, what: str) -> Draft:
        alert = kinds.security_alert(
            self.here,
            codes.RECORDING_STOPPED,
            what,
            time.time(),
            outcome=Outcome.SERIOUS_FAILURE,
        )
        return draft(alert, self._source)


def broken_trail(here: Here, what: str) -> Event:
    """An alert for the trail itself: that it was changed from outside. The log is told as well."""
    log.error("the audit trail was changed from outside", why=what)
    return kinds.security_alert(
        here, codes.TRAIL_BROKEN, what, time.time(), outcome=Outcome.MAJOR_FAILURE
    )
