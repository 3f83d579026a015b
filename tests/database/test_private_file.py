"""Database files that only their owner can read."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from isocenter.database import private_file
from isocenter.database.database import connect
from isocenter.database.private_file import create_private

OPEN_AND_CLOSE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM t").fetchall()
connection.close()
"""


def test_only_the_owner_can_read_it_and_its_log(tmp_path: Path):
    path = tmp_path / "new" / "a.sqlite"
    create_private(path)
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_locks_of_a_file_that_is_there_are_kept(tmp_path: Path):
    """Without them the next process to close the file takes the log away, with what is in it."""
    path = tmp_path / "a.sqlite"
    create_private(path)
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")
        create_private(path)
        subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, path], check=True, timeout=30)
        assert Path(f"{path}-wal").exists()
        connection.execute("INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect(path)) as again:
        assert again.execute("SELECT * FROM t").fetchall() == [(1,)]


def test_no_thread_goes_on_before_the_new_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "a.sqlite"
    order: list[str] = []

    def second() -> None:
        create_private(path)
        order.append("second")

    other = threading.Thread(target=second)

    def close(fd: int) -> None:
        other.start()
        other.join(0.2)  # long enough to go on, if it could
        order.append("closed")
        os_close(fd)

    os_close = os.close
    monkeypatch.setattr(private_file.os, "close", close)
    create_private(path)
    other.join(10)
    assert order == ["closed", "second"]
