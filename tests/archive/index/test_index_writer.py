import pickle
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.index import (
    INDEX_ATTRIBUTES,
    Index,
    IndexEntry,
    IndexUnavailable,
    IndexWriter,
    Outcome,
)
from isocenter.archive.index.connection import connect_writer
from isocenter.archive.index.transaction import Transactions
from tests.archive.index.entries import EXPLICIT_BE, an_entry, store

STORED, DUPLICATE, CONFLICT = Outcome.STORED, Outcome.DUPLICATE, Outcome.CONFLICT


def rows(index: Index, sql: str) -> list[tuple[object, ...]]:
    with index.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def fill_the_disk(index: Index) -> Callable[[], None]:
    """Let the database refuse to grow; the returned call makes room again."""
    connection = index.writer._connection
    connection.execute("PRAGMA max_page_count = 1").fetchall()

    def make_room() -> None:
        connection.execute("PRAGMA max_page_count = 1000000")

    return make_room


def test_what_is_stored_is_located(index: Index) -> None:
    entry = an_entry(5, digest=2**64 - 1)
    assert store(index, entry) == [STORED]
    location = index.locate("1.2.3.5")
    assert location is not None
    for name in location._fields:
        assert getattr(location, name) == getattr(entry, name)
    assert index.locate("1.2.3.6") is None


def test_the_same_bytes_again_are_a_duplicate_and_other_bytes_a_conflict(index: Index) -> None:
    first = an_entry(1, digest=2**63)
    again = an_entry(1, offset=50_000, digest=2**63)
    other = an_entry(1, offset=60_000, digest=2**63 + 1)
    assert store(index, first) == [STORED]
    assert store(index, again, other) == [DUPLICATE, CONFLICT]
    located = index.locate("1.2.3.1")
    assert located is not None
    assert located.offset == first.offset


def test_duplicates_within_one_batch_lose_to_the_first(index: Index) -> None:
    batch = [an_entry(1), an_entry(1, offset=5), an_entry(2), an_entry(1, offset=9, digest=8)]
    assert store(index, *batch) == [STORED, DUPLICATE, STORED, CONFLICT]


def test_the_very_same_record_may_be_submitted_again(index: Index) -> None:
    assert store(index, an_entry(1)) == [STORED]
    assert store(index, an_entry(1), an_entry(2)) == [STORED, STORED]


def test_a_refused_instance_leaves_no_empty_study(index: Index) -> None:
    store(index, an_entry(1))
    stray = an_entry(1, study="1.2.999", series="1.2.999.1", digest=8, PatientID="P9", offset=5)
    new = an_entry(2, study="1.2.200", series="1.2.200.1", PatientID="P2")
    assert store(index, stray, new) == [CONFLICT, STORED]
    counted = index.statistics()
    assert (counted.patients, counted.studies, counted.series, counted.instances) == (2, 2, 2, 2)


