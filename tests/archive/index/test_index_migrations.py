import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from isocenter.archive.index import Index, IndexUnusable
from isocenter.archive.index import migrate as migrate_module
from isocenter.archive.index.migrate import HEAD, migrate
from isocenter.archive.index.schema import metadata
from tests.archive.index.entries import an_entry, store


def test_the_migrations_make_the_tables_that_queries_speak_to(index: Index) -> None:
    with index.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = [
            difference
            for difference in compare_metadata(context, metadata)
            if "patient_name_trigram" not in str(difference)  # FTS5 keeps tables of its own
        ]
    assert differences == []


def test_the_newest_migration_is_the_one_that_opening_looks_for() -> None:
    config = Config()
    config.set_main_option(
        "script_location", str(Path(migrate_module.__file__).parent / "migrations")
    )
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_an_index_is_made_with_its_folders_and_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a b%20c?d" / "index.sqlite"
    for turn in range(2):
        with Index.open(path) as index:
            store(index, an_entry(turn))
            assert index.statistics().instances == turn + 1


def test_an_index_is_opened_by_url(tmp_path: Path) -> None:
    with Index.open(f"sqlite:///{tmp_path}/index.sqlite") as index:
        assert index.statistics().instances == 0
    assert (tmp_path / "index.sqlite").exists()


def test_another_database_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusable, match="postgresql"):
        Index.open("postgresql://localhost/isocenter")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(IndexUnusable, match="cannot be opened"):
        Index.open(path)


def test_a_database_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmark (url TEXT)")
    connection.commit()
    with pytest.raises(IndexUnusable, match="not an index"):
        Index.open(path)
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("bookmark",)]


def test_an_index_of_a_newer_isocenter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite"
    migrate(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(IndexUnusable, match="newer version"):
        Index.open(path)
