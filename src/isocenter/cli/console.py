"""What a command shows on a terminal, and plainly where there is none.

Values that come from a peer or a file are shown with their control characters escaped: nobody's
PatientName may move the cursor or colour the screen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import click

from isocenter.cli.verbosity import Verbosity, verbosity


def harmless(text: str) -> str:
    """`text` on one line, with everything that is not printable escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def show_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on standard output: framed on a terminal, aligned columns elsewhere."""
    clean = [[harmless(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_framed(headings, clean)
        return
    for line in aligned([list(headings), *clean]):
        click.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows of cells as lines of text, two spaces between the columns."""
    from isocenter.cli.text_width import width

    columns = list(zip(*rows, strict=True))
    widths = [max(map(width, column)) for column in columns]
    numeric = [_is_numeric(column) for column in columns]
    for row in rows:
        cells = []
        for cell, room, right in zip(row, widths, numeric, strict=True):
            gap = " " * (room - width(cell))
            cells.append(gap + cell if right else cell + gap)
        yield "  ".join(cells).rstrip()


def _is_numeric(column: Sequence[str]) -> bool:
    """Whether everything under a heading is a count, to be aligned at the right."""
    return all(cell.replace(",", "").isdecimal() for cell in column[1:])


def _show_framed(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for number, heading in enumerate(headings):
        right = _is_numeric([heading, *(row[number] for row in rows)])
        table.add_column(heading, overflow="fold", justify="right" if right else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def plural(count: int, noun: str, nouns: str = "") -> str:
    """ "1 file", "1,204 files"; `nouns` where an s is not enough."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def megabytes(size: int) -> str:
    """A size for people: "512 B", "3.2 MB" (powers of ten, as disks are sold)."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


class Progress(Protocol):
    """A running piece of long work, as its command reports it."""

    def update(self, done: int, total: int | None = None) -> None:
        """`done` units of `total` (None: not known yet) are finished."""


class _Silent:
    def update(self, done: int, total: int | None = None) -> None:
        pass


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Progress]:
    """A progress bar on standard error, only on a terminal, and not among the lines of -v."""
    if verbosity() != Verbosity.NORMAL or not sys.stderr.isatty():
        yield _Silent()
        return
    from isocenter.cli.progress_bar import Bar

    with Bar(description, total) as bar:
        yield bar
