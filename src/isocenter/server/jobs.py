"""Running durable jobs of one kind on the network loop, beside the other processes of the node.

Jobs are found in the table (`archive.workflow.jobs`), or handed over by whoever has just made them.
While a job is worked on its lease is renewed; when the node stops it is given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Protocol, TypeVar

import structlog

from isocenter.archive.workflow.jobs import Backoff, Job, Jobs
from isocenter.errors import IsocenterError

AT_ONCE = 16
"""Jobs of a kind that a process works on at a time; few of them are ever doing something."""

LOOK_EVERY = 5.0
"""Seconds between two looks at the table: another process may have left something to do."""

RENEWALS = 3
"""How often a lease is renewed before it would run out."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Parked(IsocenterError):
    """A job that nothing can be done about now: it waits to be claimed on another occasion."""


class Later(IsocenterError):
    """A job that is done for now, and due again at `due_at`, in seconds since the epoch."""

    def __init__(self, due_at: float) -> None:
        super().__init__("It is due again later.")
        self.due_at = due_at


class Hopeless(IsocenterError):
    """A job that no further attempt can help."""


class JobHandler(Protocol):
    """What one kind of job is, and how it ends."""

    kind: str

    async def run(self, job: Job) -> Callable[[], bool]:
        """Do the job; return what notes durably, on a thread, that it is done.

        That returns False if the job was lost. Raises Parked, Later, Hopeless, and any other error
        to have the job tried again.
        """

    def given_up(self, job: Job, error: str) -> bool:
        """Note durably that the job is tried no more; on a thread. False if it was lost."""


class JobRunner:
    """Works on the jobs of one kind. For the loop's thread."""

    def __init__(
        self,
        jobs: Jobs,
        handler: JobHandler,
        threads: Executor,
        backoff: Backoff,
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._look_every = look_every
        self._jobs = jobs
        self._handler = handler
        self._threads = threads
        self._backoff = backoff
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], Job] = {}
        self._looking = asyncio.get_running_loop().create_task(self._look_for_work())

    def begin(self, job: Job) -> asyncio.Task[None]:
        """Work on a job that this process has claimed already."""
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._running[task] = job
        task.add_done_callback(self._ended)
        return task

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    async def stop(self) -> None:
        """Break off, and leave what is not done to the next process."""
        left = dict(self._running)
        tasks = [self._looking, *left]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in left.values():
            try:
                await self._on_thread(self._jobs.put_back, job)
            except IsocenterError as error:
                log.warning("a job was left to the end of its lease", error=error)

    async def _look_for_work(self) -> None:
        while True:
            self._wake.clear()
            pause = self._look_every
            try:
                free = AT_ONCE - len(self._running)
                if free > 0:
                    for job in await self._on_thread(self._jobs.claim, self._handler.kind, free):
                        self.begin(job)
                    pause = await self._pause()
            except IsocenterError as error:
                log.error("could not look for jobs", error=error)
            except Exception:  # or no job would be done until the next start
                log.exception("looking for jobs failed on an error of ours")
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _pause(self) -> float:
        due = await self._on_thread(self._jobs.next_due, self._handler.kind)
        if due is None:
            return self._look_every
        return min(max(due - self._jobs.clock(), 0.05), self._look_every)

    async def _run(self, job: Job) -> None:
        work = asyncio.get_running_loop().create_task(self._handler.run(job))
        try:
            await self._keep_lease(job, work)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            raise
        try:
            if (error := work.exception()) is None:
                await self._on_thread(work.result())
            else:
                await self._settle(job, error)
        except IsocenterError as trouble:  # the lease will run out, and the job be taken up again
            log.error("could not note what became of a job", error=trouble)

    async def _keep_lease(self, job: Job, work: asyncio.Task[Callable[[], bool]]) -> None:
        """Wait for the work; give it up when the job is no longer ours."""
        while not (await asyncio.wait([work], timeout=self._jobs.lease / RENEWALS))[0]:
            try:
                if not await self._on_thread(self._jobs.renew, job):
                    log.warning("a job was lost to another process")
                    work.cancel()
                    await asyncio.wait([work])
            except IsocenterError as error:
                log.warning("the lease of a job could not be renewed", error=error)
        if work.cancelled():
            raise asyncio.CancelledError

    async def _settle(self, job: Job, error: BaseException) -> None:
        """An attempt has failed."""
        if isinstance(error, Later):
            await self._on_thread(self._jobs.retry_at, job, error.due_at, "")
            self.wake()
            return
        reason = _in_words(error)
        if not isinstance(error, (IsocenterError, OSError)):
            log.error("a job failed on an error of ours", exc_info=error)
        if isinstance(error, Hopeless) or self._jobs.is_expired(job):
            log.error("gave a job up", attempt=job.attempts, why=reason)
            await self._on_thread(self._handler.given_up, job, reason)
        elif isinstance(error, Parked):
            await self._on_thread(self._jobs.retry_at, job, job.expires_at, reason)
        else:
            delay = self._backoff.delay(job.attempts)
            log.warning(
                "a job has to be tried again",
                attempt=job.attempts,
                why=reason,
                retry_in=round(delay, 1),
            )
            await self._on_thread(self._jobs.retry_at, job, self._jobs.clock() + delay, reason)
        self.wake()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        self.wake()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a job failed on an error of ours", exc_info=error)

    async def _on_thread(self, call: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: call(*arguments))


def _in_words(error: BaseException) -> str:
    """Why an attempt failed; of a foreign exception only what cannot hold patient data."""
    if isinstance(error, IsocenterError):
        return str(error)
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
