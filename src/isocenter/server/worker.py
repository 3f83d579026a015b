"""A network process of a node with several: it is handed connections and serves them.

It shares nothing with its siblings but the archive's folder: its packs are its own, and the index
is written by the supervisor on its behalf. When the supervisor is gone, it stops.
"""

from __future__ import annotations

import asyncio
import socket
from multiprocessing.connection import Connection

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.index import IndexUnavailable
from isocenter.archive.index.remote import RemoteIndex
from isocenter.archive.layout import INDEX_FILE
from isocenter.server.config import Config
from isocenter.server.logging import configure_logging
from isocenter.server.node import Node
from isocenter.server.running import (
    allow_many_files,
    ignore_signals,
    log_loop_error,
    open_archive,
    stop_requested,
)

ENDED = b"-"
"""Tells the supervisor that a connection is over."""

READY = b"+"
"""Tells the supervisor that this worker can be handed connections."""

LOCK = b"l"
"""Comes first, with the archive's lock."""

SERVE, TURN_AWAY = b"s", b"t"
"""What the supervisor wants done with the connection that it hands over."""

log = structlog.get_logger(__name__)


def run_worker(config: Config, number: int, control: socket.socket, pipe: Connection) -> None:
    """Serve the connections that come through `control` until told to stop."""
    configure_logging(config.log.level, config.log.format)
    structlog.contextvars.bind_contextvars(worker=number)
    allow_many_files()
    # Kept open to the end of the process: see `archive.locked`.
    _, _lock, _, _ = socket.recv_fds(control, len(LOCK), 1)
    index = RemoteIndex(config.node.data_directory / INDEX_FILE, pipe)
    try:
        with index, open_archive(config, worker=str(number), index=index) as archive:
            asyncio.run(_Worker(config, control).run(archive))
            ignore_signals()
    except IndexUnavailable as error:
        log.error("stopped without the index", error=error)


class _Worker:
    def __init__(self, config: Config, control: socket.socket) -> None:
        self._config = config
        self._control = control
        self._starting: set[asyncio.Task[object]] = set()

    async def run(self, archive: Archive) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_error)
        self._stop = stop_requested(loop)
        self._node = Node(self._config, archive)
        self._node.on_ended = self._tell_ended
        self._control.setblocking(False)
        loop.add_reader(self._control, self._take_connection)
        self._control.send(READY)
        await self._stop.wait()
        loop.remove_reader(self._control)
        await self._node.stop()

    def _take_connection(self) -> None:
        try:
            wish, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        except BlockingIOError:
            return
        if not wish:  # the supervisor is gone
            log.error("the supervisor is gone; stopping")
            self._stop.set()
            return
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            connection.setblocking(False)
            self._serve(connection, crowded=wish == TURN_AWAY)

    def _serve(self, connection: socket.socket, *, crowded: bool) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            loop.connect_accepted_socket(
                lambda: self._node.make_protocol(crowded=crowded), connection
            )
        )
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def _tell_ended(self) -> None:
        try:
            self._control.send(ENDED)
        except OSError:
            self._stop.set()
