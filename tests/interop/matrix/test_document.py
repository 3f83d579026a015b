"""`docs/interop.md` says what the tests prove, and every cell is proven or explained."""

import sys
from pathlib import Path

import pytest

from isocenter.conformance.statement.proofs import read_proofs, recorded_proofs
from tests.interop.matrix.cells import ALL_CELLS, FIND, LACKING, VERIFICATION, Cell, Direction
from tests.interop.matrix.document import without_versions
from tests.interop.matrix.record import kind_of, update
from tests.support.processes import run

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "interop.md"


def test_the_document_is_what_make_interop_writes_when_everything_passes(
    request: pytest.FixtureRequest, tmp_path: Path
):
    if request.config.getoption("--interop-document", None):
        pytest.skip("it is being written by this very run")
    expected = tmp_path / "interop.md"
    collected = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only",
         "-p", "tests.interop.matrix.plugin", "--interop-document", expected, "tests/interop"],
        cwd=ROOT,
    )  # fmt: skip
    assert collected.returncode == 0, collected.stdout
    page = without_versions(expected.read_text(encoding="utf-8"))
    assert "no test" not in page, "a cell has neither a test nor a reason"
    committed = without_versions(DOCUMENT.read_text(encoding="utf-8"))
    assert committed == page, "run `make interop` and commit docs/interop.md"


def test_what_a_peer_lacks_names_real_cells():
    assert LACKING.keys() <= set(ALL_CELLS)


def test_the_record_for_the_statement_has_every_cell_that_is_proven():
    on_record = {(one.service, one.role, one.peer) for one in recorded_proofs() if one.passed_on}
    proven = {kind_of(cell) for cell in ALL_CELLS if cell not in LACKING}
    assert on_record == proven, "run `make interop` and commit proofs.json"


def test_the_record_keeps_when_a_test_last_passed(tmp_path: Path):
    record = tmp_path / "data" / "proofs.json"
    echo = Cell(Direction.ASKS, VERIFICATION, "DCMTK")
    find = Cell(Direction.ANSWERS, FIND, "Orthanc")
    programs = {echo: {"echoscu"}, find: {"Orthanc"}}
    tests = {echo: {"test_echo"}, find: {"test_find"}}
    update(record, programs, tests, [], {"DCMTK": "3.6.7"}, "2026-11-01")
    update(record, programs, tests, [find], {"DCMTK": "3.6.9"}, "2026-11-02")
    found = {one.service: one for one in read_proofs(record.read_text())}
    assert (found["echo"].passed_on, found["echo"].peer_version) == ("2026-11-02", "3.6.9")
    assert (found["echo"].role, found["find"].role) == ("SCP", "SCU")
    assert found["find"].passed_on == "2026-11-01"
