"""What is remembered of queries, so that the next one is cheaper, takes little memory."""

import gc
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.index import Index
from isocenter.archive.query import find
from isocenter.archive.query.computed import COLUMNS
from isocenter.encoding.elements import Elements, RawElement
from isocenter.security.access import ALL_STUDIES

STUDY_UID, DESCRIPTION, NAME = 0x0020000D, 0x00081030, 0x00100010


@pytest.fixture
def index(tmp_path: Path, empty_index: Path) -> Iterator[Index]:
    shutil.copy(empty_index, tmp_path / "index.sqlite")
    with Index.open(tmp_path / "index.sqlite") as opened:
        yield opened


def ask(index: Index, identifier: Elements, number: int) -> None:
    """Ask, wanting other keys with each number, which makes it a statement of its own."""
    asked = {tag: RawElement("LO", b"") for tag in list(COLUMNS)[number : number + 3]} | identifier
    found = find(index, "STUDY", "STUDY", asked, scope=ALL_STUDIES, relational=True)
    assert list(found) == []


def kept_after(index: Index, identifier: Elements) -> int:
    """Bytes that eight such queries leave behind."""
    for number in range(2):
        ask(index, identifier, number)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2, 10):
            ask(index, identifier, number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (STUDY_UID, b"\\".join(b"1.2.840.%d.%d" % (n, n) for n in range(3000))),
        (DESCRIPTION, b"\\".join(b"*pattern %d*" % n for n in range(60))),
        (NAME, b"\\".join(b"DOE%d^*" % n for n in range(60))),
    ],
    ids=["UIDs", "patterns", "names"],
)
def test_long_lists_are_forgotten_when_they_are_answered(index: Index, tag: int, value: bytes):
    """Strangers choose how many statements of what length there are. Found by fuzzing."""
    assert kept_after(index, {tag: RawElement("UI", value)}) < 700_000
