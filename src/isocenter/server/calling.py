"""From what a person says of a peer to the destination of an association."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from isocenter.server.calling_tls import TLSWish, client_tls, examiner
from isocenter.server.peer_address import calling_ae_title, resolve_peer

if TYPE_CHECKING:
    import ssl

    from isocenter.security.tls import ClientTLS, ServerTLS
    from isocenter.services.association import Destination
    from isocenter.upperlayer.user_information import UserIdentity

LEAST_IDLE = 600.0  # seconds that we keep an association on which nothing happens


def destination_of(
    peer: str,
    port: int | None = None,
    *,
    called_ae: str | None,
    calling_ae: str | None,
    config: str | None,
    maximum_length: int,
    connect_timeout: float,
    association_timeout: float,
    response_timeout: float,
    tls: TLSWish | None = None,
    ssl_context: ssl.SSLContext | None = None,
    user_identity: UserIdentity | None = None,
) -> Destination:
    """The destination that `peer` means, with its configured transfer syntaxes; times in seconds.

    An `ssl_context` of the caller's own is used as it is, for whatever peer. Raises AddressError or
    ConfigError (`peer_address.resolve_peer`), and CertificateProblem where TLS has what it needs
    not at hand.
    """
    from isocenter.services.association import Destination
    from isocenter.upperlayer.limits import Timeouts

    tls = tls or TLSWish()
    address = resolve_peer(peer, port, called_ae, config, tls=tls.enabled)
    examine = answering = None
    if address.tls and ssl_context is None:
        client = client_tls(tls, config)
        ssl_context, examine = client.current(), examiner(client, address)
        answering = partial(_answering, client)
    return Destination(
        host=address.host,
        port=address.port,
        called_ae=address.ae_title,
        calling_ae=calling_ae_title(calling_ae, config),
        maximum_length=maximum_length,
        connect_timeout=connect_timeout,
        response_timeout=response_timeout,
        timeouts=Timeouts(
            association=association_timeout,
            release=association_timeout,
            idle=max(LEAST_IDLE, response_timeout),
        ),
        ssl_context=ssl_context,
        examine=examine,
        transfer_syntaxes=address.transfer_syntaxes,
        user_identity=user_identity,
        answering_tls=answering,
    )


def _answering(client: ClientTLS) -> ServerTLS:
    """With the files with which we call a peer, what to answer with when it calls us."""
    from isocenter.security.tls import ServerTLS

    return ServerTLS(client.files)
