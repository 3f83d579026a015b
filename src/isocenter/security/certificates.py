"""Certificates and private keys as files hold them: read within bounds, and judged in sentences.

What is read here comes from an administrator, what `facts_of` takes from a peer; neither is
trusted to be well-formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from isocenter.errors import IsocenterError
from isocenter.security.binding import CertificateFacts

MAXIMUM_SIZE = 4 * 1024 * 1024
"""Bytes of a file with certificates or a key."""

MAXIMUM_NAMES = 256
"""Alternative names of a certificate that are looked at."""

_OTHERS = 0o077  # permission bits of group and world


class CertificateProblem(IsocenterError):
    """A certificate, key or revocation list cannot be used; the text says which and why."""


def facts_of(der: bytes) -> CertificateFacts:
    """What of a certificate counts when it is bound to a peer. Raises CertificateProblem."""
    try:
        return facts(x509.load_der_x509_certificate(der))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem("the certificate is malformed") from error


def facts(certificate: x509.Certificate) -> CertificateFacts:
    """The same of one that is parsed already. Raises ValueError where it is malformed within."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        common_name=common_name(certificate.subject),
        dns_names=tuple(names.get_values_for_type(x509.DNSName)[:MAXIMUM_NAMES]),
        sha256=fingerprint(certificate),
        addresses=tuple(
            str(address) for address in names.get_values_for_type(x509.IPAddress)[:MAXIMUM_NAMES]
        ),
    )


def common_name(name: x509.Name) -> str:
    """The last common name, which is the most specific one; empty where there is none."""
    values = [attribute.value for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return str(values[-1]) if values else ""


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the whole certificate, as 64 lower-case hexadecimal digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def read_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file, or the one in a DER file. Raises CertificateProblem."""
    data = read_bounded(path, "certificate")
    try:
        if data.startswith(b"\x30"):
            return [x509.load_der_x509_certificate(data)]
        return x509.load_pem_x509_certificates(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(
            f"{path} holds no certificate that can be read: it must be PEM, "
            "-----BEGIN CERTIFICATE-----."
        ) from error


def read_key(path: Path, passphrase: bytes | None = None) -> PrivateKeyTypes:
    """The private key in a PEM file that only its owner can read. Raises CertificateProblem."""
    require_private(path)
    data = read_bounded(path, "private key")
    try:
        return serialization.load_pem_private_key(data, passphrase)
    except TypeError as error:  # a passphrase is missing, or there is one too many
        if passphrase is None:
            raise CertificateProblem(
                f"The private key {path} is encrypted: give its passphrase, or decrypt it with "
                "openssl pkey and keep it readable by its owner only."
            ) from error
        return read_key(path)
    except (ValueError, UnsupportedAlgorithm) as error:
        why = "the passphrase is wrong or it is damaged" if passphrase else "it must be PEM"
        raise CertificateProblem(f"The private key {path} cannot be read: {why}.") from error


def is_encrypted(path: Path) -> bool:
    """Whether a private key needs a passphrase. Raises CertificateProblem."""
    return b"ENCRYPTED" in read_bounded(path, "private key")


def read_pair(
    certificate: Path, key: Path, passphrase: bytes | None = None
) -> tuple[list[x509.Certificate], PrivateKeyTypes]:
    """A certificate with its chain, and its key. Raises CertificateProblem, if they differ too."""
    chain = read_certificates(certificate)
    private = read_key(key, passphrase)
    public = public_bytes(private.public_key())
    if public_bytes(chain[0].public_key()) == public:
        return chain, private
    if any(public_bytes(other.public_key()) == public for other in chain):
        raise CertificateProblem(
            f"{certificate} does not begin with the certificate of the key {key}: put that one "
            "first, then the CAs above it."
        )
    raise CertificateProblem(
        f"The key {key} does not belong to the certificate {certificate}: use the key with which "
        "the certificate was requested."
    )


def require_valid(certificate: x509.Certificate, path: Path, now: datetime | None = None) -> None:
    """Raises CertificateProblem for a certificate whose time is over or has not come."""
    now = now or datetime.now(UTC)
    if certificate.not_valid_after_utc < now:
        raise CertificateProblem(
            f"The certificate in {path} expired on {_day(certificate.not_valid_after_utc)}: "
            "renew it."
        )
    if certificate.not_valid_before_utc > now:
        raise CertificateProblem(
            f"The certificate in {path} is not valid before "
            f"{_day(certificate.not_valid_before_utc)}: check this machine's clock."
        )


def require_private(path: Path) -> None:
    """Raises CertificateProblem for a private key that others than its owner can read."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, "private key", error) from error
    if mode & _OTHERS:
        raise CertificateProblem(
            f"The private key {path} can be read by others than its owner: chmod 600 {path}"
        )


def read_bounded(path: Path, what: str, limit: int = MAXIMUM_SIZE) -> bytes:
    """A file's content; `what` it should be is said in CertificateProblem."""
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise _unreadable(path, what, error) from error
    if len(data) > limit:
        raise CertificateProblem(f"{path} is too large for a {what} (over {limit >> 20} MiB).")
    return data


def public_bytes(key: PublicKeyTypes) -> bytes:
    """A public key in the form in which two can be compared."""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Certificates as a PEM file holds them."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _unreadable(path: Path, what: str, error: OSError) -> CertificateProblem:
    return CertificateProblem(f"The {what} {path} cannot be read: {error.strerror}.")


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
