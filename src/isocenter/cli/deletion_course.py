"""Having a deletion carried out: by the running node, or here where none is running."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.local_archive import naming_the_folder, require_archive

if TYPE_CHECKING:
    from isocenter.archive.workflow.deletions import Deletion, Deletions, DeletionState
    from isocenter.server.config import Config

LOOK_EVERY = 0.2
WAKE_EVERY = 2.0


@contextmanager
def local_deletions(settings: Config) -> Iterator[Deletions]:
    """The deletions of the local archive. Raises CommandFailed and WorkflowUnusable."""
    from isocenter.archive.workflow.deletions import Deletions
    from isocenter.archive.workflow.jobs import Jobs
    from isocenter.server.running import open_workflow

    require_archive(settings)
    with naming_the_folder(settings):
        workflow = open_workflow(settings)
    with workflow:
        yield Deletions(workflow, Jobs(workflow))
        workflow.erase_log()  # UIDs of what is deleted have been in it


def carry_out(
    settings: Config,
    deletions: Deletions,
    number: int,
    until: Collection[DeletionState],
    *,
    wait: float,
) -> Deletion:
    """Return a deletion when it has come to one of the states, or after `wait` seconds.

    Raises CommandFailed where it was given up.
    """
    from isocenter.archive.archive import ArchiveInUse
    from isocenter.server.deletion import carry_out_here
    from isocenter.server.running import open_archive

    try:
        with naming_the_folder(settings):
            archive = open_archive(settings)
    except ArchiveInUse:
        return _watch(deletions, number, until, wait)
    with archive:
        carry_out_here(settings, archive, deletions, number)
    return _find(deletions, number)


def _watch(
    deletions: Deletions, number: int, until: Collection[DeletionState], wait: float
) -> Deletion:
    """Have the process that holds the archive do it; it looks for such jobs every few seconds."""
    end = time.monotonic() + wait
    wake_at = 0.0
    while (found := _find(deletions, number)).state not in until:
        now = time.monotonic()
        if now > end:
            return found
        if now >= wake_at:  # it may be waiting for its purge, or for a pack
            deletions.wake(number)
            wake_at = now + WAKE_EVERY
        time.sleep(LOOK_EVERY)
    return found


def _find(deletions: Deletions, number: int) -> Deletion:
    found = deletions.find(number)
    if found is None:
        raise CommandFailed(
            f"There is no deletion {number}; see `isocenter delete list`.",
            exit_codes.UNREADABLE_INPUT,
        )
    return found
