"""The TLS of a node: which files it is made from, for those who call here and those we call.

Certificates that the configuration does not name are those of the node's TLS folder, which is made
at first need (`security.authority`).
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.security.tls_files import TLSFiles
from isocenter.server.config import Config

if TYPE_CHECKING:
    from isocenter.security.tls import ClientTLS, ServerTLS
    from isocenter.upperlayer.aio_requestor import RequestorTLS

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that are nobody's (RFC 5737, RFC 3849)."""


def tls_files(config: Config) -> TLSFiles:
    """The files that a configuration names, or those of its TLS folder."""
    from isocenter.security.authority_files import AuthorityFiles

    tls, folder = config.tls, AuthorityFiles(config.tls_directory)
    own = tls.certificate or _there(folder.certificate)
    key = folder.key if tls.certificate is None else tls.certificate  # one file may hold both
    trusted = tls.trusted or _there(folder.trusted)
    revoked = tls.revoked or _there(folder.revoked)
    return TLSFiles(
        certificate=own,
        key=tls.key or (key if own else None),
        trusted=(trusted,) if trusted else (),
        revoked=(revoked,) if revoked else (),
        profile=tls.profile,
    )


def prepare_tls(config: Config) -> None:
    """See to it that there are a key and a certificate where a listener needs them.

    Raises CertificateProblem, and OSError where the folder cannot be made.
    """
    if not any(listener.uses_tls for listener in config.all_listeners.values()):
        return
    if config.tls.certificate is None:
        from isocenter.security.authority import ensure

        ensure(config.tls_directory, node_names(config), config.node.ae_title)
    tls_contexts(config)  # what cannot be used shows at the start


def tls_contexts(config: Config) -> Mapping[str, ServerTLS]:
    """What each listener that speaks TLS does so with, by the listener's name."""
    listeners = {name: one for name, one in config.all_listeners.items() if one.uses_tls}
    if not listeners:
        return {}
    from isocenter.security.tls import ServerTLS

    files = tls_files(config)
    return {name: ServerTLS(files, one.client_certificates) for name, one in listeners.items()}


class CallingTLS:
    """The TLS of the associations that a node asks for itself: C-MOVE, commitment reports.

    The files are read when the first peer is called over TLS, and followed from then on.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tls: ClientTLS | None = None

    def securing(self, host: str, ae_title: str, certificates: Sequence[str]) -> RequestorTLS:
        """The TLS of the next connection to a peer. Raises CertificateProblem."""
        from isocenter.security.tls import ClientTLS, Expected
        from isocenter.upperlayer.aio_requestor import RequestorTLS

        if self._tls is None:
            self._tls = ClientTLS(tls_files(self._config))
        expected = Expected(host, ae_title, certificates)
        return RequestorTLS(self._tls.current(), partial(self._tls.examine, expected=expected))


def node_names(config: Config) -> list[str]:
    """The names and addresses by which this node may be called, for its certificate.

    What a resolver says of this machine and cannot be a name is left out.
    """
    from isocenter.security.host_names import dns_name, is_address

    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), socket.getfqdn()]
    for listener in config.all_listeners.values():
        host = listener.host.strip("[]").partition("%")[0]
        names += _own_addresses() if host in ("0.0.0.0", "::") else [host]
    # A reverse lookup without an answer gives the question (RFC 3596 2.5), which names nobody.
    usable = (name for name in names if not name.endswith(".arpa"))
    return list(dict.fromkeys(name for name in usable if is_address(name) or dns_name(name)))


def _own_addresses() -> list[str]:
    """The addresses that this host's name resolves to, and those that it calls others from."""
    found: list[str] = []
    with suppress(OSError):
        infos = socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM)
        found += [str(address[0]).partition("%")[0] for *_, address in infos]
    for family, documentation in _ELSEWHERE:
        # Connecting a datagram socket sends nothing: it only asks the kernel for the way.
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((documentation, 9))
            found.append(str(asking.getsockname()[0]).partition("%")[0])
    return found


def _there(path: Path) -> Path | None:
    """None if there is no such file; one in a folder that is closed to us may be there."""
    try:
        return path if path.exists() else None
    except PermissionError:
        return path
