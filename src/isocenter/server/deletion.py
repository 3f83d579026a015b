"""Deletions at work on a running node: jobs that hide objects, empty packs, and purge in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.course import Course
from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.deletions import JOB_KIND, Deletions
from isocenter.archive.workflow.jobs import Backoff, Job, Jobs
from isocenter.server.audit_deletions import AuditedDeletions
from isocenter.server.config import Config
from isocenter.server.io_priority import lower_io_priority
from isocenter.server.jobs import JobRunner, Later

PATIENCE = 10.0
"""Seconds that a command waits for a reader of a pack, say; the rest is done when it is due."""

FIRST_RETRY, LONGEST_RETRY = 5.0, 300.0

LOOK_EVERY = 1.0
"""Seconds after which, at the latest, what somebody wants deleted is hidden."""


def carry_out_here(config: Config, archive: Archive, deletions: Deletions, number: int) -> None:
    """Take a deletion as far as it can go now, where no node is running. Raises what it raises."""
    deletions.jobs.revoke_leases()  # of a node that was killed: the archive is ours
    with AuditedDeletions(config) as audit:
        _carry_out(Course(archive, deletions, audit), deletions, number)


def _carry_out(course: Course, deletions: Deletions, number: int) -> None:
    while (job := deletions.claim(number)) is not None:
        try:
            reached = course.advance(number)
        except BaseException:
            deletions.jobs.put_back(job)
            raise
        if not isinstance(reached, float):
            if reached is not None:
                deletions.over(job, reached.state, **reached.values)
            return
        deletions.jobs.retry_at(job, reached, "")
        pause = reached - deletions.jobs.clock()
        if pause > PATIENCE:
            return
        time.sleep(max(pause, 0.0))


class DeletionDesk:
    """The handler of the deletion jobs of one process of a node. For the loop's thread."""

    kind = JOB_KIND

    def __init__(
        self,
        config: Config,
        archive: Archive,
        workflow: Workflow,
    ) -> None:
        self._deletions = Deletions(workflow, Jobs(workflow))
        self._audit = AuditedDeletions(config)
        others = config.workers.count > 1
        self._course = Course(archive, self._deletions, self._audit, others=others)
        # One after the other, at the lowest priority: nobody waits for them.
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="deletion", initializer=lower_io_priority
        )
        self._table = ThreadPoolExecutor(1, thread_name_prefix="deletion-jobs")
        backoff = Backoff(FIRST_RETRY, LONGEST_RETRY)
        self._runner = JobRunner(
            self._deletions.jobs, self, self._table, backoff, look_every=LOOK_EVERY
        )

    async def stop(self) -> None:
        """Leave what is not done to the next start."""
        self._course.stop()
        await self._runner.stop()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._thread.shutdown)
        await loop.run_in_executor(self._table, self._deletions.workflow.erase_log)
        self._table.shutdown(cancel_futures=True)
        self._audit.close()

    async def run(self, job: Job) -> Callable[[], bool]:
        """Take a deletion as far as it can go now. Raises Later."""
        loop = asyncio.get_running_loop()
        reached = await loop.run_in_executor(self._thread, self._course.advance, job.subject)
        if isinstance(reached, float):
            raise Later(reached)
        if reached is None:  # no such deletion
            return lambda: False
        return partial(self._deletions.over, job, reached.state, **reached.values)

    def given_up(self, job: Job, error: str) -> bool:
        """It is tried no more; `isocenter delete purge` or `restore` would try it again."""
        return self._deletions.given_up(job, error)
