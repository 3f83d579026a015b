"""Keeping failures off the loop: counted by cause, bounded, and never in the way."""

import json
import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.failures import KeptFailure, newest_failures
from isocenter.server import failures as failures_module
from isocenter.server.failures import WAITING, FailureRecorder
from isocenter.services.failures import Failure
from isocenter.services.negotiation_record import describe_negotiation
from isocenter.upperlayer.pdu import AssociateRQ
from isocenter.upperlayer.user_information import UserIdentity, UserInformation
from tests.upperlayer.strategies import requests, responses


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workflow.sqlite"


def failure(number: int = 0, **values: str) -> Failure:
    return Failure("provider", f"192.0.2.{number}", "C-FIND", "A700H", **values)


def kept(path: Path) -> list[KeptFailure]:
    with Workflow(path) as workflow:
        return newest_failures(workflow, 10_000)


def test_what_was_recorded_is_there_after_the_close(path: Path) -> None:
    recorder = FailureRecorder(path, 10)
    recorder.record(failure(calling_ae="CT", called_ae="HERE"))
    recorder.close()
    (one,) = kept(path)
    assert (one.entry.calling_ae, one.entry.called_ae) == ("CT", "HERE")


def test_a_flood_of_one_cause_is_one_row_and_few_transactions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = []
    keep = failures_module.keep_failures
    monkeypatch.setattr(
        failures_module, "keep_failures", lambda *args: (transactions.append(1), keep(*args))
    )
    recorder = FailureRecorder(path, 10)
    for _ in range(10_000):
        recorder.record(failure())
    recorder.close()
    (one,) = kept(path)
    assert one.entry.occurrences == 10_000
    assert len(transactions) < 100


def test_more_causes_than_may_wait_are_dropped_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = threading.Event()

    def open_late(where: Path) -> Workflow:
        opened.wait(10)
        return Workflow(where)

    monkeypatch.setattr(failures_module, "Workflow", open_late)
    recorder = FailureRecorder(path, 10_000)
    for number in range(WAITING + 44):
        recorder.record(failure(number))
    opened.set()
    recorder.close()
    assert len(kept(path)) == WAITING
    said = capsys.readouterr().out
    assert "count=44" in said


def test_none_is_kept_where_none_is_wanted(path: Path) -> None:
    recorder = FailureRecorder(path, 0)
    recorder.record(failure())
    recorder.close()
    assert not path.exists()


def test_a_database_that_fails_is_said_once_a_batch_and_hurts_nobody(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE something (id INTEGER)")
    connection.close()
    recorder = FailureRecorder(path, 10)
    recorder.record(failure())
    recorder.close()
    recorder.record(failure())  # after the close: forgotten
    assert "failures could not be kept" in capsys.readouterr().out


def test_a_node_without_failures_needs_no_database(path: Path) -> None:
    FailureRecorder(path, 10).close()
    assert not path.exists()


@given(requests, responses)
def test_every_negotiation_can_be_kept_in_bounded_space(request, response) -> None:
    said = json.dumps(describe_negotiation(request, response))
    assert len(json.dumps(describe_negotiation(request, None))) <= len(said) + 1000
    assert len(said) < 2_000_000


def test_a_negotiation_tells_the_kind_of_a_user_identity_and_no_more() -> None:
    identity = UserIdentity(2, b"jo", b"secret", True)
    information = UserInformation(user_identity=identity)
    said = json.dumps(describe_negotiation(AssociateRQ("A", "B", (), information), None))
    assert "username and passcode" in said
    assert "secret" not in said
    assert '"jo"' not in said
