"""The layout of the house, held by tests: layers, purity of the cores, lean start, file sizes."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "isocenter"

# Layers that see bytes and events only, and the modules that would let the world in. The drivers
# are where the world is supposed to come in.
SANS_IO = ("dictionary", "encoding", "objects", "upperlayer", "dimse")
DRIVERS = {
    "upperlayer/aio.py",
    "upperlayer/aio_requestor.py",
    "upperlayer/blocking.py",
    "upperlayer/blocking_wire.py",
    "upperlayer/memory.py",
}
WORLD = {
    "asyncio",
    "logging",
    "select",
    "selectors",
    "socket",
    "ssl",
    "structlog",
    "threading",
    "time",
}

# The longest file a reader is asked to take in; tables written by a tool are not read.
LONGEST_FILE = 500
GENERATED = ("_uid_table.py", "_element_table.py", "_basic_profile_table.py")


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders or ("",) for path in (PACKAGE / folder).rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _imports(nodes: Iterator[ast.AST] | list[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_arrows_point_downwards_only():
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    linted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("path", _sources(*SANS_IO), ids=_name)
def test_cores_know_no_clock_socket_thread_or_log(path: Path):
    if _name(path) in DRIVERS:
        return
    found = {name.partition(".")[0] for name in _imports(ast.walk(ast.parse(path.read_text())))}
    assert not found & WORLD


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_pydicom_is_imported_only_inside_the_function_that_needs_it(path: Path):
    found = {name.partition(".")[0] for name in _imports(ast.parse(path.read_text()).body)}
    assert not found & {"pydicom", "pynetdicom", "numpy"}


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_a_file_has_one_subject(path: Path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE or path.name in GENERATED


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        (
            "isocenter.cli.main",
            {"pydicom", "numpy", "sqlalchemy", "alembic", "asyncio", "pydantic"},
        ),
        ("isocenter.server.worker", {"pydicom", "numpy", "alembic"}),
        ("isocenter", {"isocenter.client", "socket"}),
        (
            "isocenter.client",
            {"pydicom", "numpy", "sqlalchemy", "alembic", "asyncio", "pydantic", "click"},
        ),
    ],
)
def test_start_up_stays_light(module: str, heavy: set[str]):
    script = f"import sys, {module}; print(*(set(sys.modules) & {heavy!r}))"
    command = [sys.executable, "-c", script]
    started = subprocess.run(command, capture_output=True, text=True, check=True)
    assert started.stdout.split() == []
