"""Starting and stopping a node that serves in one process."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
from collections.abc import Callable

import structlog

from isocenter.archive.archive import Archive
from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.node import Node

log = structlog.get_logger(__name__)


class CannotListen(IsocenterError):
    """The address in the configuration cannot be listened on."""


def serve(config: Config, on_listening: Callable[[int], None] | None = None) -> None:
    """Run a node until SIGINT or SIGTERM; `on_listening` gets the port once it listens.

    Raises CannotListen, ArchiveInUse, ArchiveIndexError and OSError.
    """
    allow_many_files()
    listener = listen(config)
    with listener, open_archive(config) as archive:
        asyncio.run(_serve(config, archive, listener, on_listening))
        ignore_signals()


def listen(config: Config) -> socket.socket:
    """Return the listening socket. Raises CannotListen."""
    host, port = config.listen.host.strip("[]"), config.listen.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=config.listen.backlog)
    except OSError as error:
        raise CannotListen(
            f"Cannot listen on {host} port {port}: {error.strerror or error}; "
            "stop whatever uses it, or choose another with --port."
        ) from error


def open_archive(config: Config) -> Archive:
    """Open the archive that a configuration names."""
    storage = config.storage
    return Archive(
        config.node.data_directory,
        durability=storage.durability,
        duplicates=storage.on_conflict,
        pack_size=storage.pack_size,
        object_size=config.limits.object_size,
    )


def allow_many_files() -> None:
    """Raise the soft limit on open files to the hard one: connections and packs need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def ignore_signals() -> None:
    """Let an impatient second Ctrl-C not interrupt the sealing of packs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def stop_requested(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    error = context.get("exception")
    log.error("a connection failed on an error of ours", exc_info=error)


async def _serve(
    config: Config,
    archive: Archive,
    listener: socket.socket,
    on_listening: Callable[[int], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_loop_error)
    stop = stop_requested(loop)
    node = Node(config, archive)
    server = await loop.create_server(node.make_protocol, sock=listener)
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
