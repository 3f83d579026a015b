"""The chain: whatever is done to the trail from outside is found, and at which message."""

import multiprocessing
import stat
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.security.audit.chain import Subject, chain_hash
from isocenter.security.audit.database import AuditUnavailable, AuditUnusable
from isocenter.security.audit.head import Head
from isocenter.security.audit.lookup import newest, summarize, who_saw
from isocenter.security.audit.trail import CUT, NO_NOTE, AuditTrail
from tests.security.audit.trails import (
    alert,
    announce,
    filled,
    made,
    tampering,
    verified,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.sqlite"


def descriptions(trail: AuditTrail) -> list[str]:
    return [summarize(one).description for one in newest(trail, 100)]


def test_what_was_added_verifies_and_is_found(path: Path) -> None:
    with filled(path, 7) as trail:
        found = verified(trail)
        assert (found.messages, found.removed_through, found.fault) == (7, 0, None)
        assert [one.id for one in newest(trail, 3)] == [7, 6, 5]
        assert [one.id for one in who_saw(trail, "4711", None, 10)] == [7, 6, 5, 4, 3, 2, 1]
        assert who_saw(trail, "4711", "ELSEWHERE", 10) == []


def test_an_empty_trail_verifies(path: Path) -> None:
    with AuditTrail(path) as trail:
        assert verified(trail).fault is None
        trail.append([], alert)
        assert verified(trail).fault is None


def test_a_query_for_a_study_is_found_by_the_patient_whose_study_it_is(path: Path) -> None:
    one = made(1)
    query = one._replace(event="110112", subjects=(Subject("study", "1.2.1"),))
    both = one._replace(
        event="110112",
        subjects=(Subject("patient", "4711"), Subject("study", "1.2.999")),
    )
    other = made(2, patient="other")
    with AuditTrail(path) as trail:
        trail.append([one, query, both, other], alert)
        assert [kept.id for kept in who_saw(trail, "4711", None, 10)] == [3, 2, 1]


CHANGES: list[tuple[str, str, int, str]] = [
    ("UPDATE message SET xml = 'x' WHERE id = 3", "changed", 3, "message 3 was changed"),
    ("UPDATE message SET moment = 0 WHERE id = 3", "changed", 3, "message 3 was changed"),
    ("UPDATE message SET outcome = 4 WHERE id = 5", "changed", 5, "message 5 was changed"),
    ("UPDATE subject SET value = 'x' WHERE message = 2", "changed", 2, "message 2 was changed"),
    ("DELETE FROM subject WHERE message = 4", "changed", 4, "message 4 was changed"),
    ("DELETE FROM message WHERE id = 4", "missing", 4, "message 4 is missing"),
    ("DELETE FROM message WHERE id = 1", "missing", 1, "message 1 is missing"),
    ("DELETE FROM message WHERE id > 3", "missing", 4, "message 4 is missing at the end"),
    ("DELETE FROM message", "missing", 1, "message 1 is missing at the end"),
]


@pytest.mark.parametrize(("sql", "_", "number", "sentence"), CHANGES, ids=lambda one: str(one))
def test_a_change_from_outside_is_found_and_named(
    path: Path, sql: str, _: str, number: int, sentence: str
) -> None:
    with filled(path, 5) as trail:
        with tampering(path) as connection:
            connection.execute(sql)
        fault = verified(trail).fault
    assert fault == (number, sentence)


def _swap(connection: Connection) -> None:
    connection.execute("UPDATE message SET id = 99 WHERE id = 2")
    connection.execute("UPDATE message SET id = 2 WHERE id = 3")
    connection.execute("UPDATE message SET id = 3 WHERE id = 99")


def _insert(connection: Connection) -> None:
    connection.execute("UPDATE message SET id = id + 100 WHERE id > 2")
    connection.execute("UPDATE message SET id = id - 99 WHERE id > 100")
    connection.execute(
        "INSERT INTO message SELECT 3, moment, event, event_type, outcome, xml, hash, hash "
        "FROM message WHERE id = 2"
    )


@pytest.mark.parametrize(("tamper", "number"), [(_swap, 2), (_insert, 3)])
def test_reordered_and_inserted_messages_are_found(
    path: Path, tamper: Callable[[Connection], None], number: int
) -> None:
    with filled(path, 5) as trail:
        with tampering(path) as connection:
            tamper(connection)
        fault = verified(trail).fault
    assert fault is not None
    assert fault.number == number


def _rewrite(path: Path, victim: int, xml: bytes) -> None:
    """What somebody does who knows the form: change one and hash all behind it anew."""
    with AuditTrail(path) as trail, tampering(path) as connection:
        previous = connection.execute(
            "SELECT previous FROM message WHERE id = ?", (victim,)
        ).fetchone()[0]
        for one in reversed([kept for kept in newest(trail, 100) if kept.id >= victim]):
            about = tuple(
                Subject(*row)
                for row in connection.execute(
                    "SELECT kind, value, issuer FROM subject WHERE message = ?", (one.id,)
                )
            )
            changed = made()._replace(
                moment=one.moment,
                event_type=one.event_type,
                subjects=about,
                xml=xml if one.id == victim else one.xml,
            )
            digest = chain_hash(one.id, changed, previous)
            connection.execute(
                "UPDATE message SET xml = ?, previous = ?, hash = ? WHERE id = ?",
                (changed.xml, previous, digest, one.id),
            )
            previous = digest


def test_a_chain_that_was_made_anew_does_not_end_as_noted(path: Path) -> None:
    with filled(path, 5) as trail:
        head = verified(trail).head
        _rewrite(path, 2, b"<forged/>")
        assert verified(trail).fault == (5, "message 5 is not the one that was noted")
        trail.head_path.unlink()
        assert verified(trail).fault is not None
        assert verified(trail, head).fault == (5, "message 5 is not the one that was noted")


def test_a_cut_end_stays_on_record_when_the_trail_goes_on(path: Path) -> None:
    with filled(path, 5) as trail:
        with tampering(path) as connection:
            connection.execute("DELETE FROM message WHERE id > 3")
        trail.append([made(8)], alert)
        assert descriptions(trail)[:2] == ["", CUT]
        trail.append([made(9)], alert)  # once
        assert descriptions(trail).count(CUT) == 1
        assert verified(trail).fault is None


def test_a_note_that_is_gone_stays_on_record_too(path: Path) -> None:
    with filled(path, 2) as trail:
        trail.head_path.unlink()
        fault = verified(trail).fault
        assert fault is not None
        assert "audit.head is missing" in fault.sentence
        trail.head_path.write_text("nonsense")
        trail.append([made(8)], alert)
        assert NO_NOTE in descriptions(trail)


def test_a_note_older_than_the_trail_is_what_a_crash_leaves(path: Path) -> None:
    with filled(path, 2) as trail:
        older = trail.head_path.read_bytes()
        trail.append([made(8)], alert)
        trail.head_path.write_bytes(older)
        assert verified(trail).fault is None
        trail.append([made(9)], alert)
        assert verified(trail).messages == 4


def test_old_messages_leave_a_chain_behind_a_checkpoint(path: Path) -> None:
    with filled(path, 2500) as trail:
        removed = trail.prune(1000.0 + 2100, through=None, announce=announce, alert=alert)
        found = verified(trail)
        assert removed == 2100
        assert found.fault is None
        assert found.removed_through == 2100
        assert trail.prune(0.0, through=None, announce=announce, alert=alert) == 0
        assert who_saw(trail, "4711", None, 5000)[-1].id == 2101
        with tampering(path) as connection:
            connection.execute("DELETE FROM message WHERE id <= 2105")
            row = connection.execute("SELECT previous FROM message WHERE id = 2106").fetchone()
            connection.execute("UPDATE checkpoint SET through = 2105, hash = ?", row)
        fault = verified(trail).fault
        assert fault == (2105, "no message tells that those up to 2105 were removed")


def test_a_missing_beginning_behind_a_checkpoint_is_found(path: Path) -> None:
    with filled(path, 20) as trail:
        trail.prune(1010.0, through=None, announce=announce, alert=alert)
        with tampering(path) as connection:
            connection.execute("DELETE FROM message WHERE id = 11")
        assert verified(trail).fault == (11, "message 11 is missing")


def test_what_was_not_exported_yet_is_not_removed(path: Path) -> None:
    with filled(path, 20) as trail:
        trail.note_export("log.example:6514", 5, 0.0)
        through = trail.exported_by_all(["log.example:6514"])
        trail.prune(5000.0, through=through, announce=announce, alert=alert)
        assert verified(trail).removed_through == 5


def test_a_crash_in_the_middle_of_removing_leaves_no_false_alarm(path: Path) -> None:
    with filled(path, 3) as trail:
        older = trail.head_path.read_bytes()
        trail.prune(9e9, through=None, announce=announce, alert=alert)
        trail.head_path.write_bytes(older)
        trail.append([made(9)], alert)
        assert CUT not in descriptions(trail)
        assert verified(trail).fault is None


def test_the_last_message_is_never_removed(path: Path) -> None:
    with filled(path, 3) as trail:
        assert trail.prune(9e9, through=None, announce=announce, alert=alert) == 3
        assert verified(trail).fault is None
        assert [one.id for one in newest(trail, 9)] == [4]


def _append_many(path: Path, seed: int) -> None:
    with AuditTrail(path) as trail:
        for number in range(20):
            trail.append([made(100 * seed + number)] * 3, alert)


def test_several_processes_make_one_chain(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append_many, args=(path, seed)) for seed in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    with AuditTrail(path) as trail:
        found = verified(trail)
    assert (found.messages, found.fault) == (180, None)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.data())
