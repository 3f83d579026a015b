"""A network process of a node with several: it is handed connections and serves them.

It shares nothing with its siblings but the archive's folder: its packs are its own, and the index
is written by the supervisor on its behalf. When the supervisor is gone, it stops.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from multiprocessing.connection import Connection
from struct import Struct

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.index import IndexUnavailable
from isocenter.archive.index.remote import RemoteIndex
from isocenter.archive.layout import INDEX_FILE
from isocenter.archive.workflow import Workflow
from isocenter.server.config import Config
from isocenter.server.logging import configure_logging
from isocenter.server.node import Node
from isocenter.server.reception import Arrival
from isocenter.server.running import (
    allow_many_files,
    ignore_signals,
    keep_what_is_loaded,
    log_loop_error,
    open_archive,
    open_workflow,
    settle_memory,
    stop_requested,
)
from isocenter.server.tls import tls_contexts

MESSAGE = Struct("!cIB")
"""Both sides' messages: what, the number that the supervisor gave to the connection, and the place
of its listener among those of the configuration."""

ASSOCIATED = b"a"
"""Tells the supervisor that a connection has got its association."""

ENDED = b"-"
"""Tells the supervisor that a connection is over."""

READY = b"+"
"""Tells the supervisor that this worker can be handed connections."""

LOCK = b"l"
"""Comes first, with the archive's lock."""

SERVE, TURN_AWAY = b"s", b"t"
"""What the supervisor wants done with the connection that it hands over."""

CLOSE = b"c"
"""The supervisor wants a connection closed that it handed over."""

log = structlog.get_logger(__name__)


def run_worker(config: Config, number: int, control: socket.socket, pipe: Connection) -> None:
    """Serve the connections that come through `control` until told to stop."""
    configure_logging(config.log.level, config.log.format)
    structlog.contextvars.bind_contextvars(worker=number)
    allow_many_files()
    # Kept open to the end of the process: see `archive.locked`.
    _, _lock, _, _ = socket.recv_fds(control, len(LOCK), 1)
    index = RemoteIndex(config.node.data_directory / INDEX_FILE, pipe)
    with control:
        try:
            with (
                index,
                open_archive(config, worker=str(number), index=index) as archive,
                open_workflow(config, required=False) as workflow,
            ):
                asyncio.run(_Worker(config, number, control).run(archive, workflow))
                ignore_signals()
        except IndexUnavailable as error:
            log.error("stopped without the index", error=error)


class _Worker:
    def __init__(self, config: Config, number: int, control: socket.socket) -> None:
        self._config = config
        self._number = number
        self._control = control
        self._listeners = list(config.all_listeners)
        self._arrivals: dict[int, Arrival] = {}
        self._untold = bytearray()

    async def run(self, archive: Archive, workflow: Workflow) -> None:
        loop = self._loop = asyncio.get_running_loop()
        loop.set_exception_handler(log_loop_error)
        self._stop = stop_requested(loop)
        contexts = tls_contexts(self._config)
        self._node = Node(self._config, archive, workflow, contexts, str(self._number))
        settle_memory()
        keep_what_is_loaded()
        self._control.setblocking(False)
        loop.add_reader(self._control, self._take_connection)
        self._tell(READY)
        await self._stop.wait()
        loop.remove_reader(self._control)
        await self._node.stop()

    def _take_connection(self) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, 1)
        except BlockingIOError:
            return
        if not message:  # the supervisor is gone
            log.error("the supervisor is gone; stopping")
            self._stop.set()
            return
        wish, number, listener = MESSAGE.unpack(message)
        if wish == CLOSE:
            if number in self._arrivals:
                self._arrivals[number].hang_up()
            return
        if not descriptors:  # the kernel drops those for which the process has no room
            log.error("a connection was lost for want of file descriptors")
            self._tell(ENDED, number)
            return
        self._serve(number, descriptors[0], self._listeners[listener], crowded=wish == TURN_AWAY)

    def _serve(self, number: int, descriptor: int, listener: str, *, crowded: bool) -> None:
        arrival = Arrival(descriptor, listener, "", crowded=crowded)
        self._arrivals[number] = arrival
        arrival.on_accepted.append(partial(self._tell, ASSOCIATED, number))
        arrival.on_closed.append(partial(self._ended, number))
        try:
            arrival.host = arrival.getpeername()[0]
        except OSError:  # it has gone again
            arrival.close()
            return
        self._node.take(arrival)

    def _ended(self, number: int) -> None:
        self._arrivals.pop(number, None)
        self._tell(ENDED, number)

    def _tell(self, what: bytes, number: int = 0) -> None:
        if self._loop.is_closed():
            return
        self._untold += MESSAGE.pack(what, number, 0)
        self._send_untold()

    def _send_untold(self) -> None:
        """Tell the supervisor what it has not been told; later, where it does not listen now."""
        try:
            del self._untold[: self._control.send(self._untold)]
        except BlockingIOError:
            pass
        except OSError:
            self._untold.clear()
            self._stop.set()
        if self._untold:
            self._loop.add_writer(self._control, self._send_untold)
        else:
            self._loop.remove_writer(self._control)
