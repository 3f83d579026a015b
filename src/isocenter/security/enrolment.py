"""Certificates of another CA for this node: request, install; and whom this node trusts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from isocenter.security.authority_files import PRIVATE, PUBLIC, AuthorityFiles
from isocenter.security.certificates import (
    CertificateProblem,
    fingerprint,
    pem,
    public_bytes,
    read_certificates,
    read_key,
    require_valid,
)
from isocenter.security.issuing import key_pem, make_request, new_key
from isocenter.security.revocation import read_revocations

LONGEST_CHAIN = 10


def request(folder: Path, name: str, names: Sequence[str]) -> bytes:
    """A signing request for this node's certificate, as PEM.

    Its key waits in the folder, beside the one in use; asking again asks for the same key. Raises
    CertificateProblem, and OSError where the folder cannot be written.
    """
    files = AuthorityFiles(folder)
    with files.alone():
        key = read_key(files.request_key) if files.request_key.exists() else new_key()
        made = make_request(name, names, key)
        if not files.request_key.exists():
            files.write(files.request_key, key_pem(key), PRIVATE)
    return made


def install(
    folder: Path, certificate: Path, chain: Sequence[Path] = (), key: Path | None = None
) -> list[x509.Certificate]:
    """Take a certificate of another CA into use, with the CAs between it and its root.

    Its key is the one of the request, or the present one, or `key`. Returns what is used now, the
    certificate first. Raises CertificateProblem for one that does not fit, or is not good now.
    """
    files = AuthorityFiles(folder)
    offered = [one for path in (certificate, *chain) for one in read_certificates(path)]
    with files.alone():
        private = _key_for(files, key, offered)
        own = next(one for one in offered if _fits(one, private))
        require_valid(own, certificate)
        _require_server(own, certificate)
        used = _chain_of(own, offered)
        files.write(files.key, key_pem(private), PRIVATE)
        files.write(files.certificate, pem(used), PUBLIC)
        if files.request_key.exists() and _same(read_key(files.request_key), private):
            files.request_key.unlink()
    return used


def trust(folder: Path, paths: Sequence[Path]) -> list[x509.Certificate]:
    """Trust whoever these certificates have signed, or the certificates themselves.

    Returns those that were not trusted before. Raises CertificateProblem.
    """
    files = AuthorityFiles(folder)
    offered: list[x509.Certificate] = []
    for path in paths:
        for one in read_certificates(path):
            require_valid(one, path)
            offered.append(one)
    with files.alone():
        trusted = read_certificates(files.trusted) if files.trusted.exists() else []
        known = {fingerprint(one) for one in trusted}
        added = list({fingerprint(o): o for o in offered if fingerprint(o) not in known}.values())
        if added:
            files.write(files.trusted, pem([*trusted, *added]), PUBLIC)
    return added


def add_revocations(folder: Path, path: Path) -> int:
    """Keep the revocation lists of another CA, in place of its older ones; how many they are.

    Raises CertificateProblem.
    """
    files = AuthorityFiles(folder)
    lists = read_revocations(path)
    issuers = {one.issuer.public_bytes() for one in lists}
    with files.alone():
        there = read_revocations(files.revoked) if files.revoked.exists() else []
        ours = read_certificates(files.ca)[0].subject if files.ca.exists() else None
        if ours is not None and ours.public_bytes() in issuers:
            raise CertificateProblem(
                f"{path} is a list of this node's own CA, which keeps it itself: isocenter tls "
                "revoke adds to it."
            )
        lists += [one for one in there if one.issuer.public_bytes() not in issuers]
        data = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in lists)
        files.write(files.revoked, data, PUBLIC)
    return len(issuers)


def _key_for(
    files: AuthorityFiles, key: Path | None, offered: Sequence[x509.Certificate]
) -> PrivateKeyTypes:
    places = (key,) if key is not None else (files.request_key, files.key)
    for place in places:
        if place.exists() or place == key:
            private = read_key(place)
            if any(_fits(one, private) for one in offered):
                return private
    raise CertificateProblem(
        f"No certificate given belongs to a key of this node ({', '.join(map(str, places))}): "
        "install the answer to isocenter tls request, or name its key with --key."
    )


def _chain_of(own: x509.Certificate, offered: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificate and the CAs above it, without the root, which a peer must have anyway."""
    chain = [own]
    while len(chain) < LONGEST_CHAIN:
        below = chain[-1]
        above = [one for one in offered if one not in chain and _issued(one, below)]
        if not above or above[0].subject == above[0].issuer:
            break
        chain.append(above[0])
    return chain


def _issued(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _require_server(certificate: x509.Certificate, path: Path) -> None:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if ExtendedKeyUsageOID.SERVER_AUTH not in usage:
        raise CertificateProblem(
            f"The certificate in {path} may not be used by a server (extended key usage): ask the "
            "CA for serverAuth and clientAuth."
        )


def _fits(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    return public_bytes(certificate.public_key()) == public_bytes(key.public_key())


def _same(one: PrivateKeyTypes, other: PrivateKeyTypes) -> bool:
    return public_bytes(one.public_key()) == public_bytes(other.public_key())
