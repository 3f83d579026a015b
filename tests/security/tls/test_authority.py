"""The local CA: made once, and what it issues, renews and revokes is good for OpenSSL too."""

import json
import multiprocessing
import ssl
import stat
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from isocenter.security.authority import ensure, issue, known_names, renew, revoke
from isocenter.security.authority_files import (
    AuthorityFiles,
    AuthorityFolderProblem,
    read_index,
    write_whole,
)
from isocenter.security.binding import belongs_to
from isocenter.security.bundles import read_passphrase, write_bundle
from isocenter.security.certificates import (
    CertificateProblem,
    facts,
    pem,
    read_certificates,
    read_pair,
)
from isocenter.security.revocation import Revocations, read_revocations
from isocenter.security.tls import ClientTLS, ServerTLS
from isocenter.security.tls_files import TLSFiles
from tests.support.tls import Certificates, openssl

NAMES = ("localhost", "127.0.0.1", "pacs.example")


@pytest.fixture
def files(tmp_path: Path) -> AuthorityFiles:
    """The folder of a node that has made its certificates."""
    files = AuthorityFiles(tmp_path / "data" / "tls")
    assert ensure(files.folder, NAMES, "ISOCENTER")
    return files


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_node_has_all_that_it_needs_for_both_sides(files: AuthorityFiles):
    all_of_it = TLSFiles(files.certificate, files.key, (files.trusted,), (files.revoked,))
    ServerTLS(all_of_it)
    ClientTLS(all_of_it)
    (own,) = read_certificates(files.certificate)
    assert facts(own).dns_names == ("localhost", "pacs.example")
    assert facts(own).addresses == ("127.0.0.1",)
    assert belongs_to(facts(own), "ISOCENTER", ())
    usage = own.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_openssl_finds_nothing_wrong_with_what_is_issued(files: AuthorityFiles, tmp_path: Path):
    peer = tmp_path / "peer.pem"
    peer.write_bytes(pem([issue(files.folder, "MODALITY 1", ("mod1.example",)).certificate]))
    for purpose, certificate in (
        ("sslserver", files.certificate),
        ("sslclient", files.certificate),
        ("sslclient", peer),
    ):
        checks = ("-x509_strict", "-crl_check", "-CRLfile", files.revoked, "-purpose", purpose)
        done = openssl("verify", "-CAfile", files.ca, *checks, certificate)
        assert done.returncode == 0, done.stdout


def test_no_key_is_readable_by_others_and_none_is_encrypted_by_accident(files: AuthorityFiles):
    assert _mode(files.folder) == 0o700
    assert _mode(files.ca_key) == _mode(files.key) == _mode(files.index) == 0o600
    for path in files.folder.iterdir():
        if b"PRIVATE KEY" in path.read_bytes():
            assert _mode(path) == 0o600
    assert not [path for path in files.folder.iterdir() if path.name.startswith(".")]


def test_a_second_time_nothing_is_made(files: AuthorityFiles):
    before = {path: path.read_bytes() for path in files.folder.iterdir()}
    assert not ensure(files.folder, NAMES, "OTHER")
    assert {path: path.read_bytes() for path in files.folder.iterdir()} == before


def test_processes_that_start_at_once_make_one_ca(tmp_path: Path):
    folder = tmp_path / "tls"
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as pool:
        made = pool.map(partial(_ensure, folder), range(4))
    assert sorted(made) == [False, False, False, True]
    assert len(read_index(AuthorityFiles(folder))) == 1
    read_pair(AuthorityFiles(folder).certificate, AuthorityFiles(folder).key)


def _ensure(folder: Path, _: int) -> bool:
    return ensure(folder, NAMES, "ISOCENTER")


@pytest.mark.parametrize("lost", [("node.pem",), ("node.pem", "node.key"), ("ca.pem", "node.pem")])
def test_a_start_that_was_cut_short_is_made_up_for(files: AuthorityFiles, lost: tuple[str, ...]):
    for name in lost:
        (files.folder / name).unlink()
    assert ensure(files.folder, NAMES, "ISOCENTER")
    ServerTLS(TLSFiles(files.certificate, files.key, (files.trusted,), (files.revoked,)))


def test_a_ca_whose_key_is_kept_elsewhere_is_not_replaced(files: AuthorityFiles):
    files.ca_key.unlink()
    with pytest.raises(CertificateProblem, match="bring it back"):
        issue(files.folder, "PEER", ())
    with pytest.raises(CertificateProblem, match="bring it back"):
        renew(files.folder)
    assert not ensure(files.folder, NAMES, "ISOCENTER")  # the node itself does not need it


