"""Storage Commitment transactions: kept, told apart, reported, forgotten."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.commitments import (
    Commitments,
    CommitmentState,
    Registered,
    Registration,
)
from isocenter.archive.workflow.jobs import Jobs
from isocenter.security.access import ALL_STUDIES, Scope
from tests.archive.workflow.test_jobs import Clock

INSTANCES = [("1.2.840.10008.5.1.4.1.1.2", f"1.2.3.{number}") for number in range(5)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def commitments(tmp_path: Path, clock: Clock) -> Iterator[Commitments]:
    with Workflow(tmp_path / "workflow.sqlite") as workflow:
        yield Commitments(workflow, Jobs(workflow, lease=60, clock=clock))


def register(
    commitments: Commitments,
    instances: Sequence[tuple[str, str]] = INSTANCES,
    *,
    ae: str = "MODALITY",
    uid: str = "1.2.9",
    limit: int = 100,
    scope: Scope = ALL_STUDIES,
) -> Registration:
    return commitments.register(
        ae, "ISOCENTER", uid, instances, scope=scope, seconds=1000, limit=limit
    )


def test_a_transaction_remembers_what_its_requester_may_see(commitments: Commitments) -> None:
    assert loaded_scope(commitments, register(commitments)) == ALL_STUDIES
    for uid, labels in (("1.2.10", {"a", "b"}), ("1.2.11", set())):
        scope = Scope(frozenset(labels))
        assert loaded_scope(commitments, register(commitments, uid=uid, scope=scope)) == scope


def test_who_asks_again_seeing_less_is_told_no_more_than_both_see(commitments: Commitments) -> None:
    register(commitments, scope=Scope(frozenset({"a", "b"})))
    again = register(commitments, scope=Scope(frozenset({"b", "c"})))
    assert again.outcome is Registered.REPEATED
    assert loaded_scope(commitments, again) == Scope(frozenset({"b"}))
    again = register(commitments, scope=ALL_STUDIES)
    assert loaded_scope(commitments, again) == Scope(frozenset({"b"}))


def loaded_scope(commitments: Commitments, made: Registration) -> Scope:
    transaction = commitments.load(made.number)
    assert transaction is not None
    return transaction.scope


def test_a_transaction_is_there_after_a_restart(tmp_path: Path) -> None:
    with Workflow(tmp_path / "workflow.sqlite") as workflow:
        made = register(Commitments(workflow, Jobs(workflow)))
    with Workflow(tmp_path / "workflow.sqlite") as workflow:
        again = Commitments(workflow, Jobs(workflow))
        loaded = again.load(made.number)
    assert loaded is not None
    assert (loaded.requester_ae, loaded.provider_ae) == ("MODALITY", "ISOCENTER")
    assert (loaded.transaction_uid, loaded.state) == ("1.2.9", CommitmentState.ACCEPTED)
    assert loaded.instances == INSTANCES
    assert loaded.failures == {}


def test_who_registers_has_the_job(commitments: Commitments) -> None:
    made = register(commitments)
    assert made.outcome is Registered.NEW
    assert made.job is not None
    assert commitments.jobs.claim("commitment", 5) == []


def test_the_same_request_again_changes_nothing(commitments: Commitments) -> None:
    made = register(commitments)
    again = register(commitments, list(reversed(INSTANCES)))
    assert again == (Registered.REPEATED, made.number, None)
    assert len(commitments.list()) == 1


def test_a_repetition_makes_a_waiting_report_due(commitments: Commitments, clock: Clock) -> None:
    made = register(commitments)
    commitments.jobs.retry_at(made.job, clock.now + 500, "")
    assert commitments.jobs.claim("commitment", 5) == []
    register(commitments)
    assert [one.subject for one in commitments.jobs.claim("commitment", 5)] == [made.number]


def test_what_is_asked_for_again_is_checked_again(commitments: Commitments, clock: Clock) -> None:
    made = register(commitments)
    commitments.checked(made.number, {0: 0x0112})
    commitments.jobs.retry_at(made.job, clock.now + 500, "")
    register(commitments)  # the missing instance has been sent since
    assert commitments.load(made.number).state is CommitmentState.ACCEPTED


def test_another_request_under_the_same_uid_is_a_conflict(commitments: Commitments) -> None:
    register(commitments)
    assert register(commitments, INSTANCES[:4]).outcome is Registered.CONFLICT
    assert register(commitments, INSTANCES[:4], ae="ANOTHER").outcome is Registered.NEW


def test_open_transactions_are_bounded(commitments: Commitments) -> None:
    first = register(commitments, limit=8)
    assert register(commitments, uid="1.2.10", limit=8).outcome is Registered.TOO_MANY
    commitments.reported(first.job, 1)
    assert register(commitments, uid="1.2.10", limit=8).outcome is Registered.NEW


def test_failures_are_kept_by_position(commitments: Commitments) -> None:
    made = register(commitments)
    commitments.checked(made.number, {1: 0x0112, 4: 0x0110})
    loaded = commitments.load(made.number)
    assert loaded.state is CommitmentState.CHECKED
    assert loaded.failures == {1: 0x0112, 4: 0x0110}
    (listed,) = commitments.list()
    assert (listed.instances, listed.failed) == (5, 2)


def test_a_taken_report_ends_the_transaction(commitments: Commitments) -> None:
    made = register(commitments)
    commitments.checked(made.number, {})
    assert commitments.reported(made.job, 1)
    assert commitments.load(made.number) is None
    (listed,) = commitments.list()
    assert (listed.state, listed.failed, listed.due_at) == (CommitmentState.REPORTED, 0, None)
    assert commitments.list(open_only=True) == []


def test_after_its_report_a_transaction_may_be_asked_for_anew(commitments: Commitments) -> None:
    made = register(commitments)
    commitments.checked(made.number, {})
    commitments.reported(made.job, 1)
    again = register(commitments)
    assert again.outcome is Registered.NEW
    assert commitments.load(again.number).state is CommitmentState.ACCEPTED
    assert register(commitments, INSTANCES[1:]).outcome is Registered.CONFLICT


def test_who_asks_again_while_the_report_is_under_way_gets_another(
    commitments: Commitments,
) -> None:
    made = register(commitments)
    commitments.checked(made.number, {})
    times_asked = commitments.times_asked(made.number)
    register(commitments)
    assert commitments.reported(made.job, times_asked)
    (again,) = commitments.jobs.claim("commitment", 5)
    assert commitments.load(made.number).state is CommitmentState.ACCEPTED
    assert commitments.reported(again, commitments.times_asked(made.number))
    assert commitments.list()[0].state is CommitmentState.REPORTED


def test_who_lost_the_job_cannot_end_the_transaction(
    commitments: Commitments, clock: Clock
) -> None:
    made = register(commitments)
    clock.now += 61
    (taken_up,) = commitments.jobs.claim("commitment", 1)
    assert not commitments.reported(made.job, 1)
    assert not commitments.given_up(made.job, "too late")
    assert commitments.list()[0].state is CommitmentState.ACCEPTED
    assert commitments.reported(taken_up, 1)


def test_a_report_given_up_can_be_revived_and_is_checked_again(commitments: Commitments) -> None:
    made = register(commitments)
    commitments.checked(made.number, {})
    commitments.given_up(made.job, "The port is closed.")
    (listed,) = commitments.list(open_only=True)
    assert (listed.state, listed.last_error) == (
        CommitmentState.UNREPORTED,
        "The port is closed.",
    )
    assert commitments.revive("1.2.9", seconds=100) == 1
    assert commitments.load(made.number).state is CommitmentState.ACCEPTED
    assert commitments.revive("1.2.10", seconds=100) == 0


def test_only_checked_transactions_of_a_requester_wait_for_it(commitments: Commitments) -> None:
    numbers = []
    for uid, ae in (("1.1", "A"), ("1.2", "A"), ("1.3", "B")):
        made = register(commitments, uid=uid, ae=ae)
        numbers.append(made.number)
        if uid != "1.2":
            commitments.checked(made.number, {})
        commitments.jobs.retry_at(made.job, made.job.expires_at, "")
    assert [one.subject for one in commitments.claim_checked("A", 0, 5)] == numbers[:1]
    assert commitments.claim_checked("A", 0, 5) == []


def test_a_requesters_reports_are_taken_in_their_order(commitments: Commitments) -> None:
    numbers = []
    for number in range(5):
        made = register(commitments, uid=f"1.{number}")
        commitments.checked(made.number, {})
        commitments.jobs.retry_at(made.job, made.job.expires_at, "")
        numbers.append(made.number)
    first = [one.subject for one in commitments.claim_checked("MODALITY", 0, 2)]
    assert sorted(first) == numbers[:2]
    rest = [one.subject for one in commitments.claim_checked("MODALITY", max(first), 9)]
    assert sorted(rest) == numbers[2:]


def test_old_transactions_are_forgotten_but_none_that_is_open(
    commitments: Commitments, clock: Clock
) -> None:
    ended = register(commitments, uid="1.1")
    commitments.reported(ended.job, 1)
    given_up = register(commitments, uid="1.2")
    commitments.given_up(given_up.job, "")
    register(commitments, uid="1.3")
    clock.now += 100
    fresh = register(commitments, uid="1.4")
    commitments.reported(fresh.job, 1)
    assert commitments.forget_before(clock.now - 50) == 2
    assert {one.transaction_uid for one in commitments.list()} == {"1.3", "1.4"}
