"""An empty archive to delete from."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.archive import Archive
from isocenter.archive.workflow import Workflow
from tests.archive.deletion.deleting import Desk, desk


@pytest.fixture(scope="session")
def empty_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a new archive; copying it is faster than migrating."""
    folder = tmp_path_factory.mktemp("empty") / "archive"
    Archive(folder).close()
    Workflow(folder / "workflow.sqlite").close()
    return folder


@pytest.fixture
def folder(tmp_path: Path, empty_archive: Path) -> Path:
    """The folder of an archive of the test's own."""
    return Path(shutil.copytree(empty_archive, tmp_path / "archive"))


@pytest.fixture
def at(folder: Path) -> Iterator[Desk]:
    """The archive there, open."""
    with desk(folder) as opened:
        yield opened
