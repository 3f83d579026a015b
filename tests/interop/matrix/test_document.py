"""`docs/interop.md` says what the tests prove, and every cell is proven or explained."""

import sys
from pathlib import Path

import pytest

from tests.interop.matrix.cells import ALL_CELLS, LACKING
from tests.interop.matrix.document import without_versions
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
