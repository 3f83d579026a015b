"""What every server process does at its start and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
from collections.abc import Iterator

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.layout import WORKFLOW_FILE, is_open_to_all
from isocenter.archive.workflow import Workflow, WorkflowUnavailable
from isocenter.archive.workflow.jobs import Jobs
from isocenter.server.config import Config

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

log = structlog.get_logger(__name__)


def open_archive(
    config: Config, *, worker: str | None = None, index: ArchiveIndex | None = None
) -> Archive:
    """Open the archive that a configuration names."""
    storage = config.storage
    return Archive(
        config.node.data_directory,
        durability=storage.durability,
        duplicates=storage.on_conflict,
        pack_size=storage.pack_size,
        reserve=storage.reserve,
        object_size=config.limits.object_size,
        worker=worker,
        index=index,
    )


def warn_of_open_folder(config: Config) -> None:
    """Say so where every user of this machine could read the archive."""
    folder = config.node.data_directory
    if folder.exists() and is_open_to_all(folder):
        log.warning("every user of this machine can read the data folder: chmod o= it", path=folder)


def open_workflow(config: Config, *, required: bool = True) -> Workflow:
    """Open the workflow database of the archive that a configuration names.

    A node does not require it: no image is turned away because the worklist's file is damaged.
    """
    return Workflow(config.node.data_directory / WORKFLOW_FILE, required=required)


def release_jobs(workflow: Workflow) -> None:
    """Make jobs due that an earlier run of the node was working on when it ended."""
    try:
        Jobs(workflow).revoke_leases()
    except WorkflowUnavailable as error:
        log.error("worklist, procedure steps and commitment do not work for now", error=error)


def allow_many_files() -> None:
    """Raise the soft limit on open files to the hard one: connections and packs need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def settle_memory() -> None:
    """Take what is there once all is imported and open out of the garbage collector's sight.

    Looking through it for nothing would hold up the loop for a tenth of a second, again and again.
    """
    gc.collect()
    gc.freeze()


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Start a process in this: a Ctrl-C that comes before it can handle one then waits for it.

    A signal that is held back is inherited as such, and let through by `stop_requested`.
    """
    held = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def keep_what_is_loaded() -> None:
    """Have the garbage collector pass over all that was loaded: a node keeps it to its end.

    Looking at it took 50 ms, on the loop, each time that everything was looked at.
    """
    gc.collect()
    gc.freeze()


def stop_requested(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return stop


def ignore_signals() -> None:
    """Let an impatient second Ctrl-C not interrupt the sealing of packs."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log what went wrong inside a callback; asyncio has closed the connection it belongs to."""
    log.error("a connection failed on an error of ours", exc_info=context.get("exception"))
