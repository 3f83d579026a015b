"""Wildcard and name matching held against a few lines of plain Python."""

import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.archive.index import Index
from tests.archive.index.entries import an_entry, store, tag
from tests.support.identifiers import find_texts as find

# Few letters, so that patterns match often; and all that could mean something to a database.
# The delimiters of person names have rules of their own, tested in test_find.
LETTERS = "ab[]%_'\"-é"
texts = st.text(LETTERS, min_size=1, max_size=7)


@st.composite
def populations(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Values, and patterns most of which come from one of them by putting in wildcards."""
    values = draw(st.lists(texts, min_size=1, max_size=12))
    patterns = draw(st.lists(st.text(LETTERS + "*?", min_size=1, max_size=7), max_size=4))
    for value in draw(st.lists(st.sampled_from(values), min_size=8, max_size=16)):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(value))] * 2)))
        wildcard = draw(st.sampled_from(["*", "?", "?" * (end - start), "*?", ""]))
        patterns.append(value[:start] + wildcard + value[end:])
    return values, patterns


def as_expression(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in pattern), re.DOTALL)


def found(index: Index, keyword: str, pattern: str) -> set[str]:
    keys = {tag(keyword): pattern, tag("StudyInstanceUID"): ""}
    return {m[tag("StudyInstanceUID")] for m in find(index, "STUDY", "STUDY", keys)}


def stored(tmp_path_factory: pytest.TempPathFactory, empty: Path, values: dict[str, str]) -> Index:
    path = tmp_path_factory.mktemp("oracle") / "index.sqlite"
    shutil.copy(empty, path)
    index = Index.open(path)
    entries = []
    for number, (uid, value) in enumerate(values.items()):
        header = {"StudyDescription": value.encode(), "PatientName": value.encode()}
        entries.append(
            an_entry(
                number, study=uid, series=f"{uid}.1", PatientID=f"P{number}",
                SpecificCharacterSet="ISO_IR 192", **header,
            )
        )  # fmt: skip
    store(index, *entries)
    return index


@settings(max_examples=30)
@given(populations())
def test_patterns_match_as_the_standard_says(
    tmp_path_factory: pytest.TempPathFactory,
    empty_index: Path,
    population: tuple[list[str], list[str]],
) -> None:
    values, asked = population
    by_uid = {f"1.{number}": value for number, value in enumerate(values)}
    with stored(tmp_path_factory, empty_index, by_uid) as index:
        for pattern in asked:
            if not pattern.strip("*"):
                continue
            expression = as_expression(pattern)
            described = {uid for uid, value in by_uid.items() if expression.fullmatch(value)}
            assert found(index, "StudyDescription", pattern) == described, pattern
            folded = as_expression(pattern.replace("é", "e"))
            named = {
                uid for uid, value in by_uid.items() if folded.fullmatch(value.replace("é", "e"))
            }
            assert found(index, "PatientName", pattern.swapcase()) == named, pattern
