"""`make fuzz` itself: a session under atheris, what it says, and what it writes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.__main__ import shares
from fuzz.corpus import write_corpus, write_words
from fuzz.found import FOUND
from fuzz.process import sql_modules
from fuzz.report import line, page, total
from fuzz.session import Result, run_session
from fuzz.target import load_target, target_names

ROOT = Path(__file__).parent.parent.parent
GOOD = Result("pdu", "bytes to it", 5000, 2.0, 140, 77)
BAD = Result(
    "rle", "frames", 100, 1.0, 20, 60, "IndexError: list index", Path("crash-1"), ("Traceback",)
)


def test_a_session_counts_executions_and_branches(tmp_path: Path):
    pytest.importorskip("atheris")
    result = run_session("command_set", load_target("command_set"), tmp_path, 3000, None)
    assert result.finding == "", result.log
    assert result.executions >= 3000
    assert result.coverage > 20
    assert list((tmp_path / "corpus").iterdir())


def test_modules_that_write_sql_are_known():
    found = sql_modules()
    assert "isocenter.archive.query.person_names" in found
    assert "isocenter.archive.query.criteria" not in found


def test_seeds_and_words_become_files(tmp_path: Path):
    target = load_target("pdu")
    write_corpus(target, tmp_path / "corpus")
    seeds = {file.read_bytes() for file in (tmp_path / "corpus").iterdir()}
    assert seeds == set(target.seeds())
    write_words(target, tmp_path / "words")
    words = (tmp_path / "words").read_text().splitlines()
    assert len(words) == len(target.words)
    assert all(re.fullmatch(r'"(\\x[0-9a-f]{2})+"', word) for word in words)


def test_a_finding_is_told_with_the_way_to_see_it_again():
    text = line(BAD)
    assert "FOUND IndexError" in text
    assert 'make fuzz ARGS="rle --input crash-1"' in text
    assert "FOUND" not in line(GOOD)
    assert total([GOOD, BAD], 60.0) == "2 targets, 5,100 executions in 1.0 minutes, 1 findings"


def test_the_page_has_a_row_for_each_target_and_each_finding():
    text = page([GOOD, BAD], 3.0)
    assert "| `pdu` | bytes to it | 5,000 | 2,500 | 140 | 77 | 0 |" in text
    assert "| `rle` | frames | 100 | 100 | 20 | 60 | yes |" in text
    assert "**5,100 executions** of 2 targets" in text
    assert all(what in text for _, what, _ in FOUND)


def test_every_finding_names_a_target_and_a_test_that_exist():
    for target, _, test in FOUND:
        assert target in target_names()
        file, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / file).read_text()


def test_executions_are_shared_out_by_how_fast_a_target_is():
    targets = {name: load_target(name) for name in target_names()}
    shared = shares(targets, 1_000_000)
    assert sum(shared.values()) >= 1_000_000
    assert shared["command_set"] >= 3 * shared["user"]
    assert set(shares(targets, None).values()) == {None}


def test_an_input_can_be_run_again_without_the_fuzzer(tmp_path: Path):
    path = tmp_path / "input"
    path.write_bytes(next(iter(load_target("pdu").seeds())))
    command = [sys.executable, "-m", "fuzz", "pdu", "--input", str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "nothing happens with this input any more\n"


def test_a_target_that_does_not_exist_is_refused():
    command = [sys.executable, "-m", "fuzz", "nonsense"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert "there is no target nonsense; there are" in ran.stderr


def test_the_documented_run_is_of_all_targets_and_long_enough():
    text = (ROOT / "docs" / "fuzzing.md").read_text()
    executions = re.search(r"\*\*([\d,]+) executions\*\*", text)
    assert executions is not None
    assert int(executions[1].replace(",", "")) >= 10_000_000
    assert all(f"| `{name}` |" in text for name in target_names())
