"""isocenter delete, without a running node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.archive.workflow import deletions
from isocenter.cli import exit_codes
from isocenter.cli.commands import delete
from tests.cli.helpers import Run, write_object

DATA = Path("isocenter-data")
WHY = ("--role", "QA", "--reason", "wrong patient")


@pytest.fixture
def imported(run: Run) -> Path:
    """An archive of three studies of an instance each."""
    for number in (1, 2, 3):
        write_object(Path(f"in/{number}.dcm"), number)
    assert run("import", "in").exit_code == 0
    return DATA


def instances(run: Run) -> int:
    return int(json.loads(run("status", "--json").stdout)["instances"])


def test_delete_asks_with_counts_and_without_the_patient(run: Run, imported: Path) -> None:
    result = run("delete", "1.2.3.1.1", *WHY)
    assert result.exit_code == exit_codes.SYNTAX
    assert "Delete 1 instance in 1 series of 1 study of 1 patient, " in result.stderr
    assert "DOE" not in result.output
    assert "Nothing was deleted" in result.stderr
    assert instances(run) == 3


def test_delete_list_and_restore(run: Run, imported: Path) -> None:
    result = run("delete", "1.2.3.1.1", "1.2.3.2.1", *WHY, "--yes")
    assert result.exit_code == 0
    assert "Deleted 2 instances (deletion 1). Until " in result.stdout
    assert "`isocenter delete restore 1` brings them back." in result.stdout
    assert instances(run) == 1
    (found,) = json.loads(run("delete", "list", "--json").stdout)
    assert (found["role"], found["reason"], found["state"]) == ("QA", "wrong patient", "taken out")
    assert found["studies"] == ["1.2.3.1.1", "1.2.3.2.1"]
    assert "wrong patient" in run("delete", "list").stdout
    assert run("delete", "restore", 1).stdout == "Restored 2 instances of deletion 1.\n"
    assert instances(run) == 3
    again = run("delete", "restore", 1)
    assert again.exit_code == exit_codes.UNREADABLE_INPUT
    assert "Deletion 1 cannot be restored: it is restored" in again.stderr


def test_delete_now_and_purge_are_for_good(run: Run, imported: Path) -> None:
    result = run("delete", "--series", "1.2.3.1.2", *WHY, "--now", "--yes")
    assert result.stdout == "Deleted 1 instance for good (deletion 1).\n"
    assert run("delete", "--instance", "1.2.3.2", *WHY, "--yes", "--json").exit_code == 0
    assert run("delete", "purge", 2).exit_code == exit_codes.SYNTAX  # it asks
    purged = run("delete", "purge", 2, "--yes", "--json")
    assert json.loads(purged.stdout)["state"] == "purged"
    assert run("delete", "restore", 2).exit_code == exit_codes.UNREADABLE_INPUT
    assert list((DATA / "trash").iterdir()) == []
    assert instances(run) == 1


def test_a_dry_run_changes_nothing(run: Run, imported: Path) -> None:
    result = run("delete", "1.2.3.1.1", *WHY, "--dry-run")
    assert result.stdout.startswith("Would delete 1 instance in 1 series of 1 study of 1 patient")
    counted = json.loads(run("delete", "1.2.3.1.1", *WHY, "--dry-run", "--json").stdout)
    assert (counted["instances"], counted["quarantined"]) == (1, 0)
    assert instances(run) == 3
    assert run("delete", "list").stderr == "Nothing was deleted.\n"


def test_what_is_not_there_is_named_and_nothing_else_is_deleted(run: Run, imported: Path) -> None:
    result = run("delete", "1.2.3.1.1", "1.2.9", *WHY, "--yes")
    assert result.exit_code == exit_codes.NO_INPUT
    assert "The archive has no study 1.2.9; nothing was deleted" in result.stderr
    assert instances(run) == 3
    assert "has no instance 1.2.9" in run("delete", "--instance", "1.2.9", *WHY, "--yes").stderr
    assert "there is none of that number" in run("delete", "restore", 7).stderr
    assert "there is none of that number" in run("delete", "purge", 7, "--yes").stderr


@pytest.mark.parametrize(
    "line",
    [
        ("1.2.3.1.1", "--yes"),
        ("1.2.3.1.1", "--role", "QA", "--yes"),
        ("1.2.3.1.1", "--role", " ", "--reason", "why", "--yes"),
        ("1.2.3.1.1", "--role", "QA", "--reason", "x" * 501, "--yes"),
        ("1.2.3.1.1", "--role", "QA", "--reason", "two\nlines", "--yes"),
        (*WHY, "--yes"),
        ("1.2.3.1.1", "--series", "1.2.3.1.2", *WHY, "--yes"),
        ("1.2.3.*", *WHY, "--yes"),
        ("../../etc", *WHY, "--yes"),
        (*(f"1.2.{n}" for n in range(1001)), *WHY, "--yes"),
    ],
)
def test_a_wrong_line_deletes_nothing(run: Run, imported: Path, line: tuple[str, ...]) -> None:
    assert run("delete", *line).exit_code == exit_codes.SYNTAX
    assert instances(run) == 3


def test_there_must_be_an_archive(run: Run) -> None:
    assert run("delete", "1.2.3", *WHY, "--yes").exit_code == exit_codes.UNREADABLE_INPUT
    assert run("delete", "list").exit_code == exit_codes.UNREADABLE_INPUT


def test_the_command_and_the_database_agree_on_the_longest_texts() -> None:
    assert delete._MAXIMUM_ROLE == deletions.MAXIMUM_ROLE
    assert delete._MAXIMUM_REASON == deletions.MAXIMUM_REASON
