"""What a peer is handed: its key and certificate, as PEM files and as one PKCS#12 file (RFC 7292).

The folder is the peer's secret: it goes to the peer on a way that nobody else reads, and is then
deleted. No key of a peer stays with the CA.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from isocenter.security.authority import Bundle
from isocenter.security.authority_files import PRIVATE, PUBLIC, write_whole
from isocenter.security.certificates import CertificateProblem, pem
from isocenter.security.issuing import key_pem

MAXIMUM_PASSPHRASE = 1024


class BundleFiles(NamedTuple):
    """The files of a bundle; `passphrase` is there if it was made up here."""

    certificate: Path
    key: Path
    ca: Path
    pkcs12: Path
    passphrase: Path | None


def require_new(folder: Path) -> None:
    """Raises CertificateProblem for a folder that is there: a key is never overwritten."""
    if folder.exists():
        raise CertificateProblem(
            f"{folder} is there already and may hold a key that is in use: give another folder "
            "with --out, or move it away."
        )


def write_bundle(folder: Path, bundle: Bundle, name: str, passphrase: bytes | None) -> BundleFiles:
    """Write a bundle into a new folder, 0700. Raises CertificateProblem and OSError."""
    require_new(folder)
    folder.mkdir(mode=0o700, parents=True)
    made_up = passphrase is None
    secret = secrets.token_urlsafe(18).encode() if passphrase is None else passphrase
    files = BundleFiles(
        folder / "certificate.pem",
        folder / "key.pem",
        folder / "ca.pem",
        folder / "bundle.p12",
        folder / "passphrase.txt" if made_up else None,
    )
    write_whole(files.key, key_pem(bundle.key), PRIVATE)
    write_whole(files.certificate, pem([bundle.certificate]), PUBLIC)
    write_whole(files.ca, pem([bundle.ca]), PUBLIC)
    packed = pkcs12.serialize_key_and_certificates(
        name.encode(),
        bundle.key,  # type: ignore[arg-type]
        bundle.certificate,
        [bundle.ca],
        BestAvailableEncryption(secret),
    )
    write_whole(files.pkcs12, packed, PRIVATE)
    if files.passphrase is not None:
        write_whole(files.passphrase, secret + b"\n", PRIVATE)
    return files


def read_passphrase(path: Path) -> bytes:
    """The first line of a file. Raises CertificateProblem."""
    try:
        with path.open("rb") as stream:
            secret = stream.readline(MAXIMUM_PASSPHRASE).rstrip(b"\r\n")
    except OSError as error:
        raise CertificateProblem(
            f"The passphrase file {path} cannot be read: {error.strerror}."
        ) from error
    if not secret:
        raise CertificateProblem(f"The passphrase file {path} has nothing in its first line.")
    return secret
