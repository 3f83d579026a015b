"""Making keys, certificates, requests and revocation lists (RFC 5280), for the local CA.

Keys are on the curve P-256: PS3.15 B.13 asks for 256 bits, every TLS stack that a DICOM node may
meet knows this curve, and a handshake costs a tenth of that of RSA 2048.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from isocenter.security.certificates import CertificateProblem
from isocenter.security.host_names import dns_name

CA_DAYS = 3650
SKEW = timedelta(hours=1)
"""How far behind ours a peer's clock may be when it is shown a new certificate."""

LONGEST_COMMON_NAME = 64  # RFC 5280 A.1, ub-common-name


def new_key() -> ec.EllipticCurvePrivateKey:
    """A private key on the curve P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKeyTypes) -> bytes:
    """A private key as its file holds it: unencrypted, for a service starts without a person."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def make_ca(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """A certification authority that signs itself; no two have the same name."""
    subject = _name(f"Isocenter CA {secrets.token_hex(4)}")
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(for_ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def make_certificate(
    name: str,
    names: Sequence[str],
    days: int,
    key: PrivateKeyTypes,
    ca: x509.Certificate,
    ca_key: PrivateKeyTypes,
) -> x509.Certificate:
    """A certificate for both sides of a connection, at most as long as its CA's.

    `name` is the common name, `names` are host names and addresses. Raises CertificateProblem.
    """
    now = datetime.now(UTC)
    public = key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(ca.subject)
        .public_key(public)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(min(now + timedelta(days=days), ca.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(for_ca=False), critical=True)
        .add_extension(_BOTH_SIDES, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)  # type: ignore[arg-type]
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    return builder.sign(ca_key, hashes.SHA256())  # type: ignore[arg-type]


def make_request(name: str, names: Sequence[str], key: PrivateKeyTypes) -> bytes:
    """A certificate signing request (RFC 2986) as PEM. Raises CertificateProblem."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(name))
        .add_extension(_usage(for_ca=False), critical=True)
        .add_extension(_BOTH_SIDES, critical=False)
    )
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    request = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    return request.public_bytes(serialization.Encoding.PEM)


def make_revocation_list(
    revoked: Sequence[tuple[int, datetime]],
    number: int,
    ca: x509.Certificate,
    ca_key: PrivateKeyTypes,
) -> x509.CertificateRevocationList:
    """A revocation list of serial numbers and moments. It is never overdue: nobody fetches it."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(datetime.now(UTC) - SKEW)
        .next_update(ca.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    for serial, moment in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(ca_key, hashes.SHA256())  # type: ignore[arg-type]


_BOTH_SIDES = x509.ExtendedKeyUsage(
    # A DICOM node calls and is called, often with one certificate.
    (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
)


def _name(text: str) -> x509.Name:
    if not 0 < len(text) <= LONGEST_COMMON_NAME:
        raise CertificateProblem(
            f"A certificate's common name has 1 to {LONGEST_COMMON_NAME} characters, not "
            f"{len(text)}."
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in dict.fromkeys(names)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    if (name := dns_name(text)) is None:
        raise CertificateProblem(f"{text!r} is neither a host name nor an IP address.")
    return x509.DNSName(name)


def _usage(*, for_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not for_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=for_ca,
        crl_sign=for_ca,
        encipher_only=False,
        decipher_only=False,
    )
