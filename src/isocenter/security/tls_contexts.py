"""TLS contexts by PS3.15 B.12, made from files; see `tls_profiles` for what they offer."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives import serialization

from isocenter.security.certificates import CertificateProblem, read_certificates, read_pair
from isocenter.security.tls_files import TLSFiles
from isocenter.security.tls_profiles import apply_profile

ClientCertificates = Literal["required", "requested", "off"]

MAXIMUM_TRUSTED = 2000
"""Certificates of trusted authorities that are loaded."""

_ASKED: dict[ClientCertificates, ssl.VerifyMode] = {
    "required": ssl.CERT_REQUIRED,
    "requested": ssl.CERT_OPTIONAL,
    "off": ssl.CERT_NONE,
}


def server_context(
    files: TLSFiles, client_certificates: ClientCertificates = "required"
) -> ssl.SSLContext:
    """A context that accepts connections. Raises CertificateProblem.

    A certificate that has expired is no reason for it to fail: whoever calls decides, and the log
    warns long before (`tls_files.expiring`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    apply_profile(context, files.profile)
    context.num_tickets = 0
    context.verify_mode = _ASKED[client_certificates]
    _load_own(context, files, None)
    if client_certificates != "off":
        _load_trusted(context, files)
    return context


def client_context(
    files: TLSFiles, *, verify: bool = True, passphrase: bytes | None = None
) -> ssl.SSLContext:
    """A context for connections that we make. Raises CertificateProblem.

    It checks the chain and not the name: a peer may be bound by AE title or fingerprint instead
    of its host's name, which is decided after the handshake (`tls.ClientTLS.examine`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    apply_profile(context, files.profile)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if files.certificate is not None:
        _load_own(context, files, passphrase)
    if verify:
        _load_trusted(context, files)
    return context


def _load_own(context: ssl.SSLContext, files: TLSFiles, passphrase: bytes | None) -> None:
    certificate, key = files.certificate, files.key
    if certificate is None or key is None:
        raise CertificateProblem(
            "This node has no certificate with its key: isocenter tls init makes them."
        )
    read_pair(certificate, key, passphrase)
    try:
        # Without a function OpenSSL would ask the terminal for a passphrase.
        context.load_cert_chain(certificate, key, password=lambda: passphrase or b"")
    except (ssl.SSLError, OSError) as error:
        raise CertificateProblem(
            f"The certificate {certificate} cannot be used for TLS ({_words(error)}): a key has "
            "2048 bits of RSA or 256 of an elliptic curve at least, a signature SHA-256."
        ) from error


def _load_trusted(context: ssl.SSLContext, files: TLSFiles) -> None:
    trusted = [one for path in files.trusted for one in read_certificates(path)]
    if not trusted:
        raise CertificateProblem(
            "No certification authority is trusted: isocenter tls trust FILE adds one."
        )
    if len(trusted) > MAXIMUM_TRUSTED:
        raise CertificateProblem(
            f"{_places(files.trusted)} hold over {MAXIMUM_TRUSTED} certificates: trust fewer."
        )
    # Whoever is trusted is so by an administrator's decision, whether it is a root or not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        for one in trusted:
            context.load_verify_locations(
                cadata=one.public_bytes(serialization.Encoding.DER),
            )
    except ssl.SSLError as error:
        raise CertificateProblem(
            f"A certificate in {_places(files.trusted)} cannot be trusted ({_words(error)})."
        ) from error


def _places(paths: tuple[Path, ...]) -> str:
    return ", ".join(map(str, paths))


def _words(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return reason.replace("_", " ").lower() if reason else (error.strerror or "unreadable")
