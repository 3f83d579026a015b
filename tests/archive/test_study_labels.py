"""Labels given to studies and taken from them."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.archive.index import Index
from isocenter.archive.study_labels import InvalidLabel, StudyLabels, unknown_studies
from isocenter.security.access import is_label
from isocenter.security.database import AccessDatabase, AccessUnusable
from tests.archive.index.entries import an_entry, store


@pytest.fixture
def labels(tmp_path: Path) -> Iterator[StudyLabels]:
    with AccessDatabase(tmp_path / "access.sqlite") as database:
        yield StudyLabels(database)


def test_a_label_is_given_once_and_taken_once(labels: StudyLabels) -> None:
    assert labels.add("research", ["1.2", "1.3", "1.2"]) == 2
    assert labels.add("research", ["1.2", "1.4"]) == 1
    assert labels.add("teaching", ["1.2"]) == 1
    assert labels.list() == [
        ("1.2", ("research", "teaching")),
        ("1.3", ("research",)),
        ("1.4", ("research",)),
    ]
    assert labels.list(label="teaching") == [("1.2", ("research", "teaching"))]
    assert labels.list(study_uid="1.3") == [("1.3", ("research",))]
    assert labels.list(label="teaching", study_uid="1.3") == []
    assert labels.list(limit=1) == [("1.2", ("research", "teaching"))]
    assert labels.remove("research", ["1.2", "1.9"]) == 1
    assert labels.remove("research") == 2
    assert labels.list() == [("1.2", ("teaching",))]


@pytest.mark.parametrize("label", ["", " ", "two words", "-x", "a" * 65, "é", "a,b", "a\n"])
def test_what_cannot_be_a_label_is_refused(labels: StudyLabels, label: str) -> None:
    assert not is_label(label)
    with pytest.raises(InvalidLabel):
        labels.add(label, ["1.2"])
    assert labels.list() == []


@given(st.text(max_size=80))
def test_a_label_never_holds_what_separates_labels(text: str) -> None:
    assert not is_label(text) or not set(text) & set(", \\\n\r\t\0")


def test_studies_that_are_not_there_are_named(index: Index) -> None:
    store(index, an_entry(1, study="1.2.1"), an_entry(2, study="1.2.2"))
    asked = ["1.2.2", *(f"1.2.{number}" for number in range(1000, 2200)), "1.2.1", "nonsense"]
    assert unknown_studies(index, asked) == [*asked[1:-2], "nonsense"]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "access.sqlite"
    with AccessDatabase(path) as database:
        StudyLabels(database).add("a", ["1.2"])
        files = sorted(path.parent.iterdir())
        assert len(files) > 1  # the log, too
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_folder_that_cannot_be_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AccessUnusable, match="cannot be made"):
        AccessDatabase(tmp_path / "file" / "access.sqlite")
