"""Certificate revocation lists (RFC 5280 5), looked at after the handshake.

OpenSSL can do it during the handshake, but then for all CAs or none: with its CRL check on, a peer
of a trusted CA that publishes no list is refused. Here a list speaks for its own CA only. A list
that is overdue still counts, since what it revokes stays revoked; that it is overdue is a warning
(`tls_files.endings`), not an outage of every peer of that CA.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from isocenter.security.certificates import CertificateProblem, read_bounded

MAXIMUM_SIZE = 64 * 1024 * 1024
"""Bytes of a file with revocation lists; a CA's list has some forty bytes an entry."""

MAXIMUM_LISTS = 1000

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"


class Revocations:
    """What the revocation lists of a file say."""

    def __init__(self, lists: Sequence[x509.CertificateRevocationList] = ()) -> None:
        self.lists = tuple(lists)
        self._signed_by: dict[tuple[int, bytes], bool] = {}

    def revoked_in(self, chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
        """The first certificate of a chain that its issuer revoked; the leaf comes first.

        The issuer is the next in the chain. Where that is not known, behind the last, any list of
        the issuer's name counts.
        """
        for number, certificate in enumerate(chain):
            issuer = chain[number + 1] if number + 1 < len(chain) else None
            for which, listed in enumerate(self.lists):
                if (
                    listed.issuer == certificate.issuer
                    and _is_revoked(listed, certificate)
                    and (issuer is None or self._is_signed_by(which, issuer))
                ):
                    return certificate
        return None

    def _is_signed_by(self, which: int, issuer: x509.Certificate) -> bool:
        """Two CAs may have one name; the key decides whose list it is."""
        key = (which, issuer.public_bytes(serialization.Encoding.DER))
        if key not in self._signed_by:
            self._signed_by[key] = _verifies(self.lists[which], issuer)
        return self._signed_by[key]


def read_revocations(path: Path) -> list[x509.CertificateRevocationList]:
    """The lists in a PEM file, or the one in a DER file. Raises CertificateProblem."""
    data = read_bounded(path, "revocation list", MAXIMUM_SIZE)
    try:
        if data.startswith(b"\x30"):
            return [x509.load_der_x509_crl(data)]
        parts = data.split(_BEGIN)[1:]
        if not parts or len(parts) > MAXIMUM_LISTS or any(_END not in part for part in parts):
            raise ValueError("no lists, or too many")
        return [
            x509.load_pem_x509_crl(_BEGIN + part.partition(_END)[0] + _END + b"\n")
            for part in parts
        ]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateProblem(
            f"{path} holds no revocation list that can be read: it must be PEM, {_BEGIN.decode()}."
        ) from error


def _is_revoked(listed: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    entry = listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if entry is None:
        return False
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return True
    except ValueError:
        return True
    return reason is not x509.ReasonFlags.remove_from_crl


def _verifies(listed: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return listed.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
    except (InvalidSignature, UnsupportedAlgorithm, TypeError, ValueError):
        return False
