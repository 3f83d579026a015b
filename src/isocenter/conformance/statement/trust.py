"""Connections and security of this node: what its TLS offers, who is believed, what is audited.

The cipher suites are read from a context that was made as a listener makes its own, and are those
that the certificate's key can serve.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from isocenter.conformance.capabilities import (
    Connection,
    Security,
    Suite,
    TransportSecurity,
    UserIdentityType,
)
from isocenter.conformance.facts import AuditEvent
from isocenter.security.audit.codes import EVENTS
from isocenter.security.tls_profiles import apply_profile
from isocenter.server.config import Config
from isocenter.server.config_security import Listener
from isocenter.server.tls import tls_files
from isocenter.upperlayer.user_information import UserIdentityType as Type

PROFILE = "PS3.15 B.12 BCP 195 RFC 8996, 9325"
"""The one that is claimed, whatever the suites are narrowed to."""

_NAMES = {
    Type.USERNAME: "user name",
    Type.USERNAME_AND_PASSCODE: "user name and passcode",
    Type.KERBEROS: "Kerberos service ticket",
    Type.SAML: "SAML assertion",
    Type.JWT: "JSON Web Token",
}
_INITIATED = frozenset({Type.USERNAME, Type.USERNAME_AND_PASSCODE, Type.JWT})


def connections_of(config: Config) -> tuple[Connection, ...]:
    """Every listener, with the TLS that it speaks."""
    return tuple(
        Connection(
            name=name,
            host=listener.host,
            port=listener.port,
            tls=_transport_security(config, listener) if listener.uses_tls else None,
        )
        for name, listener in config.all_listeners.items()
    )


def client_tls(config: Config) -> TransportSecurity:
    """What the node offers when it calls others over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    apply_profile(context, config.tls.profile)
    return TransportSecurity(
        profile=PROFILE, versions=_versions(context), suites=_suites(context, "")
    )


def security_of(config: Config) -> Security:
    """User identities, audit trail, certificates."""
    return Security(
        user_identities=tuple(_identity(config, one) for one in Type),
        audit_events=tuple(
            AuditEvent(code=code.value, scheme=code.scheme, meaning=code.meaning)
            for code in EVENTS.values()
        )
        if config.audit.enabled
        else (),
        audit_transport=_audit_transport(config),
        certificates="X.509, of a local CA that the node makes or of any other; changes are "
        "followed while it runs, revocation lists are heeded, and a certificate is bound to the AE "
        "title of its peer by its names or its fingerprint.",
    )


def _transport_security(config: Config, listener: Listener) -> TransportSecurity:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    apply_profile(context, config.tls.profile)
    return TransportSecurity(
        profile=PROFILE,
        versions=_versions(context),
        suites=_suites(context, _key_kind(config)),
        client_certificate=listener.client_certificates,
    )


def _versions(context: ssl.SSLContext) -> tuple[str, ...]:
    lowest = context.minimum_version
    return tuple(
        version.name.replace("_", ".").replace("v", " ", 1)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        if version >= lowest
    )


def _suites(context: ssl.SSLContext, key: str) -> tuple[Suite, ...]:
    """Those of the context; of TLS 1.2 such as need another key than the node's are left out."""
    other = {"rsa": "auth-ecdsa", "ecdsa": "auth-rsa"}.get(key)
    return tuple(
        Suite(version=suite["protocol"].replace("v", " ", 1), name=suite["name"])
        for suite in context.get_ciphers()
        if suite["auth"] != other
    )


def _key_kind(config: Config) -> str:
    """Which signatures the node's key makes; "" where it has none yet."""
    certificate = tls_files(config).certificate
    return "" if certificate is None else _kind_in(certificate)


def _kind_in(certificate: Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from isocenter.security.certificates import CertificateProblem, read_certificates

    try:
        key = read_certificates(certificate)[0].public_key()
    except (CertificateProblem, OSError, IndexError, ValueError):
        return ""  # `serve` says what is wrong with it
    if isinstance(key, rsa.RSAPublicKey):
        return "rsa"
    return "ecdsa" if isinstance(key, ec.EllipticCurvePublicKey) else ""


def _identity(config: Config, kind: Type) -> UserIdentityType:
    tokens = config.identity.jwt_key is not None
    verified = kind is Type.USERNAME_AND_PASSCODE or (kind is Type.JWT and tokens)
    notes = {
        Type.USERNAME: "taken note of, never verified (PS3.15 B.4)",
        Type.USERNAME_AND_PASSCODE: "verified; a wrong one is rejected (PS3.15 B.5)",
        Type.KERBEROS: "not supported",
        Type.SAML: "not supported",
        Type.JWT: f"verified, {config.identity.jwt_algorithm}"
        if tokens
        else "not verified: no key is configured",
    }
    return UserIdentityType(
        number=kind.value,
        name=_NAMES[kind],
        accepted=verified or kind is Type.USERNAME,
        verified=verified,
        initiated=kind in _INITIATED,
        note=notes[kind],
    )


def _audit_transport(config: Config) -> str:
    if not config.audit.enabled:
        return "The audit trail is switched off."
    if not config.audit.syslog:
        return "Messages are kept in the node's own hash-chained trail; none are transmitted."
    return (
        f"Messages go to {config.audit.syslog} by syslog over TLS (PS3.15 A.6; RFC 5424, RFC 5425) "
        "from the node's own hash-chained trail."
    )
