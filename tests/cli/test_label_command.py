"""`isocenter label`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from tests.cli.helpers import Run, write_object


@pytest.fixture
def imported(run: Run) -> None:
    """An archive of the studies 1.2.3.1.1 to 1.2.3.3.1."""
    for number in (1, 2, 3):
        write_object(Path(f"in/{number}.dcm"), number)
    assert run("import", "in").exit_code == 0


def test_labels_are_given_listed_and_taken(run: Run, imported: None) -> None:
    given = run("label", "add", "research", "1.2.3.1.1", "1.2.3.2.1", "1.2.3.1.1")
    assert (given.exit_code, given.stdout) == (0, "2 studies now have the label research.\n")
    again = run("label", "add", "research", "1.2.3.3.1", "1.2.3.2.1")
    assert again.stdout == "1 study now has the label research, 1 as before.\n"
    counts = json.loads(run("label", "add", "teaching", "1.2.3.1.1", "--json").stdout)
    assert counts == {"label": "teaching", "changed": 1, "unchanged": 0}
    assert json.loads(run("label", "list", "--json").stdout) == [
        {"study": "1.2.3.1.1", "labels": ["research", "teaching"]},
        {"study": "1.2.3.2.1", "labels": ["research"]},
        {"study": "1.2.3.3.1", "labels": ["research"]},
    ]
    assert run("label", "list", "--label", "teaching").stdout.splitlines() == [
        "Study Instance UID  Labels",
        "1.2.3.1.1           research, teaching",
    ]
    assert len(json.loads(run("label", "list", "--limit", "2", "--json").stdout)) == 2
    taken = run("label", "remove", "research", "1.2.3.1.1")
    assert taken.stdout == "1 study no longer has the label research.\n"
    assert run("label", "remove", "research", "--all").stdout.startswith("2 studies no longer have")
    left = json.loads(run("label", "list", "--study", "1.2.3.1.1", "--json").stdout)
    assert left == [{"study": "1.2.3.1.1", "labels": ["teaching"]}]
    assert "No study has such a label." in run("label", "list", "--label", "research").stderr


def test_a_study_that_is_not_there_is_refused_unless_it_may_come(run: Run, imported: None) -> None:
    refused = run("label", "add", "research", "1.2.3.1.1", "1.2.99", "1.2.98")
    assert refused.exit_code == exit_codes.NO_INPUT
    assert "has no study 1.2.99 and 1 other; nothing was changed" in refused.stderr
    assert json.loads(run("label", "list", "--json").stdout) == []
    assert run("label", "add", "research", "1.2.99", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "two words", "1.2.3.1.1"), "cannot be a label"),
        (("add", "research", "no-uid"), "is no Study Instance UID"),
        (("remove", "research"), "Name studies, or give --all."),
        (("remove", "research", "1.2.3", "--all"), "Name studies, or give --all."),
        (("add", "research"), "STUDY-UID"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(
    run: Run, imported: None, arguments: tuple[str, ...], sentence: str
) -> None:
    result = run("label", *arguments)
    assert result.exit_code == exit_codes.SYNTAX
    assert sentence in result.stderr


def test_without_an_archive_nothing_is_made(run: Run) -> None:
    result = run("label", "list", "--data", "nowhere")
    assert result.exit_code == exit_codes.UNREADABLE_INPUT
    assert not Path("nowhere").exists()
