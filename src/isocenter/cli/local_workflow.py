"""Commands on the workflow database of this machine's archive; a node may be running meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter.cli.local_archive import existing_archive_config, naming_the_folder

if TYPE_CHECKING:
    from isocenter.archive.workflow import Workflow


@contextmanager
def local_workflow(config: str | None, data: str | None) -> Iterator[Workflow]:
    """The workflow database that a command line means. Raises CommandFailed, ConfigError."""
    settings = existing_archive_config(config, data)
    from isocenter.server.running import open_workflow

    with naming_the_folder(settings):
        workflow = open_workflow(settings)
    with workflow:
        yield workflow
