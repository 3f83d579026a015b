"""The local CA of a node: made at first need, issues, renews and revokes.

It is for the node and its peers in one house, where nobody has a CA, and no more: a hospital that
has one asks it for a certificate (`enrolment`), and needs nothing of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from isocenter.security.authority_files import (
    PRIVATE,
    PUBLIC,
    AuthorityFiles,
    Issued,
    read_index,
    write_index,
)
from isocenter.security.certificates import (
    CertificateProblem,
    facts,
    fingerprint,
    pem,
    read_certificates,
    read_pair,
)
from isocenter.security.issuing import (
    key_pem,
    make_ca,
    make_certificate,
    make_revocation_list,
    new_key,
)
from isocenter.security.revocation import read_revocations

DAYS = 730
"""How long a certificate is good for, unless told otherwise."""

_SECOND = "seconds"


class Bundle(NamedTuple):
    """What a peer is given: its certificate and key, and the CA that it shall trust."""

    certificate: x509.Certificate
    key: PrivateKeyTypes
    ca: x509.Certificate


class _Authority(NamedTuple):
    certificate: x509.Certificate
    key: PrivateKeyTypes


def ensure(folder: Path, names: Sequence[str], ae_title: str) -> bool:
    """See to it that this node has a certificate; True if it was made now, and a CA before it.

    Two processes may do so at the same time. Raises CertificateProblem, AuthorityFolderProblem and
    OSError.
    """
    files = AuthorityFiles(folder)
    if files.certificate.exists():
        return False
    with files.alone():
        if files.certificate.exists():
            return False
        authority = _authority(files, make=True)
        key = new_key()
        certificate = _sign(files, authority, ae_title, names, DAYS, key)
        # The certificate comes last: where it is, all is.
        files.write(files.key, key_pem(key), PRIVATE)
        files.write(files.certificate, pem([certificate]), PUBLIC)
    return True


def issue(folder: Path, name: str, names: Sequence[str], days: int = DAYS) -> Bundle:
    """A certificate and key for the peer of the AE title `name`; the key is not kept here.

    Raises CertificateProblem where there is no local CA, or for names that cannot be.
    """
    files = AuthorityFiles(folder)
    with files.alone():
        authority = _authority(files)
        key = new_key()
        certificate = _sign(files, authority, name, names, days, key)
    return Bundle(certificate, key, authority.certificate)


def renew(
    folder: Path, names: Sequence[str] = (), days: int = DAYS, *, with_new_key: bool = False
) -> x509.Certificate:
    """This node's certificate anew, for the names that it has and those given.

    The key stays unless told otherwise: then the change is one file, and cannot be half done.
    Raises CertificateProblem, also where another CA issued the certificate.
    """
    files = AuthorityFiles(folder)
    with files.alone():
        authority = _authority(files)
        (current, *_), key = read_pair(files.certificate, files.key)
        if current.issuer != authority.certificate.subject:
            raise CertificateProblem(
                f"{files.certificate} was issued by another CA: ask it for a new one with "
                "isocenter tls request, then isocenter tls install."
            )
        known = facts(current)
        key = new_key() if with_new_key else key
        certificate = _sign(
            files,
            authority,
            known.common_name,
            [*known.dns_names, *known.addresses, *names],
            days,
            key,
        )
        if with_new_key:
            files.write(files.key, key_pem(key), PRIVATE)
        files.write(files.certificate, pem([certificate]), PUBLIC)
    return certificate


def known_names(folder: Path, name: str) -> tuple[str, ...]:
    """The host names for which `name` was last issued a certificate."""
    for one in reversed(read_index(AuthorityFiles(folder))):
        if one.name == name:
            return one.names
    raise CertificateProblem(
        f"The local CA has issued nothing for {name!r}: isocenter tls show lists what it has."
    )


def revoke(folder: Path, which: str) -> list[Issued]:
    """Revoke the certificates of a name, or the one of a serial number or SHA-256 fingerprint.

    Returns those that were revoked now. Raises CertificateProblem where there is none.
    """
    files = AuthorityFiles(folder)
    wanted = which.replace(":", "").lower()
    with files.alone():
        authority = _authority(files)
        issued = read_index(files)
        found = [one for one in issued if which == one.name or wanted in (one.serial, one.sha256)]
        if not found:
            raise CertificateProblem(
                f"The local CA has issued nothing for {which!r}: isocenter tls show lists what it "
                "has."
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        revoked = [replace(one, revoked_at=now) for one in found if one.revoked_at is None]
        by_serial = {one.serial: one for one in revoked}
        issued = [by_serial.get(one.serial, one) for one in issued]
        write_index(files, issued)
        _write_revocations(files, authority, issued)
    return revoked


def _authority(files: AuthorityFiles, *, make: bool = False) -> _Authority:
    """The local CA, made if it may be. Raises CertificateProblem."""
    if not files.ca.exists():
        if not make:
            raise CertificateProblem(
                f"There is no local CA in {files.folder}: isocenter tls init makes one."
            )
        _make_authority(files)
    if not files.ca_key.exists():
        raise CertificateProblem(
            f"The key of the local CA, {files.ca_key}, is not there: bring it back from where it "
            "is kept, or move the folder away and begin anew with isocenter tls init."
        )
    (certificate, *_), key = read_pair(files.ca, files.ca_key)
    return _Authority(certificate, key)


def _make_authority(files: AuthorityFiles) -> None:
    key = new_key()
    certificate = make_ca(key)
    authority = _Authority(certificate, key)
    files.write(files.ca_key, key_pem(key), PRIVATE)
    _write_revocations(files, authority, read_index(files))
    trusted = read_certificates(files.trusted) if files.trusted.exists() else []
    files.write(files.trusted, pem([*trusted, certificate]), PUBLIC)
    files.write(files.ca, pem([certificate]), PUBLIC)


def _sign(
    files: AuthorityFiles,
    authority: _Authority,
    name: str,
    names: Sequence[str],
    days: int,
    key: PrivateKeyTypes,
) -> x509.Certificate:
    """Issue a certificate and note it before anybody has it."""
    certificate = make_certificate(name, names, days, key, authority.certificate, authority.key)
    said = facts(certificate)
    one = Issued(
        serial=f"{certificate.serial_number:x}",
        name=name,
        names=(*said.dns_names, *said.addresses),
        sha256=fingerprint(certificate),
        issued_at=datetime.now(UTC).isoformat(timespec=_SECOND),
        ends_at=certificate.not_valid_after_utc.isoformat(timespec=_SECOND),
    )
    write_index(files, [*read_index(files), one])
    return certificate


def _write_revocations(
    files: AuthorityFiles, authority: _Authority, issued: Sequence[Issued]
) -> None:
    """The list of the local CA anew; the lists of others stay as they are."""
    there = read_revocations(files.revoked) if files.revoked.exists() else []
    others = [one for one in there if one.issuer != authority.certificate.subject]
    number = 1 + max(map(_number, (one for one in there if one not in others)), default=0)
    revoked = [
        (int(one.serial, 16), datetime.fromisoformat(one.revoked_at))
        for one in issued
        if one.revoked_at is not None
    ]
    ours = make_revocation_list(revoked, number, authority.certificate, authority.key)
    lists = (one.public_bytes(serialization.Encoding.PEM) for one in (ours, *others))
    files.write(files.revoked, b"".join(lists), PUBLIC)


def _number(listed: x509.CertificateRevocationList) -> int:
    with suppress(x509.ExtensionNotFound):
        return listed.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return 0
