"""A document as Markdown (CommonMark with tables)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from isocenter.conformance.document.parts import (
    Block,
    Document,
    Items,
    Paragraph,
    Table,
    numbered,
)

CONTENTS = "Table of Contents"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
_LISTED_DEPTH = 3


def to_markdown(document: Document) -> str:
    """The whole text."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"# {_escaped(document.title)}"
    yield ""
    yield _escaped(document.subtitle)
    yield ""
    yield from _table("", ("", ""), document.facts)
    tables = 0
    for number, depth, section in numbered(document):
        yield ""
        word = "Annex " if depth == 1 and number.isalpha() else ""
        yield f"{'#' * min(depth + 1, 6)} {word}{number} {_escaped(section.title)}"
        if section.title == CONTENTS:
            yield ""
            yield from _contents(document)
        for block in section.blocks:
            tables += isinstance(block, Table)
            yield ""
            yield from _block(block, tables)


def _contents(document: Document) -> Iterator[str]:
    for number, depth, section in numbered(document):
        if depth <= _LISTED_DEPTH:
            yield f"{'  ' * (depth - 1)}* {number} {_escaped(section.title)}"


def _block(block: Block, number: int) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield _escaped(text)
        case Items(items):
            yield from (f"* {_escaped(item)}" for item in items)
        case Table(caption, headings, rows):
            yield from _table(f"Table {number}. {caption}", headings, rows)


def _table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if caption:
        yield f"**{_escaped(caption)}**"
        yield ""
    yield _row(headings)
    yield "|" + "---|" * len(headings)
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell).replace("\n", "<br>") for cell in cells) + " |"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
