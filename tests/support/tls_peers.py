"""The other end of a TLS handshake, in a thread: whatever a context and a script make of it."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.tls import Pair

Serve = Callable[[ssl.SSLSocket], None]
SECONDS = 20.0


def until_closed(connection: socket.socket) -> None:
    """Read until the other end has had enough."""
    with suppress(OSError):
        while connection.recv(65536):
            pass


class TLSListener:
    """Accepts TLS on a port of loopback; what went wrong in each handshake is in `failures`.

    `contexts` is asked for each connection, as a node does it.
    """

    def __init__(self, contexts: Callable[[], ssl.SSLContext], serve: Serve = until_closed) -> None:
        self._contexts = contexts
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.failures: list[Exception] = []
        self.versions: list[str | None] = []
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """End it, and wait until every connection is done with."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._accepting, *self._threads):
            thread.join(SECONDS)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._handshake, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _handshake(self, connection: socket.socket) -> None:
        connection.settimeout(SECONDS)
        try:
            secured = self._contexts().wrap_socket(connection, server_side=True)
        except OSError as error:
            self.failures.append(error)
            connection.close()
            return
        self.versions.append(secured.version())
        with secured:
            try:
                self._serve(secured)
            except OSError as error:
                self.failures.append(error)


@contextmanager
def tls_listener(
    context: ssl.SSLContext | Callable[[], ssl.SSLContext], serve: Serve = until_closed
) -> Iterator[TLSListener]:
    """A TLSListener for one context, or for whatever a function gives each time."""
    listener = TLSListener(context if callable(context) else lambda: context, serve)
    try:
        yield listener
    finally:
        listener.close()


def plain_context(pair: Pair) -> ssl.SSLContext:
    """A server's context of Python's own making, with nothing of Isocenter's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context
