"""The addresses that a node listens on, and taking connections from them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack

import structlog

from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.config_security import Listener

NO_ROOM_SECONDS = 0.1
"""How long nothing is accepted after the system refused to, for want of file descriptors say."""

Take = Callable[[str, socket.socket, str], bool]
"""Gets a connection: the name of its listener, the connection, and the host at its other end."""

OnListening = Callable[[Mapping[str, int]], None]
"""Hears the port of each listener, by name, once the node can be connected to."""

BUSY_SECONDS = 0.01
"""How long a connection is kept that nobody can take just now, before it is offered again."""

log = structlog.get_logger(__name__)


class CannotListen(IsocenterError):
    """An address in the configuration cannot be listened on."""


class Listeners:
    """The bound sockets of a node by listener name; a context manager that closes them."""

    def __init__(self, config: Config) -> None:
        """Bind every address; none listens yet.

        So a wrong address is known before the archive is opened, and nobody connects before the
        node can serve, and be stopped. Raises CannotListen.
        """
        self._config = config
        self._closing = ExitStack()
        with ExitStack() as on_failure:
            self.sockets: Mapping[str, socket.socket] = {
                name: on_failure.enter_context(_bind(listener))
                for name, listener in config.all_listeners.items()
            }
            self._closing = on_failure.pop_all()

    def __enter__(self) -> Listeners:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let nobody connect any more."""
        self._closing.close()

    @property
    def ports(self) -> dict[str, int]:
        """The real port of each listener."""
        return {name: bound.getsockname()[1] for name, bound in self.sockets.items()}

    def listen(self) -> None:
        """Begin to accept, and say so; each time, too, where it is insecure."""
        for name, bound in self.sockets.items():
            listener = self._config.all_listeners[name]
            bound.setblocking(False)
            bound.listen(listener.backlog)
            log.info(
                "listening",
                listener=name,
                ae_title=self._config.node.ae_title,
                host=listener.host,
                port=bound.getsockname()[1],
                tls=listener.uses_tls,
            )
            if not (listener.is_local or listener.uses_tls):
                log.warning(
                    "this listener is insecure: whatever passes it can be read on the network",
                    listener=name,
                    host=listener.host,
                )

    def accept(self, take: Take) -> list[asyncio.Task[None]]:
        """Hand every connection to `take`, which owns it from then on, until cancelled."""
        loop = asyncio.get_running_loop()
        return [
            loop.create_task(_accept(name, bound, take)) for name, bound in self.sockets.items()
        ]


async def _accept(name: str, bound: socket.socket, take: Take) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, address = await loop.sock_accept(bound)
        except OSError as error:  # out of file descriptors, say: others go on
            log.error("could not accept a connection", error=error.strerror)
            await asyncio.sleep(NO_ROOM_SECONDS)
            continue
        try:
            while not take(name, connection, address[0]):
                await asyncio.sleep(BUSY_SECONDS)  # others wait in the kernel's queue
        except asyncio.CancelledError:
            connection.close()
            raise


def _bind(listener: Listener) -> socket.socket:
    host, port = listener.host.strip("[]"), listener.port
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotListen(
            f"Cannot listen on {host} port {port}: {error.strerror or error}; "
            "stop whatever uses it, or choose another with --port."
        ) from error
    return bound