def test_a_batch_larger_than_a_transaction_keeps_its_order(index: Index) -> None:
    seen: list[int] = []
    for number in range(1300):
        index.submit(an_entry(number), lambda entry, _: seen.append(entry.offset // 1000))
    index.flush()
    assert seen == list(range(1300))


def test_outcomes_are_told_after_the_commit(index: Index) -> None:
    located = []
    index.submit(an_entry(1), lambda entry, _: located.append(index.locate("1.2.3.1")))
    index.flush()
    assert located != [None]


def test_a_callback_that_fails_does_not_stop_the_writer(index: Index) -> None:
    def fail(entry: IndexEntry, outcome: Outcome) -> None:
        raise RuntimeError

    index.submit(an_entry(1), fail)
    assert store(index, an_entry(2)) == [STORED]


def test_an_entry_that_cannot_be_written_fails_alone(index: Index) -> None:
    impossible = an_entry(2)._replace(offset=2**70)
    assert store(index, an_entry(1), impossible, an_entry(3)) == [STORED, Outcome.FAILED, STORED]
    assert index.healthy


def test_a_full_disk_loses_nothing_and_is_reported(index: Index) -> None:
    make_room = fill_the_disk(index)
    seen: list[str] = []
    for number in range(500):
        entry = an_entry(number, study=f"1.2.{number}", series=f"1.3.{number}")
        index.submit(entry, lambda entry, _: seen.append(entry.sop_instance_uid))
    with pytest.raises(IndexUnavailable):
        index.flush(timeout=0.2)
    assert not index.healthy
    assert len(seen) < 500
    assert index.backlog >= 500 - len(seen)
    make_room()
    index.flush(timeout=60)
    assert index.healthy
    assert seen == [f"1.2.3.{number}" for number in range(500)]
    assert index.statistics().studies == 500


def test_closing_on_a_full_disk_says_what_was_not_taken(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    fill_the_disk(index)
    for number in range(400):
        index.submit(an_entry(number, study=f"1.2.{number}"))
    with pytest.raises(IndexUnavailable, match="entries before it was closed"):
        index.writer.close(timeout=0.2)
    index.reader.close()


def test_a_closed_index_refuses_work(tmp_path: Path) -> None:
    index = Index.open(tmp_path / "index.sqlite")
    index.submit(an_entry(1))
    index.close()
    with pytest.raises(IndexUnavailable):
        index.submit(an_entry(2))
    with Index.open(tmp_path / "index.sqlite") as again:
        assert again.statistics().instances == 1


def test_a_lock_of_another_program_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isocenter.archive.index.connection.BUSY_TIMEOUT_SECONDS", 0.01)
    with Index.open(tmp_path / "index.sqlite") as index:
        other = connect_writer(tmp_path / "index.sqlite")
        other.execute("BEGIN IMMEDIATE")
        index.submit(an_entry(1))
        with pytest.raises(IndexUnavailable):
            index.flush(timeout=0.1)
        other.execute("COMMIT")
        other.close()
        index.flush(timeout=60)
        assert index.locate("1.2.3.1") is not None


def test_sealing_makes_everything_before_durable(index: Index) -> None:
    store(index, an_entry(1), an_entry(2, pack="2024/b.tar"))
    assert index.unsealed_packs() == ["2024/a.tar", "2024/b.tar"]
    statements: list[str] = []
    index.writer._connection.set_trace_callback(statements.append)
    index.submit(an_entry(3))
    index.seal_pack("2024/a.tar", 5000)
    index.writer._connection.set_trace_callback(None)
    # In WAL mode one commit with synchronous=FULL forces all earlier ones to the disk.
    last_commit = len(statements) - 1 - statements[::-1].index("COMMIT")
    settings = [s for s in statements[:last_commit] if s.startswith("PRAGMA synchronous")]
    assert settings[-1] == "PRAGMA synchronous = FULL"
    assert index.unsealed_packs() == ["2024/b.tar"]
    assert index.statistics().sealed_bytes == 5000


def test_a_pack_without_instances_may_be_sealed(index: Index) -> None:
    index.seal_packs([("2024/empty.tar", 1024), ("2024/other.tar", 1024)])
    assert index.unsealed_packs() == []
    assert index.statistics().packs == 2


def test_many_threads_may_submit(index: Index) -> None:
    def submit(first: int) -> None:
        for number in range(first, first + 200):
            index.submit(an_entry(number))

    threads = [threading.Thread(target=submit, args=(200 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index.flush()
    assert index.statistics().instances == 800


def test_an_entry_crosses_a_pipe_cheaply() -> None:
    entry = an_entry(1, PatientName="DOE^JOHN", Rows=b"\0\2")
    pickled = pickle.dumps(entry, pickle.HIGHEST_PROTOCOL)
    assert pickle.loads(pickled) == entry
    assert len(pickled) < 600


def test_numbers_are_read_in_the_byte_order_of_the_syntax(index: Index) -> None:
    little = an_entry(1, Rows=b"\x00\x02", Columns=b"\x01", NumberOfFrames="12 ")
    big = an_entry(2, Rows=b"\x02\x00", InstanceNumber="junk", syntax=EXPLICIT_BE)
    store(index, little, big)
    found = rows(index, 'SELECT "rows", "columns", frames, number FROM instance ORDER BY id')
    assert found == [(512, None, 12, None), (512, None, None, None)]


headers = st.dictionaries(st.sampled_from(sorted(INDEX_ATTRIBUTES)), st.binary(max_size=80))


@given(st.lists(headers, min_size=1, max_size=5))
def test_no_header_is_too_strange_to_be_stored(
    tmp_path_factory: pytest.TempPathFactory, strange: list[dict[int, bytes]]
) -> None:
    transactions = shared_transactions(tmp_path_factory)
    test_no_header_is_too_strange_to_be_stored.count += 1000  # type: ignore[attr-defined]
    first = test_no_header_is_too_strange_to_be_stored.count  # type: ignore[attr-defined]
    entries = [an_entry(first + n)._replace(header=header) for n, header in enumerate(strange)]
    assert transactions.commit(entries) == [STORED] * len(entries)


test_no_header_is_too_strange_to_be_stored.count = 0  # type: ignore[attr-defined]
_shared: list[Transactions] = []


def shared_transactions(tmp_path_factory: pytest.TempPathFactory) -> Transactions:
    """One database for all examples: making one costs more than an example."""
    if not _shared:
        path = tmp_path_factory.mktemp("strange") / "index.sqlite"
        IndexWriter(path).close()
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        _shared.append(Transactions(connection))
    return _shared[0]


def test_an_instance_costs_less_than_300_bytes(index: Index, tmp_path: Path) -> None:
    prefix = "1.2.840.113619.2.55.3.2831178355.123.1325000000"  # as long as UIDs are
    text = {
        "PatientName": "WILLIAMSON^MARGARET", "IssuerOfPatientID": "HOSPITAL",
        "PatientBirthDate": "19700101", "PatientSex": "F", "StudyDate": "20240131",
        "StudyTime": "101530.123", "StudyDescription": "CT CHEST W CONTRAST",
        "ReferringPhysicianName": "DOCTOR^REFERRING", "Modality": "CT", "SeriesNumber": "2",
        "SeriesDescription": "AXIAL 3.0 B30f", "BodyPartExamined": "CHEST",
        "Manufacturer": "GE MEDICAL SYSTEMS", "ManufacturerModelName": "LightSpeed VCT",
        "InstitutionName": "GENERAL HOSPITAL", "StationName": "CT01", "InstanceNumber": "7",
    }  # fmt: skip
    before = (tmp_path / "index.sqlite").stat().st_size
    for number in range(5000):
        study = number // 10
        entry = an_entry(
            number, study=f"{prefix}.{study}", series=f"{prefix}.{study}.{number // 5 % 2}",
            PatientID=f"{study:08d}", AccessionNumber=f"A{study:08d}", Rows=b"\0\2",
            Columns=b"\0\2", **text,
        )._replace(sop_instance_uid=f"{prefix}.{study}.1.{number}")  # fmt: skip
        index.submit(entry)
    index.flush()
    index.writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ((tmp_path / "index.sqlite").stat().st_size - before) / 5000 < 300