def test_any_flipped_bit_of_any_message_is_found(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("trail") / "audit.sqlite"
    with AuditTrail(path) as trail:
        for size in batches:
            trail.append([made(number) for number in range(size)], alert)
        number = data.draw(st.integers(1, sum(batches)))
        column = data.draw(st.sampled_from(("xml", "previous", "hash")))
        with tampering(path) as connection:
            (value,) = connection.execute(
                f"SELECT {column} FROM message WHERE id = ?", (number,)
            ).fetchone()
            flipped = bytearray(value)
            position = data.draw(st.integers(0, len(flipped) - 1))
            flipped[position] ^= 1 << data.draw(st.integers(0, 7))
            connection.execute(
                f"UPDATE message SET {column} = ? WHERE id = ?", (bytes(flipped), number)
            )
        fault = verified(trail).fault
        assert fault is not None
        assert fault.number == number


def test_the_files_are_for_their_owner_only(path: Path) -> None:
    with filled(path, 1) as trail:
        for file in (path, trail.head_path, path.with_name("audit.sqlite-wal")):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_database_is_refused_and_a_damaged_one_is_an_error(path: Path) -> None:
    with tampering(path) as connection:
        connection.execute("CREATE TABLE something (id INTEGER)")
    with pytest.raises(AuditUnusable):
        AuditTrail(path)
    with AuditTrail(path, required=False) as trail, pytest.raises(AuditUnavailable):
        trail.append([made()], alert)


def test_a_head_can_be_written_down_and_read() -> None:
    head = Head(7, bytes(range(32)))
    assert Head.parse(str(head)) == head
    for wrong in ("", "7", "7:00", "x:" + "00" * 32):
        with pytest.raises(ValueError):
            Head.parse(wrong)
