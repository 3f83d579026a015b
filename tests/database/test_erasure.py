"""No byte of a deleted row is left in a database file, and none of any other is touched."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.database.database import connect
from isocenter.database.erasure import NotErased, erase_free_space, overwrite_log

SECRET = "SECRET"


def connect_plainly(path: Path) -> sqlite3.Connection:
    """A connection that leaves everything where it was, and does not wait long."""
    connection = sqlite3.connect(path, timeout=0.1, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.sqlite"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect_plainly(path)) as opened:
        opened.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, more TEXT)")
        opened.execute("CREATE UNIQUE INDEX by_name ON t (name)")
        yield opened


def fill(connection: sqlite3.Connection, seed: int, rows: int, longest: int = 6000) -> None:
    """Names that fall anywhere in their index, every tenth a secret; some rows overflow a page."""
    random = Random(seed)
    for _ in range(rows // 100):
        connection.execute("BEGIN")
        for _ in range(100):
            secret = random.randrange(10) == 0
            name = f"{random.getrandbits(60)}{SECRET if secret else ''}"
            more = (SECRET if secret else "open") * (random.choice([1, 5, 50, longest]) // 6)
            connection.execute("INSERT INTO t (name, more) VALUES (?, ?)", (name, more))
        connection.execute("COMMIT")


def delete_secrets(connection: sqlite3.Connection) -> None:
    connection.execute(f"DELETE FROM t WHERE name LIKE '%{SECRET}'")


def left(path: Path) -> int:
    """How often the secret stands in the file and its log."""
    log = path.with_name(f"{path.name}-wal")
    content = path.read_bytes() + (log.read_bytes() if log.exists() else b"")
    return content.count(SECRET.encode())


def rows(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM t ORDER BY id").fetchall()


def test_what_was_deleted_is_left_before_and_gone_afterwards(path, connection) -> None:
    fill(connection, 1, 3000)
    delete_secrets(connection)
    kept = rows(connection)
    assert left(path) > 100
    erase_free_space(path, connect_plainly)
    assert left(path) == 0
    assert rows(connection) == kept
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@settings(max_examples=15)
@given(st.integers(), st.integers(100, 1500), st.sampled_from([6, 600, 20_000]))
def test_rows_of_any_shape_survive_it(tmp_path_factory, seed: int, count: int, longest: int):
    path = tmp_path_factory.mktemp("any") / "some.sqlite"
    with closing(connect_plainly(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, more TEXT)")
        connection.execute("CREATE UNIQUE INDEX by_name ON t (name)")
        fill(connection, seed, count, longest)
        delete_secrets(connection)
        kept = rows(connection)
        erase_free_space(path, connect_plainly)
        assert left(path) == 0
        fill(connection, seed + 1, 100)
        delete_secrets(connection)
        assert set(kept) <= set(rows(connection))
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_connection_that_remembers_pages_does_not_write_them_back(path, connection) -> None:
    fill(connection, 2, 2000)
    delete_secrets(connection)
    rows(connection)  # now its cache holds every page, old bytes included
    erase_free_space(path, connect_plainly)
    connection.execute("UPDATE t SET more = 'changed' WHERE id % 3 = 0")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert left(path) == 0


def test_a_log_of_many_frames_is_overwritten_to_its_end(path, connection) -> None:
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    fill(connection, 3, 1000)
    log = path.with_name(f"{path.name}-wal")
    before = log.stat().st_size
    copies: list[int] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
            if sql.endswith("(TRUNCATE)"):
                copies.append(log.stat().st_size)
                assert SECRET.encode() not in log.read_bytes()
            return super().execute(sql, *arguments)

    with closing(sqlite3.connect(path, isolation_level=None, factory=Watched)) as watched:
        overwrite_log(watched, path)
    assert copies[0] >= before
    assert log.stat().st_size == 0


def test_a_reader_keeps_the_log_and_this_is_said(path, connection) -> None:
    fill(connection, 4, 100)
    with closing(connect_plainly(path)) as reader:
        reader.execute("BEGIN")
        rows(reader)
        fill(connection, 5, 100)
        with pytest.raises(NotErased):
            erase_free_space(path, connect_plainly)
        reader.execute("COMMIT")
    erase_free_space(path, connect_plainly)


def test_a_file_that_cannot_be_understood_is_left_alone(path) -> None:
    with closing(sqlite3.connect(path)) as vacuumed:
        vacuumed.execute("PRAGMA auto_vacuum = FULL")
        vacuumed.execute("CREATE TABLE t (id INTEGER)")
    before = path.read_bytes()
    with pytest.raises(NotErased):
        erase_free_space(path, connect)
    assert path.read_bytes()[100:] == before[100:]
