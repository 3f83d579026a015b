"""The manual's examples in Python, run as they stand against a node."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import isocenter
from tests.cli.helpers import write_object
from tests.support.node import Node

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_examples_of_the_manual_run(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        write_object(tmp_path / f"{number}.dcm", number, StudyDescription="HEAD")
    with isocenter.connect(node.address) as assoc:
        assert assoc.store(tmp_path).complete
    monkeypatch.chdir(tmp_path)
    Path("isocenter.toml").write_text(f'[peers.pacs]\nhost = "127.0.0.1"\nport = {node.port}\n')
    names: dict[str, object] = {}
    for block in BLOCK.findall((ROOT / "docs" / "guide.md").read_text(encoding="utf-8")):
        exec(block, names)
    told = capsys.readouterr().out
    assert "1 20240229 HEAD" in told
    assert "2 files, 0 refused" in told
    assert "A801H" in told


def test_the_example_of_the_readme_runs(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    exec(block.replace('"localhost"', f'"{node.address}"'), {})
