"""Who is meant by the PEER on a command line.

`host port`, `host:port`, `[v6]:port`, `AET@host:port`, or the name of a peer in the
configuration. The configuration is read only where a bare name could stand in it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from isocenter.errors import IsocenterError
from isocenter.server.addressing import DEFAULT_PORT, DEFAULT_TLS_PORT, RULE, is_ae_title
from isocenter.server.config_file import is_configured

if TYPE_CHECKING:
    from isocenter.server.config import Config, Peer

DEFAULT_CALLED_AE = "ANY-SCP"
DEFAULT_CALLING_AE = "ISOCENTER"

_BRACKETED = re.compile(r"\[(?P<host>[^\[\]]+)\](?::(?P<port>[0-9]{1,5}))?")
_HOST = re.compile(r"(?P<host>[^:\[\]\s]+)(?::(?P<port>[0-9]{1,5}))?")


class AddressError(IsocenterError, ValueError):
    """A PEER that cannot be understood."""


class PeerAddress(NamedTuple):
    """Where to connect, which AE title to call there, and how it wants to be called.

    It likes its `transfer_syntaxes` best; over TLS it shows one of its `certificates`.
    """

    host: str
    port: int
    ae_title: str
    transfer_syntaxes: tuple[str, ...] = ()
    tls: bool = False
    certificates: tuple[str, ...] = ()

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.ae_title}@{host}:{self.port}"


class _Parts(NamedTuple):
    host: str
    port: int | None
    ae_title: str | None


def resolve_peer(
    text: str,
    port: int | None = None,
    called_ae: str | None = None,
    config: str | None = None,
    *,
    tls: bool | None = None,
) -> PeerAddress:
    """The address meant by `text`, with the port and the -aec given beside it.

    With `tls` None it is called over TLS if its configuration says so.

    Raises AddressError, or ConfigError when a configuration has to be read and is wrong.
    """
    parts = parse_address(text)
    if port is not None and parts.port is not None:
        raise AddressError(f"{text!r} already names port {parts.port}; leave out the second one.")
    if called_ae is not None:
        checked_ae_title(called_ae)
    port = parts.port if port is None else port
    bare = port is None and parts.ae_title is None
    if bare and (peer := _configured_peer(parts.host, config)):
        return peer._replace(
            ae_title=called_ae or peer.ae_title, tls=peer.tls if tls is None else tls
        )
    usual = DEFAULT_TLS_PORT if tls else DEFAULT_PORT
    return PeerAddress(
        parts.host,
        usual if port is None else port,
        called_ae or parts.ae_title or DEFAULT_CALLED_AE,
        tls=bool(tls),
    )


def calling_ae_title(given: str | None, config: str | None = None) -> str:
    """The -aet given, else this node's own title where it is configured, else ISOCENTER."""
    if given is not None:
        return checked_ae_title(given)
    return _configuration(config).node.ae_title if is_configured(config) else DEFAULT_CALLING_AE


def parse_address(text: str) -> _Parts:
    """`text` taken apart, without asking the configuration."""
    title, at, place = text.rpartition("@")
    if at:
        checked_ae_title(title)
    match = _BRACKETED.fullmatch(place) or _HOST.fullmatch(place)
    if match is None and _is_ipv6(place):
        return _Parts(place, None, title if at else None)
    if match is None:
        raise AddressError(
            f"{text!r} is not a peer; write host port, host:port, [v6]:port, AET@host:port, "
            "or a name from the configuration's [peers]."
        )
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise AddressError(f"{text!r} has port {port}; a TCP port is 1 to 65535.")
    return _Parts(match["host"], port, title if at else None)


def checked_ae_title(title: str) -> str:
    """`title`, when it is an AE title by PS3.5 6.2; raises AddressError."""
    if not is_ae_title(title):
        raise AddressError(f"{title!r} is not an AE title; it has {RULE}.")
    return title.strip(" ")


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).version == 6
    except ValueError:
        return False


def _configured_peer(name: str, config: str | None) -> PeerAddress | None:
    if not is_configured(config):
        return None
    peer = _configuration(config).peers.get(name)
    return address_of(peer) if peer else None


def address_of(peer: Peer) -> PeerAddress:
    """The address of a peer of the configuration."""
    return PeerAddress(
        peer.host, peer.port, peer.ae_title, peer.transfer_syntaxes, peer.tls, peer.certificates
    )


def _configuration(config: str | None) -> Config:
    from isocenter.server.config_loading import load_config

    return load_config(config).config
