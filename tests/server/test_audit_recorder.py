"""Keeping events off the loop: in batches, and never dropped in silence."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from isocenter.archive.layout import AUDIT_OVERFLOW
from isocenter.security.audit import codes, kinds
from isocenter.security.audit.database import AuditUnavailable
from isocenter.security.audit.events import Event, Here, Party, Patient, Study
from isocenter.security.audit.lookup import Summary, newest, summarize
from isocenter.security.audit.trail import AuditTrail
from isocenter.server import audit_overflow, audit_recorder
from isocenter.server.audit_overflow import Overflow
from isocenter.server.audit_recorder import AuditRecorder
from tests.security.audit.trails import made, verified

HERE = Here(("ARCHIVE",), "pacs1", 4711)
CT1 = Party("CT1", "192.0.2.7")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite"


def received(number: int) -> Event:
    study = Study(f"1.2.{number}", (("1.2", 1),))
    return kinds.received(HERE, CT1, [study], Patient("4711"), 1000.0 + number)


def alert(now: float, what: str = "unknown AE") -> Event:
    return kinds.security_alert(HERE, codes.NODE_AUTHENTICATION, what, now, peer=CT1)


def kept(path: Path) -> list[Summary]:
    """All messages in their order; the chain must be whole."""
    with AuditTrail(path) as trail:
        assert verified(trail).fault is None
        return [summarize(one) for one in reversed(newest(trail, 10_000))]


def damage(path: Path) -> None:
    """A file that cannot be opened as a trail."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE something (id INTEGER)")


def test_what_was_recorded_is_there_after_the_close_and_in_few_transactions(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = []
    append = AuditTrail.append
    monkeypatch.setattr(
        AuditTrail, "append", lambda *args: (transactions.append(1), append(*args))[1]
    )
    recorder = AuditRecorder(path, HERE)
    for number in range(3000):
        recorder.record(lambda n=number: [received(n)])
    recorder.close()
    assert [one.studies[0] for one in kept(path)] == [f"1.2.{n}" for n in range(3000)]
    assert len(transactions) <= 10


def test_a_flood_of_one_alert_is_one_message_with_its_number_and_first_moment(path: Path) -> None:
    recorder = AuditRecorder(path, HERE)
    with recorder._lock:  # so that all of them wait together
        for number in range(5000):
            recorder._alerts[alert(1000.0 + number)] += 1
            recorder._moments.setdefault(alert(0.0), 1000.0 + number)
    recorder.alert(alert(7000.0, "another"))
    recorder.close()
    first, second = kept(path)
    assert first.description == "unknown AE (5000 times)"
    assert first.moment == 1000.0
    assert second.description == "another"


def test_alerts_that_come_fast_are_all_counted(path: Path) -> None:
    recorder = AuditRecorder(path, HERE)
    for number in range(1000):
        recorder.alert(alert(float(number)))
    recorder.close()
    counts = [one.description.partition("(")[2].partition(" ")[0] or "1" for one in kept(path)]
    assert sum(map(int, counts)) == 1000
    assert len(counts) < 20


def test_a_node_without_events_needs_no_trail(path: Path) -> None:
    AuditRecorder(path, HERE).close()
    assert not path.exists()


def test_what_a_damaged_trail_does_not_take_waits_in_a_file_for_a_whole_one(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(path)
    recorder = AuditRecorder(path, HERE)
    recorder.record(lambda: [received(1), received(2)])
    recorder.close()
    assert "the audit trail cannot be written" in capsys.readouterr().out
    path.unlink()
    recorder = AuditRecorder(path, HERE)
    recorder.record(lambda: [received(3)])
    recorder.close()
    assert [one.studies[0] for one in kept(path)] == ["1.2.1", "1.2.2", "1.2.3"]
    assert Overflow(path.with_name(AUDIT_OVERFLOW)).is_empty


def test_a_trail_that_comes_back_gets_what_waited(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_recorder, "SECONDS_BETWEEN", 0.01)
    monkeypatch.setattr(audit_recorder, "LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(audit_recorder, "KEPT_WAITING", 3)
    failed, works = threading.Event(), threading.Event()
    append = AuditTrail.append

    def append_or_fail(*args: object) -> object:
        if not works.is_set():
            failed.set()
            raise AuditUnavailable("The audit database could not be used: disk I/O error.")
        return append(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(AuditTrail, "append", append_or_fail)
    recorder = AuditRecorder(path, HERE)
    for number in range(10):
        recorder.record(lambda n=number: [received(n)])
    assert failed.wait(10)
    works.set()
    recorder.record(lambda: [received(10)])
    recorder.close()
    assert {one.studies[0] for one in kept(path)} == {f"1.2.{n}" for n in range(11)}


def test_what_is_lost_at_last_is_told_in_log_and_trail(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit_recorder, "MOST_WAITING", 5)
    began, go_on = threading.Event(), threading.Event()

    def slow() -> list[Event]:
        began.set()
        go_on.wait(10)
        return []

    recorder = AuditRecorder(path, HERE)
    recorder.record(slow)
    assert began.wait(10)
    for number in range(12):
        recorder.record(lambda n=number: [received(n)])
    go_on.set()
    recorder.close()
    assert "audit events were lost" in capsys.readouterr().out
    stopped = [one for one in kept(path) if one.kinds == ("Audit Recording Stopped",)]
    assert [one.description for one in stopped] == [
        "7 events were lost while nothing could be written"
    ]


def test_an_event_that_cannot_be_made_is_told_and_hurts_no_other(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> list[Event]:
        raise ValueError("a defect")

    recorder = AuditRecorder(path, HERE)
    recorder.record(broken)
    recorder.record(lambda: [received(1)])
    recorder.close()
    stopped, other = kept(path)
    assert stopped.kinds == ("Audit Recording Stopped",)
    assert other.studies == ("1.2.1",)


def test_a_cut_trail_is_told_by_whoever_writes_next(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = AuditRecorder(path, HERE)
    recorder.record(lambda: [received(1), received(2)])
    recorder.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM message WHERE id = 2")
        connection.commit()
    recorder = AuditRecorder(path, HERE)
    recorder.record(lambda: [received(3)])
    recorder.close()
    assert "the audit trail was changed from outside" in capsys.readouterr().out
    assert [one.kinds for one in kept(path)][1] == ("Audit Trail Does Not Continue",)


def test_the_overflow_file_is_bounded_and_passes_over_half_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "overflow"
    overflow = Overflow(file)
    overflow.put([made(1), made(2)])
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:50])
    taken: list[object] = []
    assert overflow.take_back(taken.extend) == 2
    assert taken == [made(1), made(2)]
    assert overflow.is_empty
    monkeypatch.setattr(audit_overflow, "LARGEST", 100)
    with pytest.raises(OSError, match="full"):
        overflow.put([made(1)])
