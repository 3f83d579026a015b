"""A million studies must not be read through for a key that has an index."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from isocenter.archive.index import Index, parents, reader, removal
from isocenter.archive.index.connection import Statement
from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.query import HeaderReader, Rules
from isocenter.archive.query.model import Model
from isocenter.security.access import Scope
from tests.archive.index.entries import tag
from tests.support.identifiers import find_texts as find

NEGOTIATED = Rules(combined_date_time=True, empty_values=True)
RETURNED = ("PatientName", "PatientID", "StudyDate", "StudyInstanceUID", "ModalitiesInStudy")


def scans(index: Index, sql: str, *parameters: object) -> list[str]:
    """The tables that a statement reads from end to end."""
    with index.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        steps = [row[3] for row in plan]
    # The few ideographic names may be read through, and subqueries' own results are.
    harmless = ("patient_name_group", "patient_name_trigram", "anon_", "person")
    return [
        step for step in steps if step.startswith("SCAN ") and not step[5:].startswith(harmless)
    ]


INDEXED = [
    ("STUDY", "STUDY", {"PatientID": "P1"}),
    ("STUDY", "STUDY", {"AccessionNumber": "A1"}),
    ("STUDY", "STUDY", {"AccessionNumber": "A1*"}),
    ("STUDY", "STUDY", {"StudyInstanceUID": "1.2\\1.3"}),
    ("STUDY", "STUDY", {"StudyDate": "20240101"}),
    ("STUDY", "STUDY", {"StudyDate": "20240101-20240131", "ModalitiesInStudy": "CT"}),
    ("STUDY", "STUDY", {"PatientName": "SMITH^JOHN"}),
    ("STUDY", "STUDY", {"PatientName": "SM*"}),
    ("STUDY", "STUDY", {"PatientName": "*SMITH*"}),
    ("STUDY", "STUDY", {"PatientName": "*SMITH*", "StudyDate": "20240101"}),
    ("STUDY", "STUDY", {"PatientName": "*IT*", "StudyDate": "20240101"}),
    ("PATIENT", "PATIENT", {"PatientID": "P1", "NumberOfPatientRelatedInstances": ""}),
    ("STUDY", "SERIES", {"StudyInstanceUID": "1.2", "NumberOfSeriesRelatedInstances": ""}),
    ("STUDY", "IMAGE", {"SeriesInstanceUID": "1.2", "SOPInstanceUID": ""}),
    ("STUDY", "IMAGE", {"SOPInstanceUID": "1.2"}),
]


@pytest.mark.parametrize(("model", "level", "keys"), INDEXED)
def test_a_query_by_an_indexed_key_reads_no_table_through(
    index: Index, model: Model, level: str, keys: dict[str, str]
) -> None:
    assert scans_of_find(index, model, level, keys) == []


@pytest.mark.parametrize("labels", ["a", "ab"])
@pytest.mark.parametrize(("model", "level", "keys"), INDEXED)
def test_nor_does_one_of_somebody_who_may_see_some_studies(
    index: Index, labelled: None, model: Model, level: str, keys: dict[str, str], labels: str
) -> None:
    assert scans_of_find(index, model, level, keys, scope=Scope(frozenset(labels))) == []


@pytest.fixture
def labelled(index: Index, tmp_path: Path, empty_access: Path) -> None:
    """A connection of the index has the labels of studies attached."""
    shutil.copy(empty_access, tmp_path / ACCESS_FILE)
    index.connect_labelled().close()


@pytest.mark.parametrize(
    ("model", "level", "keys"),
    [
        ("STUDY", "STUDY", {"StudyDate": "20240101-20240131", "StudyTime": "1000-1100"}),
        ("PATIENT", "PATIENT", {"PatientID": "P1", "PatientComments": ""}),
        ("STUDY", "STUDY", {"PatientID": "P1", "ProcedureCodeSequence": []}),
        ("STUDY", "SERIES", {"StudyInstanceUID": "1.2", "RequestAttributesSequence": []}),
        ("STUDY", "IMAGE", {"SeriesInstanceUID": "1.2", "SliceThickness": "1"}),
    ],
)
def test_nor_does_one_by_negotiated_matching_or_stored_headers(
    index: Index, tmp_path: Path, model: Model, level: str, keys: dict[str, Any]
) -> None:
    options: dict[str, Any] = {"rules": NEGOTIATED, "headers": HeaderReader(tmp_path)}
    assert scans_of_find(index, model, level, keys, **options) == []


def scans_of_find(
    index: Index, model: Model, level: str, keys: dict[str, Any], **options: Any
) -> list[str]:
    """The tables that a query reads from end to end."""
    returned = RETURNED if level != "PATIENT" else RETURNED[:2]
    seen: list[str] = []
    asked = {**{tag(keyword): "" for keyword in returned}, **{tag(k): v for k, v in keys.items()}}
    matches = find(index, model, level, asked, **options)
    with index.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(seen.append)
    list(matches)
    raw.set_trace_callback(None)
    return scans(index, seen[0])  # FTS5's own statements follow


@pytest.mark.parametrize(
    "statement",
    [
        value
        for module in (parents, reader, removal)
        for name, value in vars(module).items()
        if isinstance(value, Statement) and name.startswith(("_FIND", "_LOCATE", "_TERM"))
    ],
    ids=lambda statement: statement.sql.split("WHERE")[-1].strip().splitlines()[0],
)
def test_the_hot_paths_read_no_table_through(index: Index, statement: Statement) -> None:
    assert scans(index, statement.sql, *[1] * len(statement.parameters)) == []
