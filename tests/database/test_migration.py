"""Database files that are made at the same moment."""

from __future__ import annotations

import subprocess
import sys
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


def test_several_processes_may_make_one_file_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from isocenter.security.database import *; "
        "AccessDatabase(Path(sys.argv[1])).close()"
    )
    for number in range(3):
        file = tmp_path / f"{number}.sqlite"
        makers = [subprocess.Popen([sys.executable, "-c", script, str(file)]) for _ in range(4)]
        assert [maker.wait(60) for maker in makers] == [0] * 4
