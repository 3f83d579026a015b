"""`isocenter.connect`: from a name to a connection."""

from __future__ import annotations

from os import PathLike, fspath
from typing import TYPE_CHECKING

from isocenter.client.connection import Connection
from isocenter.server.calling import destination_of
from isocenter.server.calling_tls import TLSWish
from isocenter.services.query_options import QueryOptions

if TYPE_CHECKING:
    import ssl

    from isocenter.upperlayer.user_information import UserIdentity


def connect(
    peer: str,
    port: int | None = None,
    *,
    called_ae: str | None = None,
    calling_ae: str | None = None,
    config: str | PathLike[str] | None = None,
    options: QueryOptions | None = None,
    connect_timeout: float = 10.0,
    association_timeout: float = 30.0,
    response_timeout: float = 60.0,
    maximum_length: int = 131072,
    tls: TLSWish | bool | None = None,
    ssl_context: ssl.SSLContext | None = None,
    user_identity: UserIdentity | None = None,
) -> Connection:
    """Connect to a DICOM node, and establish a first association with it (PS3.8 7.1).

    Args:
        peer: a peer's name in the configuration, "AET@host:port", "host:port", or a host.
        port: the TCP port, where `peer` does not say it (else 11112).
        called_ae: the peer's AE title, where `peer` does not say it (else ANY-SCP).
        calling_ae: ours (else the configuration's, else ISOCENTER).
        config: the configuration file (else $ISOCENTER_CONFIG, else ./isocenter.toml if there).
        options: what to propose by extended negotiation, such as `QueryOptions(fuzzy=True)`;
            `Connection.agreed` says what the peer agreed to.
        connect_timeout: seconds for the transport connection.
        association_timeout: seconds for the answers to association and release requests.
        response_timeout: seconds for each DIMSE response; every pending one starts them anew.
        maximum_length: bytes of the longest P-DATA-TF that we take (PS3.8 D.1).
        tls: True for TLS with this node's certificate and the CAs that it trusts, or a `TLSWish`
            that says more; None does as the peer's configuration says.
        ssl_context: a TLS context of your own, in place of `tls`; it decides alone whom it trusts.
        user_identity: what the peer is told of the user (PS3.7 D.3.3.7); unencrypted without TLS.

    Returns:
        A context manager that releases every association at its end, and aborts them if the
        block raises.

    Raises:
        AddressError, ConfigError: `peer` cannot be understood, or the configuration is wrong.
        CertificateProblem: the certificates for TLS are missing, or cannot be used.
        ConnectFailed, ConnectTimeout: nothing listens there, it does not answer, or it is not who
            was meant.
        AssociationRejectedError, AssociationAbortedError: the node does not want us.
    """
    destination = destination_of(
        peer,
        port,
        called_ae=called_ae,
        calling_ae=calling_ae,
        config=None if config is None else fspath(config),
        maximum_length=maximum_length,
        connect_timeout=connect_timeout,
        association_timeout=association_timeout,
        response_timeout=response_timeout,
        tls=TLSWish(enabled=tls) if isinstance(tls, bool) else tls,
        ssl_context=ssl_context,
        user_identity=user_identity,
    )
    connection = Connection(destination, options or QueryOptions())
    connection.open()
    return connection
