import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select

from isocenter.archive.workflow import Workflow, WorkflowUnavailable, WorkflowUnusable
from isocenter.archive.workflow import database as workflow_module
from isocenter.archive.workflow.schema import failure, metadata
from isocenter.database import database as database_module

A_FAILURE = {
    "first_at": 1.0,
    "happened_at": 1.0,
    "occurrences": 1,
    "role": "provider",
    "peer": "127.0.0.1:104",
    "calling_ae": "A",
    "called_ae": "B",
    "what": "association",
    "diagnosis": "It was refused.",
}


def test_the_migrations_make_the_tables_that_queries_speak_to(tmp_path: Path) -> None:
    with Workflow(tmp_path / "workflow.sqlite") as workflow, workflow.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_that_opening_looks_for() -> None:
    config = Config()
    folder = Path(workflow_module.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_current_head() == workflow_module.HEAD


def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a%20b" / "workflow.sqlite"
    with Workflow(path) as workflow, workflow.writing() as connection:
        connection.execute(insert(failure), A_FAILURE)
    with Workflow(path) as workflow, workflow.reading() as connection:
        assert connection.execute(select(failure.c.diagnosis)).scalars().all() == [
            "It was refused."
        ]


def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with Workflow(tmp_path / "workflow.sqlite") as workflow:
        with suppress(ZeroDivisionError), workflow.writing() as connection:
            connection.execute(insert(failure), A_FAILURE)
            raise ZeroDivisionError
        with workflow.reading() as connection:
            assert connection.execute(select(failure)).all() == []


def test_many_open_a_new_file_at_once(tmp_path: Path) -> None:
    def write(turn: int) -> None:
        with Workflow(tmp_path / "workflow.sqlite") as workflow, workflow.writing() as connection:
            connection.execute(
                insert(failure), A_FAILURE | {"happened_at": float(turn), "what": str(turn)}
            )

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    with Workflow(tmp_path / "workflow.sqlite") as workflow, workflow.reading() as connection:
        moments = connection.execute(select(failure.c.happened_at)).scalars().all()
    assert sorted(moments) == [float(turn) for turn in range(8)]


def test_a_failing_database_is_named_without_the_values(tmp_path: Path) -> None:
    with (
        Workflow(tmp_path / "workflow.sqlite") as workflow,
        pytest.raises(WorkflowUnavailable) as raised,
        workflow.writing() as connection,
    ):
        connection.execute(insert(failure), A_FAILURE | {"peer": None, "diagnosis": "SMITH^JOHN"})
    assert "SMITH" not in str(raised.value)


def test_an_index_is_not_taken_for_a_workflow_database(tmp_path: Path) -> None:
    path = tmp_path / "workflow.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE something (id INTEGER)")
    connection.close()
    with pytest.raises(WorkflowUnusable, match="not a workflow database"):
        Workflow(path)


def test_a_schema_that_cannot_be_made_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA max_page_count = 2")  # as if the disk were full
        return connection

    monkeypatch.setattr(database_module, "connect", full)
    with pytest.raises(WorkflowUnusable, match="disk is full"):
        Workflow(tmp_path / "workflow.sqlite")


def test_what_is_not_required_is_opened_once_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "workflow.sqlite"
    path.write_bytes(b"no database at all" * 1000)
    with Workflow(path, required=False) as workflow:
        for _ in range(2):
            with pytest.raises(WorkflowUnavailable, match="not a database"), workflow.reading():
                pass
        path.unlink()
        with workflow.writing() as connection:
            connection.execute(insert(failure), A_FAILURE)