def test_a_peers_bundle_is_complete_in_both_forms(files: AuthorityFiles, tmp_path: Path):
    bundle = issue(files.folder, "MOD1", ("mod1.example", "192.0.2.7"), days=90)
    written = write_bundle(tmp_path / "out" / "mod1", bundle, "MOD1", None)
    assert _mode(written.key.parent) == 0o700
    assert _mode(written.key) == _mode(written.pkcs12) == 0o600
    read_pair(written.certificate, written.key)
    assert written.passphrase is not None
    assert _mode(written.passphrase) == 0o600
    secret = read_passphrase(written.passphrase)
    assert len(secret) >= 20
    key, certificate, cas = pkcs12.load_key_and_certificates(written.pkcs12.read_bytes(), secret)
    assert key is not None
    assert certificate == bundle.certificate
    assert cas == read_certificates(files.ca)
    assert 89 < (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days < 91
    unpacked = openssl(
        "pkcs12", "-in", written.pkcs12, "-nodes", "-passin", f"file:{written.passphrase}"
    )
    assert "BEGIN PRIVATE KEY" in unpacked.stdout


def test_a_folder_that_is_there_is_never_written_over(files: AuthorityFiles, tmp_path: Path):
    bundle = issue(files.folder, "MOD1", ())
    with pytest.raises(CertificateProblem, match="is there already"):
        write_bundle(tmp_path, bundle, "MOD1", b"secret")
    written = write_bundle(tmp_path / "mine", bundle, "MOD1", b"secret")
    assert written.passphrase is None
    pkcs12.load_key_and_certificates(written.pkcs12.read_bytes(), b"secret")


def test_no_key_of_a_peer_stays_here(files: AuthorityFiles):
    keys = [path for path in files.folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]
    issue(files.folder, "MOD1", ())
    assert keys == [path for path in files.folder.iterdir() if b"PRIVATE KEY" in path.read_bytes()]


def test_renewing_keeps_names_and_key_unless_told_otherwise(files: AuthorityFiles):
    (before,), key = read_pair(files.certificate, files.key)
    after = renew(files.folder, ("new.example",), days=10)
    assert facts(after).dns_names == (*facts(before).dns_names, "new.example")
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()
    renew(files.folder, with_new_key=True)
    (newest,), new_key = read_pair(files.certificate, files.key)
    assert newest.public_key() != key.public_key()
    assert new_key.public_key() == newest.public_key()


def test_no_certificate_outlives_its_ca(files: AuthorityFiles):
    (ca,) = read_certificates(files.ca)
    assert issue(files.folder, "X", (), 100_000).certificate.not_valid_after_utc == (
        ca.not_valid_after_utc
    )


def test_what_is_revoked_is_in_the_list_and_the_rest_is_not(files: AuthorityFiles):
    bad, good = issue(files.folder, "BAD", ()), issue(files.folder, "GOOD", ())
    revoked = revoke(files.folder, "BAD")
    assert [one.name for one in revoked] == ["BAD"]
    lists = Revocations(read_revocations(files.revoked))
    assert lists.revoked_in([bad.certificate, bad.ca]) == bad.certificate
    assert lists.revoked_in([good.certificate, good.ca]) is None
    assert revoke(files.folder, "BAD") == []
    # By serial number and by fingerprint, in whatever spelling.
    serial = f"{good.certificate.serial_number:X}"
    assert [one.name for one in revoke(files.folder, serial)] == ["GOOD"]
    third = issue(files.folder, "THIRD", ())
    sha256 = ":".join(
        facts(third.certificate).sha256.upper()[at : at + 2] for at in range(0, 64, 2)
    )
    assert [one.name for one in revoke(files.folder, sha256)] == ["THIRD"]
    (ours,) = read_revocations(files.revoked)
    assert len(ours) == 3
    assert ours.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 5
    with pytest.raises(CertificateProblem, match="has issued nothing for 'NOBODY'"):
        revoke(files.folder, "NOBODY")


def test_lists_of_other_cas_stay_when_ours_is_written_anew(files: AuthorityFiles, tmp_path: Path):
    other = Certificates(tmp_path / "other")
    theirs = other.revoke(other.issue("X"))
    files.revoked.write_bytes(files.revoked.read_bytes() + theirs.read_bytes())
    issue(files.folder, "BAD", ())
    revoke(files.folder, "BAD")
    assert [one.issuer for one in read_revocations(files.revoked)] == [
        read_certificates(files.ca)[0].subject,
        other.parsed.subject,
    ]


def test_the_index_remembers_the_names_of_a_peer(files: AuthorityFiles):
    issue(files.folder, "MOD1", ("old.example",))
    issue(files.folder, "MOD1", ("new.example", "192.0.2.1"))
    assert known_names(files.folder, "MOD1") == ("new.example", "192.0.2.1")
    with pytest.raises(CertificateProblem, match="has issued nothing"):
        known_names(files.folder, "MOD2")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"issued": [{"serial": 1}]}', '{"issued": 3}'])
def test_an_index_that_cannot_be_read_is_named_and_kept(files: AuthorityFiles, text: str):
    files.index.write_text(text)
    with pytest.raises(AuthorityFolderProblem, match="bring it back from a backup"):
        issue(files.folder, "X", ())
    assert files.index.read_text() == text


@pytest.mark.parametrize("name", ["", "a b", "under..dots", "x" * 64, "1.2.3.4.5/8", "ä" * 200])
def test_a_name_that_cannot_be_is_refused_and_nothing_issued(files: AuthorityFiles, name: str):
    with pytest.raises(CertificateProblem, match="neither a host name nor an IP address"):
        issue(files.folder, "X", (name,))
    assert [one.name for one in read_index(files)] == ["ISOCENTER"]


def test_a_common_name_has_its_length(files: AuthorityFiles):
    for name in ("", "x" * 65):
        with pytest.raises(CertificateProblem, match="1 to 64 characters"):
            issue(files.folder, name, ())


def test_whoever_has_no_ca_is_told_how_to_make_one(tmp_path: Path):
    for refused in (partial(issue, tmp_path, "X", ()), partial(revoke, tmp_path, "X")):
        with pytest.raises(CertificateProblem, match="isocenter tls init"):
            refused()


def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"after", 0o600)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_the_index_is_json_that_people_can_read(files: AuthorityFiles):
    (one,) = json.loads(files.index.read_text())["issued"]
    assert one["name"] == "ISOCENTER"
    assert one["revoked_at"] is None


def test_a_context_of_pythons_own_accepts_the_chain(files: AuthorityFiles):
    context = ssl.create_default_context(cafile=str(files.ca))
    context.load_cert_chain(files.certificate, files.key)
