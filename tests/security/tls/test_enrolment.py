"""A certificate of the hospital's own CA: asked for, installed, and whom the node trusts then."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from isocenter.security.authority import ensure
from isocenter.security.authority_files import AuthorityFiles
from isocenter.security.certificates import (
    CertificateProblem,
    pem,
    read_certificates,
    read_pair,
)
from isocenter.security.enrolment import add_revocations, install, request, trust
from isocenter.security.revocation import read_revocations
from isocenter.security.tls import ServerTLS
from isocenter.security.tls_files import TLSFiles
from tests.support.tls import Certificates, Pair, openssl


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    return AuthorityFiles(tmp_path / "tls")


@pytest.fixture
def hospital(tmp_path: Path) -> Certificates:
    """The CA below the hospital's root."""
    root = Certificates(tmp_path / "root", "The Root")
    return Certificates(tmp_path / "below", "The Hospital", parent=root)


def sign(ca: Certificates, csr: bytes, folder: Path, *, days: float = 30) -> Path:
    """The CA's answer to a request: the certificate and the CA's own."""
    asked = x509.load_pem_x509_csr(csr)
    assert asked.is_signature_valid
    template = ca.issue("TEMPLATE", ends_in=days).parsed
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(ca.parsed.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(template.not_valid_before_utc)
        .not_valid_after(template.not_valid_after_utc)
    )
    for extension in asked.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    answer = folder / "answer.pem"
    answer.write_bytes(pem([builder.sign(ca._key, hashes.SHA256()), ca.parsed]))
    return answer


def test_a_request_is_answered_and_installed(
    files: AuthorityFiles, hospital: Certificates, tmp_path: Path
):
    csr = request(files.folder, "PACS", ("pacs.example", "192.0.2.1"))
    assert files.request_key.stat().st_mode & 0o777 == 0o600
    root = hospital._parent
    assert root is not None
    used = install(files.folder, sign(hospital, csr, tmp_path), [root.ca])
    assert [one.subject.rfc4514_string() for one in used] == ["CN=PACS", "CN=The Hospital"]
    assert read_certificates(files.certificate) == used
    trust(files.folder, [root.ca])
    ServerTLS(TLSFiles(files.certificate, files.key, (files.trusted,)))
    assert not files.request_key.exists()
    chain = ("-untrusted", files.certificate, files.certificate)
    assert openssl("verify", "-CAfile", root.ca, *chain).returncode == 0


def test_openssl_understands_the_request(files: AuthorityFiles, tmp_path: Path):
    (tmp_path / "csr").write_bytes(request(files.folder, "PACS", ("pacs.example",)))
    said = openssl("req", "-in", tmp_path / "csr", "-noout", "-text", "-verify").stdout
    assert "DNS:pacs.example" in said
    assert "self-signature verify OK" in said


def test_asking_again_does_not_spoil_the_request_before(
    files: AuthorityFiles, hospital: Certificates, tmp_path: Path
):
    first = request(files.folder, "PACS", ())
    request(files.folder, "PACS", ("pacs.example",))
    install(files.folder, sign(hospital, first, tmp_path))


def test_a_request_leaves_the_certificate_in_use_alone(files: AuthorityFiles):
    ensure(files.folder, ("localhost",), "PACS")
    before = files.certificate.read_bytes(), files.key.read_bytes()
    request(files.folder, "PACS", ())
    assert (files.certificate.read_bytes(), files.key.read_bytes()) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("other key", "No certificate given belongs to a key of this node"),
        ("expired", "expired on"),
        ("not yet", "is not valid before"),
        ("client only", "may not be used by a server"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(
    files: AuthorityFiles, hospital: Certificates, kind: str, words: str
):
    ensure(files.folder, ("localhost",), "PACS")
    before = files.certificate.read_bytes(), files.key.read_bytes()
    bad: Pair = {
        "other key": lambda: hospital.issue("PACS"),
        "expired": lambda: hospital.issue("PACS", ends_in=-1),
        "not yet": lambda: hospital.issue("PACS", starts_in=1),
        "client only": lambda: hospital.issue("PACS", usages=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
    }[kind]()
    key = None if kind == "other key" else bad.key
    with pytest.raises(CertificateProblem, match=words):
        install(files.folder, bad.certificate, (), key)
    assert (files.certificate.read_bytes(), files.key.read_bytes()) == before


def test_a_pair_that_was_made_elsewhere_is_installed_with_its_key(
    files: AuthorityFiles, hospital: Certificates
):
    pair = hospital.issue("PACS")
    install(files.folder, pair.certificate, (), pair.key)
    chain, _ = read_pair(files.certificate, files.key)
    assert chain[0] == pair.parsed
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_whom_to_trust_is_added_once_beside_the_local_ca(
    files: AuthorityFiles, hospital: Certificates
):
    ensure(files.folder, ("localhost",), "PACS")
    assert trust(files.folder, [hospital.ca, hospital.ca]) == [hospital.parsed]
    assert trust(files.folder, [hospital.ca]) == []
    assert read_certificates(files.trusted) == [*read_certificates(files.ca), hospital.parsed]


def test_trust_from_before_the_local_ca_stays(files: AuthorityFiles, hospital: Certificates):
    trust(files.folder, [hospital.ca])
    ensure(files.folder, ("localhost",), "PACS")
    assert read_certificates(files.trusted) == [hospital.parsed, *read_certificates(files.ca)]


def test_an_expired_ca_is_not_trusted(files: AuthorityFiles, hospital: Certificates):
    with pytest.raises(CertificateProblem, match="expired on"):
        trust(files.folder, [hospital.issue("X", ends_in=-1).certificate])
    assert not files.trusted.exists()


def test_a_newer_list_of_a_ca_replaces_its_older_one(files: AuthorityFiles, hospital: Certificates):
    ensure(files.folder, ("localhost",), "PACS")
    assert add_revocations(files.folder, hospital.revoke(hospital.issue("A"))) == 1
    add_revocations(files.folder, hospital.revoke(hospital.issue("B")))
    lists = {one.issuer: len(one) for one in read_revocations(files.revoked)}
    assert lists == {hospital.parsed.subject: 2, read_certificates(files.ca)[0].subject: 0}
    with pytest.raises(CertificateProblem, match="own CA"):
        add_revocations(files.folder, files.revoked)
