"""An index of a test's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.index import Index
from isocenter.security.database import AccessDatabase


@pytest.fixture(scope="session")
def empty_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new index; copying it is faster than migrating."""
    path = tmp_path_factory.mktemp("empty") / "index.sqlite"
    Index.open(path).close()
    return path


@pytest.fixture(scope="session")
def empty_access(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new access database."""
    path = tmp_path_factory.mktemp("empty") / "access.sqlite"
    AccessDatabase(path).close()
    return path


@pytest.fixture
def index(tmp_path: Path, empty_index: Path) -> Iterator[Index]:
    """An empty index in a file."""
    path = tmp_path / "index.sqlite"
    shutil.copy(empty_index, path)
    with Index.open(path) as opened:
        yield opened
