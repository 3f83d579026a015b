"""Starting and stopping a node: in this process, or in several."""

from __future__ import annotations

import asyncio

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.workflow import Workflow
from isocenter.server.audit_keeper import audit_kept
from isocenter.server.config import Config
from isocenter.server.listening import Listeners, OnListening
from isocenter.server.node import Node
from isocenter.server.running import (
    allow_many_files,
    ignore_signals,
    keep_what_is_loaded,
    log_loop_error,
    open_archive,
    open_workflow,
    release_jobs,
    settle_memory,
    stop_requested,
    warn_of_open_folder,
)
from isocenter.server.supervisor import supervise
from isocenter.server.tls import prepare_tls, tls_contexts

log = structlog.get_logger(__name__)


def serve(config: Config, on_listening: OnListening | None = None) -> None:
    """Run a node until SIGINT or SIGTERM; `on_listening` gets the ports once it listens.

    Raises CannotListen, ArchiveInUse, ArchiveIndexError, TLSError and OSError.
    """
    warn_of_open_folder(config)
    prepare_tls(config)
    if config.workers.count > 1:
        supervise(config, on_listening)
        return
    allow_many_files()
    with (
        Listeners(config) as listeners,
        open_archive(config) as archive,
        open_workflow(config, required=False) as workflow,
        audit_kept(config),
    ):
        release_jobs(workflow)
        asyncio.run(_serve(config, archive, workflow, listeners, on_listening))
        ignore_signals()


async def _serve(
    config: Config,
    archive: Archive,
    workflow: Workflow,
    listeners: Listeners,
    on_listening: OnListening | None,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    stop = stop_requested(loop)
    node = Node(config, archive, workflow, tls_contexts(config))
    keep_what_is_loaded()
    settle_memory()
    listeners.listen()
    accepting = listeners.accept(node.accept)
    if on_listening is not None:
        on_listening(listeners.ports)
    await stop.wait()
    log.info("stopping", associations=node.load)
    for task in accepting:
        task.cancel()
    await asyncio.gather(*accepting, return_exceptions=True)
    listeners.close()
    await node.stop()
