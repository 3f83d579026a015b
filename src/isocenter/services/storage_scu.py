"""Storage Service Class (PS3.4 Annex B), user: sending files with C-STORE.

Files are sorted into associations (`storage_plan`), sent by one thread per association over
blocking sockets, and judged one by one (`storage_report`). The provider's side is in `storage`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from isocenter.dimse.errors import DimseError
from isocenter.dimse.messages import CStoreRSP
from isocenter.dimse.status import Category, Service, Status, describe, is_out_of_resources
from isocenter.encoding.files import StorableFile, read_data_set
from isocenter.services.association import ClientAssociation, Destination
from isocenter.services.errors import Interrupted, NoPresentationContext
from isocenter.services.pipelining import StorePipeline
from isocenter.services.storage_plan import Context, plan_associations
from isocenter.services.storage_report import FileResult, SendOutcome, SendReport
from isocenter.services.verification_scu import verify
from isocenter.upperlayer.errors import (
    AssociationRejectedError,
    LocalProtocolError,
    UpperLayerError,
)
from isocenter.upperlayer.reasons import RejectResult

_CANCEL_GRACE = 5.0  # seconds for the files under way, before their associations are aborted

_OUTCOMES = {Category.SUCCESS: SendOutcome.ACCEPTED, Category.WARNING: SendOutcome.WARNED}


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try again after a lost association or a peer out of resources (A7xx).

    The delays, in seconds, double from `first_delay` up to `longest_delay`.
    """

    retries: int = 3
    first_delay: float = 0.5
    longest_delay: float = 30.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after this many failures in a row."""
        return min(self.first_delay * 2.0 ** (failures - 1), self.longest_delay)


def send_files(
    files: Iterable[StorableFile],
    destination: Destination,
    *,
    associations: int = 1,
    repeat: int = 1,
    retry: RetryPolicy | None = None,
    preflight: bool = True,
    on_result: Callable[[FileResult], None] | None = None,
) -> SendReport:
    """Send files with C-STORE, over several associations at a time if asked to.

    `repeat` sends the whole list that many times. `preflight` first verifies the destination with
    a C-ECHO on an association of its own. `on_result` hears of each result as it comes, from the
    sending threads but never from two at once.

    A file that cannot be sent is refused in the report, with the reason; nothing else suffers. A
    lost association is made anew and its files tried again as `retry` says. KeyboardInterrupt ends
    the sending in good order: the files under way are finished, or their associations aborted
    after five seconds or a second interrupt; the report so far is returned with `canceled` set.

    Raises VerificationFailed if the preflight fails, before anything is sent.
    """
    if associations < 1 or repeat < 1:
        raise ValueError("associations and repeat count from one")
    if preflight:
        verify(destination)
    batches = [
        _Batch(
            plan.contexts,
            deque(_Job(file) for _ in range(repeat) for file in plan.files),
            destination.window,
        )
        for plan in plan_associations(files)
    ]
    sending = _Sending(destination, batches, retry or RetryPolicy(), on_result)
    started = time.monotonic()
    sending.run(min(associations, sum(len(batch.jobs) for batch in batches)))
    sending.report.seconds = time.monotonic() - started
    return sending.report


@dataclass(slots=True)
class _Job:
    file: StorableFile
    attempts: int = 0


@dataclass(slots=True)
class _Batch:
    contexts: list[Context]
    jobs: deque[_Job]
    window: int


class _Sending:
    """What the threads of one `send_files` share."""

    def __init__(
        self,
        destination: Destination,
        batches: list[_Batch],
        retry: RetryPolicy,
        on_result: Callable[[FileResult], None] | None,
    ) -> None:
        self.destination = destination
        self.batches = batches
        self.retry = retry
        self.report = SendReport()
        self.stop = threading.Event()
        self.trouble = ""  # why the last association failed
        self._on_result = on_result
        self._lock = threading.Lock()
        self._give_up = threading.Event()  # unlike `stop`, does not wait for the files under way
        self._running = 0
        self._finished = threading.Event()
        self._failure: BaseException | None = None

    def run(self, workers: int) -> None:
        """Send everything with that many threads, then account for what none of them could."""
        threads = [
            threading.Thread(target=self._work, args=(number,), name=f"storage-scu-{number}")
            for number in range(workers)
        ]
        self._running = workers
        for thread in threads:
            thread.start()
        try:
            self._wait(None)
        except KeyboardInterrupt:
            self._cancel()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure
        self._settle_leftovers()

    def connect(self, batch: _Batch) -> ClientAssociation:
        """An association for a batch."""
        association = self.destination.connect(batch.contexts, give_up=self._give_up)
        with self._lock:
            self.report.associations += 1
        return association

    def record(self, result: FileResult) -> None:
        """Take down a result and pass it on."""
        with self._lock:
            self.report.add(result)
            if self._on_result is not None:
                self._on_result(result)

    def _work(self, number: int) -> None:
        try:
            _Worker(self).run(number)
        except BaseException as error:  # must surface in the caller's thread, not on stderr
            self._failure = error
            self.stop.set()
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._finished.set()

    def _wait(self, timeout: float | None) -> None:
        """Wait for the threads; unlike Thread.join, KeyboardInterrupt can break this off."""
        if self._running:
            self._finished.wait(timeout)

    def _cancel(self) -> None:
        self.report.canceled = True
        self.stop.set()
        with suppress(KeyboardInterrupt):
            self._wait(_CANCEL_GRACE)
        self._give_up.set()
        self._wait(None)

    def _settle_leftovers(self) -> None:
        for batch in self.batches:
            while batch.jobs:
                job = batch.jobs.popleft()
                if self.report.canceled:
                    self.report.unsent.append(job.file)
                else:
                    reason = self.trouble or "no association"
                    self.record(_refusal(job, None, reason))


class _Worker:
    """One thread's association after the other, until no batch has a job left."""

    def __init__(self, sending: _Sending) -> None:
        self._sending = sending
        self._failures = 0  # lost or refused associations since the last response
        self._peer_is_full = False  # retrying A7xx was in vain since the last success

    def run(self, number: int) -> None:
        """Empty the batches, each thread starting with another one."""
        batches = self._sending.batches
        for shift in range(len(batches)):
            self._empty(batches[(number + shift) % len(batches)])

    def _empty(self, batch: _Batch) -> None:
        sending = self._sending
        self._failures = 0
        while batch.jobs and not sending.stop.is_set():
            try:
                self._store_on_one_association(batch)
            except Interrupted:
                return
            except (UpperLayerError, DimseError) as error:
                sending.trouble = str(error)
                self._failures += 1
                if _is_final(error) or self._failures > sending.retry.retries:
                    return
                sending.stop.wait(sending.retry.delay(self._failures))

    def _store_on_one_association(self, batch: _Batch) -> None:
        with self._sending.connect(batch) as association:
            pipeline: StorePipeline[_Job] = StorePipeline(association, batch.window)
            try:
                while self._advance(pipeline, batch):
                    pass
            except Interrupted:
                batch.jobs.extendleft(reversed(pipeline.outstanding))
                raise
            except (UpperLayerError, DimseError) as error:
                self._association_lost(batch, pipeline.outstanding, error)
                raise

    def _advance(self, pipeline: StorePipeline[_Job], batch: _Batch) -> bool:
        """Send one more file, or wait for a response; False when there is neither."""
        if pipeline.has_room and (job := self._next_job(batch)) is not None:
            self._send(pipeline, batch, job)
            return True
        if not pipeline.outstanding:
            return False
        job, response = pipeline.receive()
        self._failures = 0
        self._judge(batch, job, response)
        return True

    def _next_job(self, batch: _Batch) -> _Job | None:
        if self._sending.stop.is_set():
            return None
        try:
            return batch.jobs.popleft()
        except IndexError:  # another thread took the last one
            return None

    def _send(self, pipeline: StorePipeline[_Job], batch: _Batch, job: _Job) -> None:
        file = job.file
        job.attempts += 1
        try:
            data_set = read_data_set(file)
        except OSError as error:
            self._sending.record(_refusal(job, None, f"unreadable: {error}"))
            return
        try:
            pipeline.send(
                job, file.sop_class_uid, file.sop_instance_uid, file.transfer_syntax_uid, data_set
            )
        except NoPresentationContext as error:
            self._sending.record(_refusal(job, None, str(error)))
        except (UpperLayerError, DimseError) as error:
            self._association_lost(batch, [job], error)
            raise

    def _association_lost(self, batch: _Batch, jobs: list[_Job], error: Exception) -> None:
        """A file may be what the peer choked on, so it goes behind the others.

        Which one is only known if there is no other beside it: from now on they go one by one.
        """
        batch.window = 1
        for job in jobs:
            if job.attempts > self._sending.retry.retries:
                self._sending.record(_refusal(job, None, str(error)))
            else:
                batch.jobs.append(job)

    def _judge(self, batch: _Batch, job: _Job, response: CStoreRSP) -> None:
        sending = self._sending
        status = describe(response.status, Service.STORAGE)
        if is_out_of_resources(status.code) and not self._peer_is_full:
            if job.attempts <= sending.retry.retries:
                batch.jobs.appendleft(job)
                sending.stop.wait(sending.retry.delay(job.attempts))
                return
            self._peer_is_full = True
        outcome = _OUTCOMES.get(status.category, SendOutcome.REFUSED)
        if outcome is not SendOutcome.REFUSED:
            self._peer_is_full = False
        reason = ""
        if outcome is not SendOutcome.ACCEPTED:
            comment = response.error_comment
            reason = f"{status}: {comment}" if comment else str(status)
        sending.record(FileResult(job.file, outcome, status, reason, job.attempts))


def _refusal(job: _Job, status: Status | None, reason: str) -> FileResult:
    return FileResult(job.file, SendOutcome.REFUSED, status, reason, job.attempts)


def _is_final(error: Exception) -> bool:
    """Whether trying again cannot help."""
    if isinstance(error, AssociationRejectedError):
        return error.result == RejectResult.REJECTED_PERMANENT
    return isinstance(error, LocalProtocolError)
