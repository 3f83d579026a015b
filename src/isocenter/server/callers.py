"""Whether somebody may call at all: known AE title, its host, its certificate.

What they may do then is in their `Rights`. A peer hears only that its AE title is not recognized;
the log and `isocenter explain` say which of these it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from isocenter.security.access import ALL_STUDIES, Rights, Scope
from isocenter.security.binding import CertificateFacts, belongs_to
from isocenter.server.config import Config, Peer
from isocenter.server.config_security import Listener
from isocenter.server.tls import tls_files
from isocenter.services.service_names import SERVICE_NAMES


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an association, by what is known before anything is granted.

    `certificate` is that of the TLS client, whose chain has been verified.
    """

    ae_title: str
    host: str
    certificate: CertificateFacts | None = None


def objection_to(caller: Caller, peer: Peer | None, listener: Listener) -> str | None:
    """Why a caller is turned away, as a clause; None where it is welcome.

    `peer` is the one whose AE title it uses.
    """
    if peer is None:
        if listener.wants_known_ae:
            return "the calling AE title is not one of [peers]: `isocenter peer add` makes it known"
        return None
    if peer.hosts and not _is_within(caller.host, peer.hosts):
        return "the peer of this AE title may not call from this address (`hosts` of the peer)"
    if not listener.uses_tls or listener.client_certificates == "off":
        return None
    if caller.certificate is None:
        if peer.certificates:
            return "the peer of this AE title must show its certificate (`certificates` of it)"
        return None
    if not belongs_to(caller.certificate, peer.ae_title, peer.certificates):
        return (
            "the certificate is not one of the peer of this AE title (`certificates` of it; its "
            f"fingerprint is sha256:{caller.certificate.sha256})"
        )
    return None


def itself(config: Config, listener: Listener) -> Peer:
    """The node as a peer of its own: who moves objects to itself, or runs commands beside it.

    Over TLS it shows the node's certificate. Raises CertificateProblem.
    """
    certificates: tuple[str, ...] = ()
    if listener.uses_tls:
        from isocenter.security.certificates import fingerprint, read_certificates

        path = tls_files(config).certificate
        shown = read_certificates(path)[0] if path is not None else None
        certificates = () if shown is None else (f"sha256:{fingerprint(shown)}",)
    host = listener.host.strip("[]")
    own = (host,) if _is_address(host) and host not in ("0.0.0.0", "::") else ()
    return Peer(
        ae_title=config.node.ae_title,
        host="localhost",
        hosts=("127.0.0.0/8", "::1/128", *own),
        certificates=certificates,
    )


def rights_of(peer: Peer | None) -> Rights:
    """What somebody may do who has been let in: a stranger everything, on a listener for them."""
    if peer is None:
        return Rights(SERVICE_NAMES)
    destinations = None if "*" in peer.move_destinations else frozenset(peer.move_destinations)
    scope = Scope(frozenset(peer.labels)) if peer.labels else ALL_STUDIES
    return Rights(peer.services, destinations, scope)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_within(host: str, networks: tuple[str, ...]) -> bool:
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:  # an IPv4 peer on a listener for both families
        address = mapped
    return any(address in ip_network(network) for network in networks)
