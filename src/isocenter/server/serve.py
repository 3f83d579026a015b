"""Starting and stopping a node: in this process, or in several."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.workflow import Workflow
from isocenter.server.audit_keeper import audit_kept
from isocenter.server.config import Config
from isocenter.server.node import Node
from isocenter.server.running import (
    allow_many_files,
    bind,
    ignore_signals,
    log_loop_error,
    open_archive,
    open_workflow,
    release_jobs,
    stop_requested,
)
from isocenter.server.supervisor import supervise

log = structlog.get_logger(__name__)


def serve(config: Config, on_listening: Callable[[int], None] | None = None) -> None:
    """Run a node until SIGINT or SIGTERM; `on_listening` gets the port once it listens.

    Raises CannotListen, ArchiveInUse, ArchiveIndexError and OSError.
    """
    if config.workers.count > 1:
        supervise(config, on_listening)
        return
    allow_many_files()
    with (
        bind(config) as listener,
        open_archive(config) as archive,
        open_workflow(config, required=False) as workflow,
        audit_kept(config),
    ):
        release_jobs(workflow)
        asyncio.run(_serve(config, archive, workflow, listener, on_listening))
        ignore_signals()


async def _serve(
    config: Config,
    archive: Archive,
    workflow: Workflow,
    listener: socket.socket,
    on_listening: Callable[[int], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)
    stop = stop_requested(loop)
    node = Node(config, archive, workflow)
    server = await loop.create_server(
        node.make_protocol, sock=listener, backlog=config.listen.backlog
    )
    port = listener.getsockname()[1]
    log.info("listening", ae_title=config.node.ae_title, host=config.listen.host, port=port)
    if on_listening is not None:
        on_listening(port)
    await stop.wait()
    log.info("stopping", associations=node.load)
    server.close()
    await node.stop()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 1.0)
