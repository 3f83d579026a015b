"""Commands on the access database of this machine's node, which may be running meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter.cli.local_archive import naming_the_folder

if TYPE_CHECKING:
    from isocenter.security.database import AccessDatabase
    from isocenter.server.config import Config


@contextmanager
def local_access(settings: Config) -> Iterator[AccessDatabase]:
    """The access database of a configuration, made where there is none. Raises CommandFailed."""
    from isocenter.server.identity import open_access

    with naming_the_folder(settings):
        database = open_access(settings)
    with database:
        yield database
