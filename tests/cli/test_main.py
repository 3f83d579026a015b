"""The command itself: quick to start, clear when it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import isocenter
from isocenter.cli import exit_codes
from isocenter.cli.main import COMMANDS
from tests.cli.helpers import ISOCENTER, Run
from tests.support.node import Node

HEAVY = {"pydicom", "numpy", "sqlalchemy", "alembic", "pydantic", "rich", "structlog", "asyncio"}


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that a real run of `isocenter ARGUMENTS` has imported at its end."""
    code = (
        "import sys, atexit, json\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "from isocenter.cli.main import main\n"
        f"sys.argv = ['isocenter', *{list(arguments)!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    modules: list[str] = json.loads(done.stderr.splitlines()[-1])
    assert "isocenter.cli.main" in modules
    return {name.partition(".")[0] for name in modules}


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("--help") & HEAVY == set()


@pytest.mark.parametrize("name", ["echo", "store", "find", "serve"])
def test_the_help_of_a_subcommand_imports_nothing_heavy(name: str) -> None:
    assert imported_by(name, "--help") & HEAVY == set()


def test_an_echo_imports_nothing_heavy(node: Node) -> None:
    assert imported_by("echo", node.address) & HEAVY == set()


def test_a_query_shown_as_text_imports_nothing_heavy(node: Node) -> None:
    assert imported_by("find", node.address, "-k", "PatientName=DOE*") & HEAVY == set()


def test_help_names_every_command_and_every_exit_code(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, entry in COMMANDS.items():
        assert f"  {name} " in result.output
        assert entry.help in result.output
    for code, meaning in exit_codes.MEANINGS.items():
        assert f"{code}  {meaning}" in result.output


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_that_agrees_with_the_list(run: Run, name: str, flag: str) -> None:
    result = run(name, flag)
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: cli {name}")


def test_every_exit_code_has_a_meaning() -> None:
    codes = {v for k, v in vars(exit_codes).items() if k.isupper() and isinstance(v, int)}
    assert codes == set(exit_codes.MEANINGS)


def test_a_mistyped_command_is_answered_with_the_nearest(run: Run) -> None:
    result = run("stroe", "localhost", ".")
    assert result.exit_code == exit_codes.SYNTAX
    assert "There is no command 'stroe'; did you mean store?" in result.stderr
    assert "see `isocenter --help`" in run("xyzzy").stderr


def test_a_wrong_option_is_a_syntax_error(run: Run) -> None:
    result = run("echo", "localhost", "--repaet", "3")
    assert result.exit_code == exit_codes.SYNTAX
    assert "--repeat" in result.stderr
    assert run("echo").exit_code == exit_codes.SYNTAX
    assert run("echo", "localhost", "70000").exit_code == exit_codes.SYNTAX


def test_the_version_is_told_twice(run: Run) -> None:
    assert run("--version").stdout == f"isocenter {isocenter.__version__}\n"
    versions = json.loads(run("version", "--json").stdout)
    assert versions["isocenter"] == isocenter.__version__
    assert versions["pydicom"][0].isdigit()


def test_an_unexpected_fault_is_a_sentence_and_with_d_a_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> str:
        raise ZeroDivisionError("half a name")

    monkeypatch.setattr("isocenter.cli.config_text.effective_toml", broken)
    result = run("config", "show")
    assert result.exit_code == exit_codes.INTERNAL
    assert "internal error: ZeroDivisionError" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in run("config", "show", "-d").stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = " ".join((*ISOCENTER, "config", "init", "-"))
    done = subprocess.run(
        ["bash", "-c", f"{command} | true; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "0"
    assert done.stderr == ""


def test_python_m_isocenter_is_the_same_command(place: Path) -> None:
    done = subprocess.run([*ISOCENTER, "--version"], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"isocenter {isocenter.__version__}\n"


def test_the_manual_lists_the_exit_codes() -> None:
    page = Path(__file__).parents[2] / "docs" / "command-line.md"
    rows = [f"| {code} | {meaning} |" for code, meaning in exit_codes.MEANINGS.items()]
    assert page.read_text(encoding="utf-8").endswith("\n".join(rows) + "\n")
