"""Running durable jobs: done once, tried again, parked, given up, handed on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.jobs import Backoff, Job, Jobs
from isocenter.archive.workflow.schema import job
from isocenter.errors import IsocenterError
from isocenter.server.jobs import Hopeless, JobRunner, Parked

KIND = "test"


class Handler:
    """Does what a test tells it, and remembers how jobs ended."""

    kind = KIND

    def __init__(self, jobs: Jobs, workflow: Workflow, work: Callable[[Job], Awaitable[None]]):
        self._jobs = jobs
        self._workflow = workflow
        self._work = work
        self.started: list[Job] = []
        self.ended: list[str] = []
        self.news = asyncio.Event()

    async def run(self, job: Job) -> Callable[[], bool]:
        self.started.append(job)
        await self._work(job)
        return lambda: self._end(job, "done")

    def given_up(self, job: Job, error: str) -> bool:
        return self._end(job, f"given up: {error}")

    def _end(self, job: Job, how: str) -> bool:
        with self._workflow.writing() as connection:
            ours = self._jobs.finish(connection, job)
        self.ended.append(how if ours else "lost")
        return ours


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    with Workflow(tmp_path / "workflow.sqlite") as opened:
        yield opened


def add(workflow: Workflow, *, seconds: float = 1000) -> None:
    with workflow.writing() as connection:
        Jobs(workflow).add(connection, KIND, 1, seconds=seconds)


def run(
    workflow: Workflow,
    work: Callable[[Job], Awaitable[None]],
    until: Callable[[Handler], bool],
    *,
    lease: float = 60,
) -> Handler:
    """Runs a runner until something is true of its handler, for a bounded time."""

    async def main() -> Handler:
        jobs = Jobs(workflow, lease=lease)
        handler = Handler(jobs, workflow, work)
        with ThreadPoolExecutor(2) as threads:
            runner = JobRunner(jobs, handler, threads, Backoff(0.01, 0.02))
            async with asyncio.timeout(20):
                while not until(handler):
                    await asyncio.sleep(0.01)
            await runner.stop()
        return handler

    return asyncio.run(main())


async def nothing(_: Job) -> None:
    """The job is easy."""


async def forever(_: Job) -> None:
    """The job never ends."""
    await asyncio.Event().wait()


def test_a_job_that_is_found_is_done_once(workflow: Workflow):
    add(workflow)
    handler = run(workflow, nothing, lambda handler: bool(handler.ended))
    assert handler.ended == ["done"]
    assert Jobs(workflow).next_due(KIND) is None


@pytest.mark.parametrize("error", [IsocenterError("Not yet."), ValueError("a patient's name")])
def test_a_job_that_fails_is_tried_again(workflow: Workflow, error: Exception):
    tries: list[int] = []

    async def work(job: Job) -> None:
        tries.append(job.attempts)
        if len(tries) < 3:
            raise error

    add(workflow)
    handler = run(workflow, work, lambda handler: bool(handler.ended))
    assert tries == [1, 2, 3]
    assert handler.ended == ["done"]


def test_a_hopeless_job_is_given_up_at_once(workflow: Workflow):
    async def work(_: Job) -> None:
        raise Hopeless("It cannot be.")

    add(workflow)
    handler = run(workflow, work, lambda handler: bool(handler.ended))
    assert handler.ended == ["given up: It cannot be."]
    assert len(handler.started) == 1


def test_a_job_that_fails_until_it_expires_is_given_up(workflow: Workflow):
    async def work(_: Job) -> None:
        raise OSError(5, "Input/output error")

    add(workflow, seconds=0.2)
    handler = run(workflow, work, lambda handler: bool(handler.ended))
    assert handler.ended == ["given up: Input/output error"]
    assert len(handler.started) > 1


def test_a_parked_job_waits_for_its_occasion(workflow: Workflow):
    async def work(_: Job) -> None:
        raise Parked("Nobody is there.")

    add(workflow)
    run(
        workflow,
        work,
        lambda _: (Jobs(workflow).next_due(KIND) or 0) > Jobs(workflow).clock() + 500,
    )
    assert len(Jobs(workflow).claim_about(KIND, [1])) == 1


def test_what_is_not_done_at_a_stop_is_left_to_the_next_process(workflow: Workflow):
    add(workflow)
    handler = run(workflow, forever, lambda handler: bool(handler.started))
    assert handler.ended == []
    assert [job.attempts for job in Jobs(workflow).claim(KIND, 1)] == [2]


def test_the_lease_of_a_long_job_is_renewed(workflow: Workflow):
    add(workflow)
    first: list[float] = []

    def renewed(handler: Handler) -> bool:
        due = Jobs(workflow).next_due(KIND)
        if handler.started and due is not None:
            first.append(due)
        return len(set(first)) > 2

    handler = run(workflow, forever, renewed, lease=0.6)
    assert len(handler.started) == 1


def test_who_has_lost_a_job_stops_working_on_it(workflow: Workflow):
    stopped: list[bool] = []

    async def work(_: Job) -> None:
        try:
            await forever(_)
        finally:
            stopped.append(True)

    def stolen(handler: Handler) -> bool:
        if handler.started and not stopped:
            taken = {"attempts": job.c.attempts + 1, "due_at": Jobs(workflow).clock() + 60}
            with workflow.writing() as connection:  # as another process does whose turn it is
                connection.execute(update(job).values(taken))
        return bool(stopped)

    add(workflow)
    handler = run(workflow, work, stolen, lease=0.6)
    assert handler.ended == []
    assert len(handler.started) == 1
