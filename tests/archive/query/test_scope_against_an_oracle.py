"""Who may see some studies only finds what an archive of those studies alone would answer.

The oracle is that archive: filled in Python with the visible studies, asked without a scope.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.archive.index import Index, IndexEntry
from isocenter.archive.layout import ACCESS_FILE
from isocenter.archive.query import Rules
from isocenter.archive.query.headers import Place
from isocenter.archive.query.model import UNIQUE_KEY
from isocenter.archive.retrieve import select_instances
from isocenter.archive.study_labels import StudyLabels
from isocenter.encoding.elements import Elements, RawElement
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.database import AccessDatabase
from tests.archive.index.entries import an_entry, store, tag
from tests.support.identifiers import find_texts

STUDIES, LABELS = range(5), "abc"
MODALITIES = ("CT", "MR", "US")

COUNTED = {
    "PATIENT": ("Studies", "Series", "Instances"),
    "STUDY": ("Series", "Instances"),
    "SERIES": ("Instances",),
}
RETURNED = {
    "PATIENT": ("PatientID", "PatientName"),
    "STUDY": ("StudyInstanceUID", "ModalitiesInStudy", "SOPClassesInStudy", "PatientID"),
    "SERIES": ("SeriesInstanceUID", "Modality", "StudyDescription"),
    "IMAGE": ("SOPInstanceUID", "InstanceNumber"),
}
COMMENTS = tag("PatientComments")


class Case(NamedTuple):
    """An archive, who has which labels, and who asks."""

    entries: list[IndexEntry]
    labels: dict[str, set[str]]
    scope: Scope


def study_uid(number: int) -> str:
    return f"1.2.{number}"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    patients = draw(st.permutations(["P1", "P1", "P1", "P2", ""]))
    spread = st.tuples(st.sampled_from(STUDIES), st.integers(0, 1), st.sampled_from(MODALITIES))
    modality: dict[tuple[int, int], str] = {}
    entries = []
    for number, (study, series, kind) in enumerate(draw(st.lists(spread, min_size=5, max_size=14))):
        patient = patients[study]
        entries.append(
            an_entry(
                number,
                study=study_uid(study),
                series=f"{study_uid(study)}.{series}",
                PatientID=patient,
                PatientName=f"NAME^{patient}",
                StudyDescription=f"about {study % 2}",
                StudyDate=f"2024010{study + 1}",
                Modality=modality.setdefault((study, series), kind),
                InstanceNumber=str(number),
            )
        )
    held = draw(st.permutations(["", "a", "b", "ab", "c"]))
    labels = {study_uid(number): set(some) for number, some in enumerate(held)}
    asking = draw(st.sampled_from(["a", "b", "ab", "bc", "abc", ""]))
    return Case(entries, labels, Scope(frozenset(asking)))


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, str, dict[int, str], dict[str, Any]]:
    """Model, level, keys and options of a query that is relational, so that any keys will do."""
    model, level = draw(
        st.sampled_from(
            [
                (model, level)
                for model in ("PATIENT", "STUDY")
                for level in RETURNED
                if (model, level) != ("STUDY", "PATIENT")
            ]
        )
    )
    below = list(RETURNED)[: list(RETURNED).index(level) + 1]
    keys = {tag(word): "" for each in below for word in RETURNED[each] if draw(st.booleans())}
    keys |= {
        tag(f"NumberOf{each.title()}Related{what}"): ""
        for each in below
        for what in COUNTED.get(each, ())
        if draw(st.booleans())
    }
    matched = {
        "PatientID": st.sampled_from(["P1", "P*", "P1\\P2"]),
        "PatientName": st.sampled_from(["NAME*", "*P1*", "name^p2"]),
    }
    if level != "PATIENT":
        matched |= {
            "StudyDescription": st.sampled_from(["about 0", "about?1", "*"]),
            "StudyDate": st.sampled_from(["20240101-20240103", "20240102-", "20240103"]),
            "StudyInstanceUID": st.sampled_from(["1.2.0", "1.2.1\\1.2.2\\1.2.9"]),
            "ModalitiesInStudy": st.sampled_from(MODALITIES),
        }
    for word in draw(st.sets(st.sampled_from(sorted(matched)), max_size=2)):
        keys[tag(word)] = draw(matched[word])
    options: dict[str, Any] = {"rules": Rules(combined_date_time=True, empty_values=True)}
    if draw(st.booleans()):
        keys[COMMENTS] = ""  # only a stored header knows
        options["headers"] = Headers()
    return model, level, keys, options


class Headers:
    """Stands for the packs: a header tells where it lies, which is another place in each."""

    unreadable = 0

    def read(self, place: Place, wanted: object) -> Elements:
        return {COMMENTS: RawElement("LT", b"%d" % place.start)}

    def close(self) -> None:
        pass


def filled(folder: Path, empty: Path, entries: list[IndexEntry]) -> Index:
    folder.mkdir()
    shutil.copy(empty, folder / "index.sqlite")
    index = Index.open(folder / "index.sqlite")
    store(index, *entries)
    return index


def answers(index: Index, question: Any, scope: Scope) -> list[tuple[tuple[int, str], ...]]:
    model, level, keys, options = question
    found = find_texts(index, model, level, keys, relational=True, scope=scope, **options)
    return sorted(tuple(sorted(match.items())) for match in found)


def retrieved(index: Index, level: str, value: str, scope: Scope) -> list[str]:
    model = "PATIENT" if level == "PATIENT" else "STUDY"
    key = UNIQUE_KEY[getattr(type(next(iter(UNIQUE_KEY))), level)]
    selection = select_instances(index, model, level, {key: value}, scope=scope)
    uids = sorted(one.sop_instance_uid for one in selection)
    assert len(selection) == len(uids)
    return uids


def named_in(entries: list[IndexEntry]) -> Iterator[tuple[str, str]]:
    """Everything that somebody could try to retrieve."""
    for entry in entries:
        header = {key: value.decode() for key, value in entry.header.items()}
        yield "IMAGE", entry.sop_instance_uid
        for level, word in (
            ("PATIENT", "PatientID"),
            ("STUDY", "StudyInstanceUID"),
            ("SERIES", "SeriesInstanceUID"),
        ):
            if value := header[tag(word)]:
                yield level, value


@settings(max_examples=30)
@given(cases(), st.lists(questions(), min_size=6, max_size=12))
def test_a_scope_hides_everything_else(
    tmp_path_factory: pytest.TempPathFactory,
    empty_index: Path,
    empty_access: Path,
    case: Case,
    asked: list[Any],
) -> None:
    assert case.scope.labels is not None
    seen = [
        entry
        for entry in case.entries
        if case.scope.labels & case.labels[entry.header[tag("StudyInstanceUID")].decode()]
    ]
    folder = tmp_path_factory.mktemp("scope")
    with ExitStack() as stack:
        whole = stack.enter_context(filled(folder / "whole", empty_index, case.entries))
        part = stack.enter_context(filled(folder / "part", empty_index, seen))
        shutil.copy(empty_access, folder / "whole" / ACCESS_FILE)
        database = stack.enter_context(AccessDatabase(folder / "whole" / ACCESS_FILE))
        labels = StudyLabels(database)
        for label in LABELS:
            labels.add(label, [uid for uid, held in case.labels.items() if label in held])
        for question in asked:
            expected = answers(part, question, ALL_STUDIES)
            assert answers(whole, question, case.scope) == expected, question
        for level, value in set(named_in(case.entries)):
            expected_uids = retrieved(part, level, value, ALL_STUDIES)
            assert retrieved(whole, level, value, case.scope) == expected_uids, (level, value)
