"""What a scope does to single questions, and to labels that come and go."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.index import Index, IndexUnavailable
from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.query import InvalidQuery
from isocenter.archive.query.statements import _compiled
from isocenter.archive.retrieve import select_instances
from isocenter.archive.study_labels import StudyLabels
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase
from tests.archive.index.entries import an_entry, store, tag
from tests.archive.query.test_scope_against_an_oracle import COMMENTS, Headers
from tests.support.identifiers import find_texts

STUDY, PATIENT = tag("StudyInstanceUID"), tag("PatientID")
RESEARCH = Scope(frozenset({"research"}))


@pytest.fixture
def archive(index: Index) -> Index:
    """One patient's studies 1.1 to 1.3, and one of another's."""
    store(
        index,
        *(an_entry(number, study=f"1.{number}", series=f"1.{number}.1") for number in (1, 2, 3)),
        an_entry(4, study="1.4", series="1.4.1", PatientID="P2"),
    )
    return index


@pytest.fixture
def labels(tmp_path: Path, empty_access: Path) -> Iterator[StudyLabels]:
    shutil.copy(empty_access, tmp_path / ACCESS_FILE)
    with AccessDatabase(tmp_path / ACCESS_FILE) as database:
        yield StudyLabels(database)


def seen(index: Index, scope: Scope = RESEARCH, **keys: str) -> list[str]:
    asked = {STUDY: "", **{tag(keyword): value for keyword, value in keys.items()}}
    return sorted(match[STUDY] for match in find_texts(index, "STUDY", "STUDY", asked, scope=scope))


def test_a_label_holds_from_the_next_query_on(archive: Index, labels: StudyLabels) -> None:
    assert seen(archive) == []
    labels.add("research", ["1.2", "1.4"])
    assert seen(archive) == ["1.2", "1.4"]
    assert seen(archive, PatientID="P1") == ["1.2"]
    assert seen(archive, Scope(frozenset({"teaching"}))) == []
    labels.remove("research", ["1.2"])
    assert seen(archive) == ["1.4"]
    assert seen(archive, ALL_STUDIES) == ["1.1", "1.2", "1.3", "1.4"]


def test_whoever_may_see_nothing_finds_nothing(archive: Index, labels: StudyLabels) -> None:
    labels.add("research", ["1.1"])
    nothing = RESEARCH.narrowed(Scope(frozenset({"teaching"})))
    assert nothing == Scope(frozenset())
    assert seen(archive, nothing) == []
    found = select_instances(archive, "PATIENT", "PATIENT", {PATIENT: "P1"}, scope=nothing)
    assert len(found) == 0


def test_a_patient_is_spoken_for_by_an_instance_that_is_seen(
    archive: Index, labels: StudyLabels
) -> None:
    labels.add("research", ["1.3"])
    keys = {PATIENT: "P1", COMMENTS: ""}
    (first,) = find_texts(archive, "PATIENT", "PATIENT", keys, scope=ALL_STUDIES, headers=Headers())
    (seen_first,) = find_texts(
        archive, "PATIENT", "PATIENT", keys, scope=RESEARCH, headers=Headers()
    )
    assert (first[COMMENTS], seen_first[COMMENTS]) == ("1132", "3132")


def test_a_patient_without_a_study_that_is_seen_is_not_there(
    archive: Index, labels: StudyLabels
) -> None:
    labels.add("research", ["1.4"])
    counts = {PATIENT: "", tag("NumberOfPatientRelatedStudies"): ""}
    found = list(find_texts(archive, "PATIENT", "PATIENT", counts, scope=RESEARCH))
    assert found == [{PATIENT: "P2", tag("NumberOfPatientRelatedStudies"): "1"}]


def test_labels_that_appear_while_the_node_runs_are_seen(
    archive: Index, tmp_path: Path, empty_access: Path
) -> None:
    assert seen(archive) == []  # there is no such file
    (tmp_path / ACCESS_FILE).touch()  # somebody is about to make it
    assert seen(archive) == []
    with AccessDatabase(tmp_path / ACCESS_FILE) as database:
        StudyLabels(database).add("research", ["1.3"])
        assert seen(archive) == ["1.3"]
    assert seen(archive) == ["1.3"]  # nobody else has it open


def test_a_database_that_was_put_in_its_place_is_the_one_that_counts(
    archive: Index, labels: StudyLabels, tmp_path: Path
) -> None:
    labels.add("research", ["1.1"])
    assert seen(archive) == ["1.1"]
    with AccessDatabase(tmp_path / "backup.sqlite") as backup:
        StudyLabels(backup).add("research", ["1.2"])
    for leftover in tmp_path.glob("access.sqlite-*"):
        leftover.unlink()
    (tmp_path / "backup.sqlite").replace(tmp_path / ACCESS_FILE)
    assert seen(archive) == ["1.2"]
    (tmp_path / ACCESS_FILE).unlink()
    assert seen(archive) == []


def test_labels_that_cannot_be_read_show_nothing_to_anybody(archive: Index, tmp_path: Path) -> None:
    (tmp_path / ACCESS_FILE).write_text("no database " * 1000)
    for _ in range(2):
        with pytest.raises(IndexUnavailable, match="The labels of studies cannot be read"):
            seen(archive)
    assert seen(archive, ALL_STUDIES) == ["1.1", "1.2", "1.3", "1.4"]
    (tmp_path / ACCESS_FILE).unlink()
    assert seen(archive) == []


def test_what_a_query_may_not_say_it_may_not_say_in_any_scope(archive: Index) -> None:
    with pytest.raises(InvalidQuery):
        find_texts(archive, "STUDY", "NOWHERE", {}, scope=RESEARCH)


def test_the_shape_of_a_query_counts_its_labels_and_not_their_names(
    archive: Index, labels: StudyLabels
) -> None:
    labels.add("x", ["1.1"])
    seen(archive, Scope(frozenset("abx")))
    before = _compiled.cache_info()
    assert seen(archive, Scope(frozenset("xyz"))) == ["1.1"]
    after = _compiled.cache_info()
    assert (after.misses, after.hits) == (before.misses, before.hits + 1)


def test_labels_cost_nothing_where_nobody_asks_for_them(
    archive: Index, labels: StudyLabels
) -> None:
    statements: list[str] = []
    with archive.connect() as connection:
        raw = connection.connection.driver_connection
        raw.set_trace_callback(statements.append)
    seen(archive, ALL_STUDIES)
    raw.set_trace_callback(None)
    assert not any("access" in statement or "label" in statement for statement in statements)
