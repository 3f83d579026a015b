"""Keeps what failed in the workflow database, off the loop and never faster than is bearable.

A peer that is rejected a thousand times a second must not become a thousand transactions: what
waits to be written is counted by its cause, and there is one transaction a second at most.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import structlog

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.failures import FailureEntry, keep_failures
from isocenter.errors import IsocenterError
from isocenter.services.failures import Failure
from isocenter.services.negotiation_record import describe_negotiation

WAITING = 256
"""Different causes that may wait to be written; what comes beyond them is only counted."""

SECONDS_BETWEEN = 1.0
LONGEST_DIAGNOSIS = 500

log = structlog.get_logger(__name__)


class _Cause(NamedTuple):
    role: str
    peer: str
    what: str
    diagnosis: str


@dataclass(slots=True)
class _Waiting:
    first_at: float
    happened_at: float
    occurrences: int
    calling_ae: str
    called_ae: str
    negotiation: str | None


class FailureRecorder:
    """Keeps the newest `keep` failures in the database at `path`: a FailureLog. For any thread.

    Its thread starts, and opens the database, with the first failure.
    """

    def __init__(self, path: Path, keep: int) -> None:
        self._path = path
        self._keep = keep
        self._lock = threading.Lock()
        self._waiting: dict[_Cause, _Waiting] = {}
        self._dropped = 0
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def record(self, failure: Failure) -> None:
        """Have a failure written soon; one whose cause already waits is counted there."""
        if not self._keep or self._closing.is_set():
            return
        diagnosis = failure.diagnosis[:LONGEST_DIAGNOSIS]
        cause = _Cause(failure.role, failure.peer, failure.what, diagnosis)
        with self._lock:
            known = self._waiting.get(cause)
            if known is not None:
                known.happened_at = time.time()
                known.occurrences += 1
            elif len(self._waiting) < WAITING:
                self._waiting[cause] = _first(failure)
            else:
                self._dropped += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="failures", daemon=True)
                self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Write what waits, and end."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        workflow = None
        while True:
            self._wake.wait()
            self._wake.clear()
            closing = self._closing.is_set()
            try:
                workflow = workflow or Workflow(self._path)
                self._write(workflow)
            except (IsocenterError, OSError) as error:
                log.warning("failures could not be kept", error=error)
            if closing:
                break
            self._closing.wait(SECONDS_BETWEEN)
        if workflow is not None:
            workflow.close()

    def _write(self, workflow: Workflow) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            dropped, self._dropped = self._dropped, 0
        if dropped:
            log.warning("failures came too fast to be kept", count=dropped)
        entries = [
            FailureEntry(
                kept.first_at,
                kept.happened_at,
                kept.occurrences,
                *cause,
                kept.calling_ae,
                kept.called_ae,
                kept.negotiation,
            )
            for cause, kept in waiting.items()
        ]
        if entries:
            keep_failures(workflow, entries, self._keep)


def _first(failure: Failure) -> _Waiting:
    now = time.time()
    negotiation = None
    if failure.request is not None:
        said = describe_negotiation(failure.request, failure.response)
        negotiation = json.dumps(said, ensure_ascii=False)
    return _Waiting(now, now, 1, failure.calling_ae, failure.called_ae, negotiation)
