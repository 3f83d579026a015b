"""The generated tables are what the generator would write, and cost nobody who needs them not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import make_dictionary

CHECK = """
import sys
import isocenter.dictionary.elements, isocenter.dictionary.uids, isocenter.encoding.scanner
import isocenter.encoding.part10, isocenter.encoding.character_sets, isocenter.encoding.elements
loaded = sys.modules.keys() & {"pydicom", "isocenter.dictionary._element_table"}
sys.exit(f"loaded: {loaded}" if loaded else 0)
"""


def test_the_tables_are_what_the_generator_writes() -> None:
    assert make_dictionary.main(["--check"]) == 0


def test_the_generator_notices_a_stale_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make_dictionary, "TARGET", tmp_path)
    assert make_dictionary.main(["--check"]) == 1
    assert make_dictionary.main([]) == 0
    assert make_dictionary.main(["--check"]) == 0


def test_importing_the_layers_loads_neither_pydicom_nor_the_large_table() -> None:
    result = subprocess.run(
        [sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
