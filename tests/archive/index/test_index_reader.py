import threading
from pathlib import Path

import pytest

from isocenter.archive.index import Index, IndexReader, IndexUnusable, QuarantineEntry
from isocenter.archive.index.interface import ReadableIndex, WritableIndex
from tests.archive.index.entries import CT, EXPLICIT_LE, an_entry, store


def test_an_index_is_what_the_archive_asks_for(index: Index) -> None:
    readable: ReadableIndex = index
    writable: WritableIndex = index
    assert readable is writable


def test_a_reader_of_its_own_sees_each_commit(index: Index, tmp_path: Path) -> None:
    reader = IndexReader(tmp_path / "index.sqlite")
    assert reader.locate("1.2.3.1") is None
    for number in range(1, 4):
        store(index, an_entry(number))
        assert reader.locate(f"1.2.3.{number}") == index.locate(f"1.2.3.{number}")
    reader.close()


def test_a_look_up_leaves_the_log_free_to_shrink(index: Index) -> None:
    store(index, an_entry(1), an_entry(2))
    index.locate("1.2.3.1")
    index.locate("1.2.3.9")
    checkpoint = index.writer._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert checkpoint.fetchone() == (0, 0, 0)


def test_threads_look_up_while_others_store(index: Index) -> None:
    failures: list[int] = []
    done = threading.Event()

    def look() -> None:
        seen = 0
        while not (done.is_set() and seen == 600):
            while index.locate(f"1.2.3.{seen}") is not None:
                seen += 1
            if seen < 600 and done.is_set() and index.locate(f"1.2.3.{seen}") is None:
                failures.append(seen)
                return

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(600):
        index.submit(an_entry(number))
    index.flush()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_closed_reader_opens_again_when_asked(index: Index) -> None:
    store(index, an_entry(1))
    index.locate("1.2.3.1")
    index.reader.close()
    assert index.locate("1.2.3.1") is not None


def test_a_reader_makes_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusable):
        IndexReader(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(index: Index) -> None:
    with index.connect() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM instance")


def test_quarantine_is_listed_newest_first(index: Index) -> None:
    kept = [
        QuarantineEntry(f"1.2.{n}", CT, EXPLICIT_LE, f"q/{n}.dcm", 10, 2**64 - n, n, "AE", "why")
        for n in range(1, 4)
    ]
    for entry in kept:
        index.record_quarantine(entry)
    assert index.list_quarantine() == kept[::-1]
    assert index.list_quarantine(limit=1) == kept[2:]
    assert index.statistics().quarantined == 3
