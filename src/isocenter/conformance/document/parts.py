"""What a document consists of, whatever it is written as: sections, paragraphs, lists, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOT_APPLICABLE = "N/A"
"""What the template wants in place of the content of a section, and behind its title (N.5.2.5)."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list without numbers."""

    items: Sequence[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its caption; cells are plain text, and a newline in one begins a new line."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Paragraph | Items | Table


@dataclass(slots=True)
class Section:
    """A section, with those below it; its number follows from where it stands."""

    title: str
    blocks: Sequence[Block] = ()
    sections: Sequence[Section] = ()


@dataclass(slots=True)
class Document:
    """Chapters 1 to 8, and the annexes A to E."""

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    chapters: Sequence[Section] = field(default_factory=tuple)
    annexes: Sequence[Section] = field(default_factory=tuple)


def text(*paragraphs: str) -> list[Block]:
    """Paragraphs of a section."""
    return [Paragraph(one) for one in paragraphs]


def not_applicable(title: str, *below: str) -> Section:
    """A section that has nothing to say, and those below it."""
    sections = [not_applicable(one) for one in below]
    return Section(f"{title} - {NOT_APPLICABLE}", text(NOT_APPLICABLE), sections)


def numbered(document: Document) -> Iterator[tuple[str, int, Section]]:
    """Every section with its number, "5.2.1" or "A.1", and its depth from 1, in order."""
    for number, chapter in enumerate(document.chapters, 1):
        yield from _below(str(number), 1, chapter)
    for letter, annex in zip("ABCDE", document.annexes, strict=False):
        yield from _below(letter, 1, annex)


def _below(number: str, depth: int, section: Section) -> Iterator[tuple[str, int, Section]]:
    yield number, depth, section
    for at, below in enumerate(section.sections, 1):
        yield from _below(f"{number}.{at}", depth + 1, below)
