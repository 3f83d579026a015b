"""A TLS connection to a syslog server, and what is known of how much of it has arrived.

Syslog has no acknowledgement. The nearest thing is TCP's: what the server's kernel has taken. A
server that dies resets the connection when it has not read everything, which shows a moment later;
so what was sent counts as arrived when TCP has delivered it and the connection has lived on.
"""

from __future__ import annotations

import fcntl
import select
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from typing import Self

from isocenter.errors import IsocenterError

SECONDS_TO_CONNECT = 10.0
SECONDS_TO_SEND = 30.0
SECONDS_TO_CLOSE = 3.0

MakeContext = Callable[[], ssl.SSLContext]
"""Makes the TLS context of a connection; each time anew, so that new certificates are used."""


class SyslogFailed(IsocenterError):
    """The syslog server cannot be reached, is not who it should be, or broke off."""


class SyslogConnection:
    """One connection; a context manager."""

    def __init__(self, host: str, port: int, make_context: MakeContext) -> None:
        """Connect and check the server's certificate against `host`. Raises SyslogFailed."""
        self._where = f"The syslog server {host} port {port}"
        try:
            context = make_context()
            plain = socket.create_connection((host, port), SECONDS_TO_CONNECT)
        except OSError as error:  # of a certificate's file, too
            raise SyslogFailed(f"{self._where} cannot be reached: {_reason(error)}.") from error
        except IsocenterError as error:  # the certificates are none
            raise SyslogFailed(f"{self._where} cannot be called: {error}") from error
        try:
            self._socket = context.wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise SyslogFailed(f"{self._where} was not trusted: {_reason(error)}.") from error
        self._socket.settimeout(SECONDS_TO_SEND)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; return once the kernel has them. Raises SyslogFailed."""
        self.check()
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise SyslogFailed(f"{self._where} broke off: {_reason(error)}.") from error

    def check(self) -> None:
        """Raises SyslogFailed where the server has closed the connection. It never says a word."""
        try:
            while select.select([self._socket], [], [], 0)[0]:
                self._socket.settimeout(0.0)
                if not self._socket.recv(4096):
                    raise SyslogFailed(f"{self._where} closed the connection.")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # a TLS record that is not for us, as a session ticket
        except OSError as error:
            raise SyslogFailed(f"{self._where} broke off: {_reason(error)}.") from error
        finally:
            if self._socket.fileno() >= 0:
                self._socket.settimeout(SECONDS_TO_SEND)

    @property
    def delivered(self) -> bool:
        """Whether the server's kernel has taken all that was sent (Linux: SIOCOUTQ)."""
        waiting = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", waiting) == (0,)

    def finish(self) -> bool:
        """Close as TLS wants it; say whether the server has read everything, by closing too.

        Some close without the alert that TLS wants, rsyslog for one. That will do: had it left
        bytes unread, its kernel would have reset the connection.
        """
        try:
            self._socket.settimeout(SECONDS_TO_CLOSE)
            self._socket.unwrap().close()
        except ssl.SSLEOFError:
            return True
        except OSError:
            return False
        return True


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or "its certificate is not valid"
    if isinstance(error, ssl.SSLError):
        return (error.reason or "a TLS error").replace("_", " ").lower()
    return error.strerror or str(error) or type(error).__name__
