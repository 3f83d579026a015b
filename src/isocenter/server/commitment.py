"""Storage Commitment at work: transactions registered, instances checked, reports delivered.

A transaction is one durable job. The process that took the request has the job first, because it
may hold the association on which the report is wanted; should it die, any other takes it up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.safekeeping import NO_SUCH_OBJECT_INSTANCE, Found, Safekeeping
from isocenter.archive.study_counts import count_instances
from isocenter.archive.workflow.commitments import (
    JOB_KIND,
    Commitments,
    CommitmentState,
    Registered,
    Transaction,
)
from isocenter.archive.workflow.database import Workflow
from isocenter.archive.workflow.jobs import Backoff, Job, Jobs
from isocenter.errors import IsocenterError
from isocenter.server.audit import AuditDesk
from isocenter.server.commitment_delivery import ReportDelivery, Requester
from isocenter.server.config import Config
from isocenter.server.io_priority import lower_io_priority
from isocenter.server.jobs import JobRunner
from isocenter.server.peers import Peers
from isocenter.services.destination import Destinations
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.storage_commitment import CommitmentReport, Reference
from isocenter.services.storage_commitment_scp import (
    Acceptance,
    CommitmentRequest,
    Registration,
    StorageCommitmentProvider,
)
from isocenter.upperlayer.contexts import AcceptedContext

SLICE = 200
"""Instances looked up at a time."""

SLICE_BYTES = 64 * 1024 * 1024
"""Bytes read back at a time: then another transaction has its turn."""

OFFERED = 16
"""Old reports taken up at a time for a requester that has associated."""

SECOND_LOOK_SECONDS = 1.0
"""An instance that another process has just acknowledged may not be in the index yet."""

TIDY_EVERY = 3600.0

_OUTCOMES = {
    Registered.NEW: Acceptance.TAKEN,
    Registered.REPEATED: Acceptance.TAKEN,
    Registered.CONFLICT: Acceptance.CONFLICT,
    Registered.TOO_MANY: Acceptance.TOO_MANY,
}

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class CommitmentDesk:
    """The register of one process of a node, and the handler of its commitment jobs."""

    kind = JOB_KIND

    def __init__(
        self,
        config: Config,
        archive: Archive,
        workflow: Workflow,
        peers: Peers,
        destinations: Destinations,
        audit: AuditDesk,
    ) -> None:
        self._archive = archive
        self._audit = audit
        settings = self._settings = config.commitment
        self._commitments = Commitments(workflow, Jobs(workflow))
        self._safekeeping = Safekeeping(archive)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="commitment")
        self._check_thread = ThreadPoolExecutor(
            1, thread_name_prefix="safekeeping", initializer=lower_io_priority
        )
        self._delivery = ReportDelivery(config, peers, destinations, self._threads)
        self._runner = JobRunner(
            self._commitments.jobs,
            self,
            self._threads,
            Backoff(settings.first_retry, settings.longest_retry),
        )
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._keep(self._loop.create_task(self._tidy()))
        self.provider = StorageCommitmentProvider(
            self, self._threads, maximum=settings.maximum_instances
        )

    async def stop(self) -> None:
        """Leave what is not done to the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._runner.stop()
        self._threads.shutdown(cancel_futures=True)
        self._check_thread.shutdown(cancel_futures=True)

    # As the register of the N-ACTION provider

    def register(self, request: CommitmentRequest) -> Registration:
        """Make a request durable; on a thread. Raises WorkflowUnavailable."""
        outcome, number, job = self._commitments.register(
            request.requester_ae,
            request.provider_ae,
            request.transaction_uid,
            request.references,
            scope=request.scope,
            seconds=self._settings.retry_for,
            limit=self._settings.open_instances,
        )
        return Registration(_OUTCOMES[outcome], partial(self._proceed, number, job))

    def associated(self, association: ProvidedAssociation) -> None:
        """An association with a commitment context: old reports may be waiting for it."""
        context = self._delivery.context_for_old_reports(association)
        if context is not None:
            self._keep(self._loop.create_task(self._offer(association, context)))

    def _proceed(
        self,
        number: int,
        job: Job | None,
        association: ProvidedAssociation,
        context: AcceptedContext,
    ) -> None:
        self._delivery.opened(number, association, context)
        if job is not None:
            self._runner.begin(job)
        else:  # a repetition, whose job is due now
            self._runner.wake()

    async def _offer(self, association: ProvidedAssociation, context: AcceptedContext) -> None:
        last = 0
        while await self._delivery.is_quiet(association):
            try:
                jobs = await self._on_thread(
                    self._commitments.claim_checked, association.calling_ae_title, last, OFFERED
                )
            except IsocenterError as error:
                log.error("could not look for reports", error=error)
                return
            if not jobs:
                return
            last = max(job.subject for job in jobs)
            for job in jobs:
                self._delivery.offered(job.subject, association, context)
            await asyncio.wait([self._runner.begin(job) for job in jobs])

    # As the handler of jobs

    async def run(self, job: Job) -> Callable[[], bool]:
        """Check a transaction's instances if that is still to be done, then deliver the report."""
        times_asked = await self._on_thread(self._commitments.times_asked, job.subject)
        transaction = await self._on_thread(self._commitments.load, job.subject)
        if transaction is None:  # it has been forgotten meanwhile, and its job with it
            return lambda: False
        if transaction.state is not CommitmentState.CHECKED:
            transaction = await self._check(transaction)
        requester = Requester(transaction.number, transaction.requester_ae, transaction.provider_ae)
        await self._delivery.deliver(requester, _report(transaction))
        return partial(self._commitments.reported, job, times_asked)

    def given_up(self, job: Job, error: str) -> bool:
        """The report could not be delivered in time."""
        return self._commitments.given_up(job, error)

    async def _check(self, transaction: Transaction) -> Transaction:
        everything = range(len(transaction.instances))
        failures = await self._unsafe(transaction, everything)
        absent = [at for at, reason in failures.items() if reason == NO_SUCH_OBJECT_INSTANCE]
        if absent:
            await asyncio.sleep(SECOND_LOOK_SECONDS)
            for position in absent:
                del failures[position]
            failures |= await self._unsafe(transaction, absent)
        await self._on_thread(self._commitments.checked, transaction.number, failures)
        await self._tell(transaction, len(failures))
        log.info(
            "checked what commitment was asked for",
            calling_ae=transaction.requester_ae,
            instances=len(transaction.instances),
            failed=len(failures),
        )
        return transaction._replace(failures=failures)

    async def _tell(self, transaction: Transaction, failed: int) -> None:
        """Have it kept for whom instances were read back."""
        uids = [uid for _, uid in transaction.instances]
        try:
            studies = await self._on_thread(count_instances, self._archive.index, uids)
        except IsocenterError as error:
            log.error("could not tell of a commitment", error=error)
            return
        self._audit.vouched_for(transaction.requester_ae, studies, failed)

    async def _unsafe(self, transaction: Transaction, positions: Sequence[int]) -> dict[int, int]:
        """Why instances at some positions cannot be committed."""
        failures: dict[int, int] = {}
        for start in range(0, len(positions), SLICE):
            some = positions[start : start + SLICE]
            instances = [transaction.instances[position] for position in some]
            found, unsafe = await self._loop.run_in_executor(
                self._check_thread,
                self._safekeeping.survey,
                instances,
                transaction.requester_ae,
                transaction.scope,
            )
            for batch in _batches(found):
                unsafe += await self._loop.run_in_executor(
                    self._check_thread, self._safekeeping.examine, batch
                )
            failures.update((some[at], reason) for at, reason in unsafe)
        return failures

    async def _tidy(self) -> None:
        while True:
            moment = time.time() - self._settings.keep_for
            try:
                await self._on_thread(self._commitments.forget_before, moment)
            except IsocenterError as error:
                log.error("could not drop old transactions", error=error)
            await asyncio.sleep(TIDY_EVERY)

    async def _on_thread(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._loop.run_in_executor(self._threads, partial(call, *args, **kwargs))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _batches(found: Sequence[Found]) -> Iterator[list[Found]]:
    """Neighbours that are read in one turn."""
    batch: list[Found] = []
    size = 0
    for one in found:
        batch.append(one)
        size += one.location.length
        if size >= SLICE_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _report(transaction: Transaction) -> CommitmentReport:
    references = [Reference(*one) for one in transaction.instances]
    failures = transaction.failures
    return CommitmentReport(
        transaction.transaction_uid,
        [one for position, one in enumerate(references) if position not in failures],
        {references[position]: reason for position, reason in sorted(failures.items())},
    )
