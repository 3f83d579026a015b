"""Certificates for tests: good ones, and every kind of bad one, made in milliseconds.

    certificates = Certificates(tmp_path)
    good = certificates.issue("MODALITY")           # .certificate, .key: paths of PEM files
    late = certificates.issue("MODALITY", ends_in=-1)
    other = Certificates(tmp_path / "other").issue("MODALITY")      # of an unknown CA
    alone = certificates.self_signed("MODALITY")
    crl = certificates.revoke(good)

Independent of `isocenter.security`, which is what they test.
"""

import datetime
import ipaddress
import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.processes import require, run

_Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_NUMBERS = itertools.count(1)


class Pair(NamedTuple):
    """A certificate with its chain, and its private key, as PEM files."""

    certificate: Path
    key: Path

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate itself."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())

    @property
    def der(self) -> bytes:
        """What stands on the wire."""
        return self.parsed.public_bytes(serialization.Encoding.DER)

    @property
    def sha256(self) -> str:
        """The fingerprint, in lower-case hexadecimal digits."""
        return self.parsed.fingerprint(hashes.SHA256()).hex()


class Certificates:
    """A certification authority whose certificate is the file `ca`, and what it signs."""

    def __init__(self, folder: Path, name: str = "A Test CA", parent: "Certificates | None" = None):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca = folder / f"ca-{next(_NUMBERS)}.pem"
        self._key: _Key = ec.generate_private_key(ec.SECP256R1())
        self._parent = parent
        self._revoked: list[int] = []
        self._certificate = _sign(
            _template(name, self._key.public_key(), -2, 3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(for_ca=True), critical=True),
            parent._certificate if parent else None,
            parent._key if parent else self._key,
        )
        self.ca.write_bytes(_pem(self._certificate))

    @property
    def parsed(self) -> x509.Certificate:
        """The certificate of the CA."""
        return self._certificate

    def issue(
        self,
        common_name: str,
        *,
        names: Sequence[str] = ("localhost", "127.0.0.1", "::1"),
        starts_in: float = -1,
        ends_in: float = 30,
        rsa_bits: int = 0,
        usages: Sequence[x509.ObjectIdentifier] = (
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.CLIENT_AUTH,
        ),
    ) -> Pair:
        """A certificate for a common name, and for host `names`; times are in days from now."""
        key = _new_key(rsa_bits)
        builder = _leaf(common_name, key, names, starts_in, ends_in, usages)
        certificate = _sign(builder, self._certificate, self._key)
        return self._write(common_name, certificate, key, self._chain())

    def self_signed(
        self, common_name: str, *, names: Sequence[str] = ("localhost", "127.0.0.1", "::1")
    ) -> Pair:
        """A certificate that nobody has signed but its owner."""
        key = _new_key(0)
        builder = _leaf(common_name, key, names, -1, 30, (ExtendedKeyUsageOID.SERVER_AUTH,))
        return self._write(common_name, _sign(builder, None, key), key, b"")

    def revoke(self, *pairs: Pair, next_update_in: float = 30) -> Path:
        """A new certificate revocation list, with these and all that were revoked before."""
        self._revoked += [pair.parsed.serial_number for pair in pairs]
        now = _in_days(-1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(_in_days(-2))
            .next_update(_in_days(next_update_in))
        )
        for serial in self._revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
            builder = builder.add_revoked_certificate(entry.build())
        path = self.folder / f"revoked-{next(_NUMBERS)}.pem"
        path.write_bytes(
            builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        return path

    def _chain(self) -> bytes:
        """The CAs between a certificate and the root, as PEM."""
        return b"" if self._parent is None else _pem(self._certificate) + self._parent._chain()

    def _write(self, name: str, certificate: x509.Certificate, key: _Key, chain: bytes) -> Pair:
        stem = self.folder / f"{name}-{next(_NUMBERS)}"
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        pair.certificate.write_bytes(_pem(certificate) + chain)
        write_key(pair.key, key)
        return pair


def write_key(path: Path, key: _Key, passphrase: bytes = b"") -> None:
    """Write a private key as only its owner can read it."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption(),
        )
    )


def s_client(port: int, *options: str | Path, say: str = "Q\n") -> subprocess.CompletedProcess[str]:
    """OpenSSL's client, which connects and ends; skips the test where it is not installed."""
    command = [require("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{port}"]
    return subprocess.run(
        [str(word) for word in (*command, *options)],
        input=say,
        timeout=60,
        check=False,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs OpenSSL; skips the test where it is not installed."""
    return run([require("openssl", "openssl"), *arguments])


def _new_key(rsa_bits: int) -> _Key:
    if rsa_bits:
        return rsa.generate_private_key(65537, rsa_bits)
    return ec.generate_private_key(ec.SECP256R1())


def _leaf(
    common_name: str,
    key: _Key,
    names: Sequence[str],
    starts_in: float,
    ends_in: float,
    usages: Sequence[x509.ObjectIdentifier],
) -> x509.CertificateBuilder:
    builder = (
        _template(common_name, key.public_key(), starts_in, ends_in)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(for_ca=False), critical=True)
    )
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
        )
    return builder


def _template(
    common_name: str, key: x509.base.CertificatePublicKeyTypes, starts_in: float, ends_in: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_in_days(min(starts_in, ends_in - 1)))
        .not_valid_after(_in_days(ends_in))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _sign(
    builder: x509.CertificateBuilder, issuer: x509.Certificate | None, key: _Key
) -> x509.Certificate:
    """Sign with the issuer's key, or with its own."""
    subject = builder._subject_name if issuer is None else issuer.subject
    builder = builder.issuer_name(subject).add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    return builder.sign(key, hashes.SHA256())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
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


def _in_days(days: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
