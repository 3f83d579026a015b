"""A document as one HTML file that needs nothing else, on a screen and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from isocenter.conformance.document.markdown import CONTENTS
from isocenter.conformance.document.parts import (
    Block,
    Document,
    Items,
    Paragraph,
    Section,
    Table,
    numbered,
)

_LISTED_DEPTH = 3

_STYLE = """
:root { color-scheme: light; --ink: #1b2733; --soft: #5b6b7b; --line: #cfd8e1; --head: #eef3f8;
  --accent: #0b5c8a; }
* { box-sizing: border-box; }
body { font: 15px/1.5 "Segoe UI", "Helvetica Neue", Arial, "Noto Sans", sans-serif;
  color: var(--ink); background: #fff; max-width: 74rem; margin: 0 auto; padding: 2rem 2.5rem; }
header { border-bottom: 4px solid var(--accent); margin-bottom: 2rem; padding-bottom: 1rem; }
h1 { font-size: 2.1rem; margin: 0 0 .25rem; line-height: 1.2; }
header p { color: var(--soft); margin: 0 0 1rem; font-size: 1.1rem; }
h2 { font-size: 1.5rem; margin: 3rem 0 1rem; padding-bottom: .3rem; color: var(--accent);
  border-bottom: 2px solid var(--line); }
h3 { font-size: 1.2rem; margin: 2rem 0 .6rem; }
h4, h5, h6 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
h2 span, h3 span, h4 span, h5 span, h6 span { color: var(--soft); font-weight: 400;
  margin-right: .6em; }
p { margin: .5rem 0; max-width: 52rem; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0 1.4rem; font-size: .86rem;
  line-height: 1.4; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; caption-side: top; }
th, td { border: 1px solid var(--line); padding: .3rem .55rem; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
th { background: var(--head); font-weight: 600; overflow-wrap: normal; }
tbody tr:nth-child(even) { background: #fafcfe; }
table.facts { width: auto; } table.facts th { white-space: nowrap; }
nav ul { list-style: none; padding-left: 1.3rem; margin: .15rem 0; } nav > ul { padding-left: 0; }
nav a { color: inherit; text-decoration: none; } nav a:hover { text-decoration: underline; }
nav a span { color: var(--soft); margin-right: .5em; }
@page { size: A4; margin: 18mm 15mm 20mm; }
@media print {
  body { font-size: 9.5pt; max-width: none; padding: 0; }
  h1 { font-size: 22pt; } h2 { font-size: 15pt; break-before: page; } h3 { font-size: 12pt; }
  h2, h3, h4, h5, h6, caption { break-after: avoid; }
  table { font-size: 7.8pt; } th, td { padding: 1.5pt 4pt; } tr { break-inside: avoid; }
  thead { display: table-header-group; }
  tbody tr:nth-child(even) { background: none; }
  th { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav a span { color: inherit; }
}
"""


def to_html(document: Document) -> str:
    """The whole file."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8"/>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
    yield f"<title>{escape(document.title)}</title>"
    yield f"<style>{_STYLE}</style></head>"
    yield "<body>"
    yield f"<header><h1>{escape(document.title)}</h1>"
    yield f"<p>{escape(document.subtitle)}</p>"
    yield '<table class="facts"><tbody>'
    for name, value in document.facts:
        yield f'<tr><th scope="row">{escape(name)}</th><td>{_cell(value)}</td></tr>'
    yield "</tbody></table></header>"
    yield "<main>"
    tables = 0
    for number, depth, section in numbered(document):
        level = min(depth + 1, 6)
        word = "Annex " if depth == 1 and number.isalpha() else ""
        yield (
            f'<h{level} id="s{number}"><span>{word}{number}</span>'
            f"{escape(section.title)}</h{level}>"
        )
        if section.title == CONTENTS:
            yield from _contents(document)
        for block in section.blocks:
            tables += isinstance(block, Table)
            yield from _block(block, tables)
    yield "</main></body></html>"


def _contents(document: Document) -> Iterator[str]:
    yield "<nav>"
    yield from _list([(str(at), one) for at, one in enumerate(document.chapters, 1)], 1)
    yield from _list(list(zip("ABCDE", document.annexes, strict=False)), 1)
    yield "</nav>"


def _list(sections: Sequence[tuple[str, Section]], depth: int) -> Iterator[str]:
    yield "<ul>"
    for number, section in sections:
        yield f'<li><a href="#s{number}"><span>{number}</span>{escape(section.title)}</a>'
        if section.sections and depth < _LISTED_DEPTH:
            below = [(f"{number}.{at}", one) for at, one in enumerate(section.sections, 1)]
            yield from _list(below, depth + 1)
        yield "</li>"
    yield "</ul>"


def _block(block: Block, number: int) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>"
        case Items(items):
            yield "<ul>"
            yield from (f"<li>{escape(item)}</li>" for item in items)
            yield "</ul>"
        case Table(caption, headings, rows):
            yield f"<table><caption>Table {number}. {escape(caption)}</caption>"
            head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
            yield f"<thead><tr>{head}</tr></thead><tbody>"
            for row in rows:
                yield "<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>"
            yield "</tbody></table>"


def _cell(text: str) -> str:
    return escape(text).replace("\n", "<br/>")
