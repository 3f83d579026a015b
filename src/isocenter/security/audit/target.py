"""Where audit messages go: a syslog server, as `audit.syslog` names it."""

from __future__ import annotations

from typing import NamedTuple

from isocenter.errors import IsocenterError

SYSLOG_TLS_PORT = 6514  # RFC 5425 4.1


class BadTarget(IsocenterError, ValueError):
    """A text that names no syslog server."""


class Target(NamedTuple):
    """A syslog server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """From HOST, HOST:PORT, [v6] or [v6]:PORT. Raises BadTarget."""
    host, port = text.strip(), str(SYSLOG_TLS_PORT)
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        if rest:
            port = rest.removeprefix(":")
    elif host.count(":") == 1:
        host, port = host.split(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536 or " " in host:
        raise BadTarget("a syslog server is named as HOST:PORT, with [ ] around an IPv6 address")
    return Target(host, int(port))
