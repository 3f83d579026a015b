"""Database files that are made at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sqlalchemy import text

from isocenter.archive.workflow import Workflow
from isocenter.security.database import AccessDatabase


def test_several_threads_may_make_files_at_once(tmp_path: Path) -> None:
    """Alembic has one context for all threads, which they must not share."""

    def make(number: int) -> int:
        kind = (Workflow, AccessDatabase)[number % 2]
        table = ("job", "study_label")[number % 2]
        path = tmp_path / f"{number // 4}-{kind.__name__}.sqlite"
        with kind(path) as database, database.reading() as connection:
            return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(make, range(32))) == [0] * 32
