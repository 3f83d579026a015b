"""Failures that are kept: each cause once, the newest only."""

from pathlib import Path

import pytest

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.failures import (
    FailureEntry,
    find_failure,
    keep_failures,
    newest_failures,
)


@pytest.fixture
def workflow(tmp_path: Path):
    with Workflow(tmp_path / "workflow.sqlite") as opened:
        yield opened


def failed(at: float, *, peer: str = "192.0.2.1", title: str = "CT", times: int = 1):
    return FailureEntry(at, at, times, "provider", peer, "C-STORE", "full", title, "HERE", "{}")


def test_the_newest_come_first(workflow: Workflow) -> None:
    entries = [failed(float(number), peer=f"192.0.2.{number}") for number in range(5)]
    keep_failures(workflow, entries, 100)
    assert [kept.entry for kept in newest_failures(workflow, 3)] == entries[:1:-1]


def test_the_same_cause_again_is_counted_where_it_stands(workflow: Workflow) -> None:
    keep_failures(workflow, [failed(1.0, title="CT", times=2)], 100)
    keep_failures(workflow, [failed(5.0, title="MR", times=3)], 100)
    (kept,) = newest_failures(workflow, 10)
    assert kept.entry == failed(5.0, title="MR", times=5)._replace(first_at=1.0)


def test_only_the_newest_are_kept(workflow: Workflow) -> None:
    for number in range(6):
        keep_failures(workflow, [failed(float(number), peer=str(number))], 4)
    assert [kept.entry.peer for kept in newest_failures(workflow, 10)] == ["5", "4", "3", "2"]


def test_a_cause_that_goes_on_stays_while_older_ones_go(workflow: Workflow) -> None:
    for number in range(6):
        entries = [failed(float(number), peer="again"), failed(float(number), peer=str(number))]
        keep_failures(workflow, entries, 2)
    kept = {one.entry.peer: one.entry.occurrences for one in newest_failures(workflow, 10)}
    assert kept == {"again": 6, "5": 1}


def test_a_failure_is_found_by_its_number(workflow: Workflow) -> None:
    keep_failures(workflow, [failed(1.0)], 10)
    (kept,) = newest_failures(workflow, 1)
    assert find_failure(workflow, kept.id) == kept
    assert find_failure(workflow, kept.id + 1) is None


def test_a_peer_that_fails_in_ever_new_ways_does_not_displace_the_others(
    workflow: Workflow,
) -> None:
    keep_failures(workflow, [failed(1.0, peer="quiet")], 10)
    loud = [failed(2.0 + number, peer="loud")._replace(what=str(number)) for number in range(50)]
    keep_failures(workflow, loud, 10)
    kept = [one.entry for one in newest_failures(workflow, 100)]
    assert kept == [*loud[:-6:-1], failed(1.0, peer="quiet")]
