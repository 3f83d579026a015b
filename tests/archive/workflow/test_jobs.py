"""Jobs: claimed once, taken up again when their process dies, tried again, given up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.jobs import Backoff, Job, Jobs, JobState
from isocenter.archive.workflow.schema import job

KIND = "test"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Workflow]:
    with Workflow(tmp_path / "workflow.sqlite") as opened:
        yield opened


@pytest.fixture
def jobs(workflow: Workflow, clock: Clock) -> Jobs:
    return Jobs(workflow, lease=60, clock=clock)


def add(jobs: Jobs, workflow: Workflow, subject: int = 1, **options) -> Job:
    with workflow.writing() as connection:
        return jobs.add(connection, KIND, subject, seconds=1000, **options)


def state(workflow: Workflow) -> tuple[str, int, float, str | None] | None:
    with workflow.reading() as connection:
        row = connection.execute(
            select(job.c.state, job.c.attempts, job.c.due_at, job.c.last_error)
        ).one_or_none()
    return None if row is None else tuple(row)


def test_a_job_is_claimed_once(jobs: Jobs, workflow: Workflow) -> None:
    added = add(jobs, workflow)
    assert jobs.claim(KIND, 5) == [added._replace(attempts=1)]
    assert jobs.claim(KIND, 5) == []


def test_jobs_of_another_kind_are_left_alone(jobs: Jobs, workflow: Workflow) -> None:
    add(jobs, workflow)
    assert jobs.claim("another", 5) == []
    assert jobs.next_due("another") is None


def test_many_processes_never_run_one_job_twice(tmp_path: Path, workflow: Workflow) -> None:
    for subject in range(60):
        add(Jobs(workflow), workflow, subject)

    def work(_: int) -> list[int]:
        with Workflow(tmp_path / "workflow.sqlite") as own:
            taken: list[int] = []
            while claimed := Jobs(own).claim(KIND, 2):
                taken += [one.subject for one in claimed]
            return taken

    with ThreadPoolExecutor(6) as threads:
        taken = [subject for subjects in threads.map(work, range(6)) for subject in subjects]
    assert sorted(taken) == list(range(60))


def test_the_job_of_a_killed_process_is_taken_up_when_its_lease_ends(
    jobs: Jobs, workflow: Workflow, clock: Clock
) -> None:
    add(jobs, workflow)
    (lost,) = jobs.claim(KIND, 1)
    clock.now += 59
    assert jobs.claim(KIND, 1) == []
    clock.now += 1
    (taken_up,) = jobs.claim(KIND, 1)
    assert taken_up.attempts == 2
    with workflow.writing() as connection:
        assert not jobs.finish(connection, lost)
        assert not jobs.bury(connection, lost, "too late")
    assert not jobs.renew(lost)
    assert not jobs.retry_at(lost, clock.now, "too late")
    with workflow.writing() as connection:
        assert jobs.finish(connection, taken_up)
    assert state(workflow) is None


def test_a_renewed_lease_lasts_longer(jobs: Jobs, workflow: Workflow, clock: Clock) -> None:
    held = add(jobs, workflow, claimed=True)
    for _ in range(5):
        clock.now += 50
        assert jobs.claim(KIND, 1) == []
        assert jobs.renew(held)


def test_a_start_of_the_node_ends_every_lease(jobs: Jobs, workflow: Workflow) -> None:
    add(jobs, workflow, claimed=True)
    assert jobs.claim(KIND, 1) == []
    jobs.revoke_leases()
    assert len(jobs.claim(KIND, 1)) == 1


def test_a_job_given_back_is_due_at_once(jobs: Jobs, workflow: Workflow) -> None:
    assert jobs.put_back(add(jobs, workflow, claimed=True))
    assert len(jobs.claim(KIND, 1)) == 1


def test_a_failed_job_waits_for_its_next_attempt(
    jobs: Jobs, workflow: Workflow, clock: Clock
) -> None:
    held = add(jobs, workflow, claimed=True)
    assert jobs.retry_at(held, clock.now + 10, "The peer\u2019s port is closed. " + "x" * 1000)
    assert jobs.next_due(KIND) == clock.now + 10
    assert jobs.claim(KIND, 1) == []
    clock.now += 10
    assert jobs.claim(KIND, 1)[0].attempts == 2
    _, _, _, error = state(workflow)
    assert error.startswith("The peer")
    assert len(error) == 300


def test_the_last_attempt_is_at_the_expiry(jobs: Jobs, workflow: Workflow, clock: Clock) -> None:
    held = add(jobs, workflow, claimed=True)
    jobs.retry_at(held, clock.now + 5000, "")
    assert jobs.next_due(KIND) == held.expires_at
    clock.now = held.expires_at
    (last,) = jobs.claim(KIND, 1)
    assert jobs.is_expired(last)


def test_a_dead_job_stays_until_it_is_revived(jobs: Jobs, workflow: Workflow, clock: Clock) -> None:
    held = add(jobs, workflow, claimed=True)
    with workflow.writing() as connection:
        assert jobs.bury(connection, held, "It is hopeless.")
    clock.now += 10**9
    jobs.revoke_leases()
    assert jobs.claim(KIND, 1) == []
    assert jobs.next_due(KIND) is None
    assert state(workflow)[0] == JobState.DEAD.value
    with workflow.writing() as connection:
        assert jobs.revive(connection, KIND, 1, seconds=100)
    (revived,) = jobs.claim(KIND, 1)
    assert not jobs.is_expired(revived)


def test_a_waiting_job_can_be_taken_before_it_is_due(
    jobs: Jobs, workflow: Workflow, clock: Clock
) -> None:
    for subject in (1, 2, 3):
        held = add(jobs, workflow, subject, claimed=True)
        if subject < 3:
            jobs.retry_at(held, clock.now + 100, "")
    assert {one.subject for one in jobs.claim_about(KIND, [2, 3])} == {2}


def test_the_job_due_longest_comes_first(jobs: Jobs, workflow: Workflow, clock: Clock) -> None:
    for subject, ago in ((1, 5), (2, 9), (3, 1)):
        clock.now -= ago
        add(jobs, workflow, subject)
        clock.now += ago
    assert [one.subject for one in jobs.claim(KIND, 1)] == [2]


@given(attempts=st.integers(1, 10**6))
def test_pauses_grow_up_to_a_bound(attempts: int) -> None:
    pause = Backoff(10, 3600).delay(attempts)
    plain = min(10 * 2 ** min(attempts - 1, 20), 3600)
    assert plain <= pause <= 1.25 * plain


def test_a_clock_that_was_set_back_delays_no_job(
    jobs: Jobs, workflow: Workflow, clock: Clock
) -> None:
    add(jobs, workflow, claimed=True)  # by a process that is killed now
    clock.now -= 86400
    assert len(jobs.claim(KIND, 5)) == 1
    assert jobs.claim(KIND, 5) == []
