"""A pytest plugin, `-p tests.interop.matrix.plugin --interop-document PATH`: collects and writes.

With `--interop-record PATH` what passed is put on record for the conformance statement, too. With
`--collect-only` nothing runs, and the page says what it would say if everything passed.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.interop.matrix.cells import Cell
from tests.interop.matrix.document import render
from tests.interop.matrix.record import update
from tests.interop.matrix.versions import versions


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--interop-document",
        type=Path,
        metavar="PATH",
        help="write the interoperability matrix, as Markdown, to PATH",
    )
    parser.addoption(
        "--interop-record",
        type=Path,
        metavar="PATH",
        help="put what passed, and when, on record in PATH, as JSON",
    )


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--interop-document"):
        config.pluginmanager.register(_Matrix(path, config.getoption("--interop-record")))


class _Matrix:
    """What the tests of each cell came to."""

    def __init__(self, path: Path, record: Path | None) -> None:
        self._path, self._record = path, record
        self._programs: dict[Cell, set[str]] = {}
        self._tests: dict[Cell, set[str]] = {}
        self._outcomes: dict[str, str] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            for cell, program in _cells(item):
                self._programs.setdefault(cell, set()).add(program)
                self._tests.setdefault(cell, set()).add(item.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The worst of set-up, call and tear-down is what became of the test."""
        known = self._outcomes.get(report.nodeid, "passed")
        self._outcomes[report.nodeid] = report.outcome if known == "passed" else known

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        collected_only = session.config.option.collectonly
        troubled = {} if collected_only else dict(self._troubled())
        page = render(self._programs, troubled, {} if collected_only else versions())
        self._path.write_text(page, encoding="utf-8")
        if self._record is not None and not collected_only:
            today = date.today().isoformat()
            update(self._record, self._programs, self._tests, troubled, versions(), today)

    def _troubled(self) -> Iterator[tuple[Cell, str]]:
        for cell, tests in self._tests.items():
            outcomes = {self._outcomes.get(test, "not run") for test in tests} - {"passed"}
            if outcomes:
                yield cell, ", ".join(sorted(outcomes))


def _cells(item: pytest.Item) -> Iterator[tuple[Cell, str]]:
    for marker in item.iter_markers("cell"):
        for cell in marker.args:
            yield cell, marker.kwargs["by"]
