"""What a server of ours offers and takes, as OpenSSL's own client sees it."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.security.certificates import CertificateProblem
from isocenter.security.tls_contexts import client_context, server_context
from isocenter.security.tls_files import TLSFiles
from isocenter.security.tls_profiles import BCP195, HARDENED, offered_suites
from tests.support.tls import Certificates, Pair, s_client, write_key
from tests.support.tls_peers import TLSListener, tls_listener

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def own(certificates: Certificates) -> Pair:
    return certificates.issue("ISOCENTER")


@pytest.fixture(scope="module")
def peer(certificates: Certificates) -> tuple[str, ...]:
    pair = certificates.issue("PEER")
    return ("-cert", str(pair.certificate), "-key", str(pair.key))


def files(own: Pair, certificates: Certificates, **more: object) -> TLSFiles:
    return TLSFiles(own.certificate, own.key, (certificates.ca,), **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def strict(own: Pair, certificates: Certificates) -> Iterator[TLSListener]:
    """A listener that requires certificates, with the usual profile."""
    with tls_listener(server_context(files(own, certificates))) as listener:
        yield listener


@pytest.mark.parametrize(
    ("version", "name"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")], ids=["1.2", "1.3"]
)
def test_both_versions_are_spoken(
    strict: TLSListener, peer: tuple[str, ...], version: str, name: str
):
    done = s_client(strict.port, version, *peer)
    assert f"New, {name}" in done.stdout
    assert done.returncode == 0


def test_the_newer_version_is_preferred(strict: TLSListener, peer: tuple[str, ...]):
    assert "New, TLSv1.3" in s_client(strict.port, *peer).stdout


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_what_rfc_8996_forbids_is_refused(strict: TLSListener, peer: tuple[str, ...], version: str):
    done = s_client(strict.port, version, "-cipher", "ALL:@SECLEVEL=0", *peer)
    assert "alert protocol version" in done.stdout
    assert done.returncode != 0


@pytest.mark.parametrize("suite", BCP195)
def test_every_suite_of_the_profile_is_taken(
    certificates: Certificates, peer: tuple[str, ...], suite: str
):
    own = certificates.issue("ISOCENTER", rsa_bits=2048 if "-RSA-" in suite else 0)
    with tls_listener(server_context(files(own, certificates))) as listener:
        done = s_client(listener.port, "-tls1_2", "-cipher", suite, *peer)
    assert f"Cipher is {suite}" in done.stdout


@pytest.mark.parametrize(
    "suite",
    [
        "ECDHE-ECDSA-AES256-SHA384",  # CBC
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-CCM",  # of the other profile
        "AES256-GCM-SHA384",  # exchange by RSA, without forward secrecy
        "AES128-SHA",
        "DHE-RSA-AES256-GCM-SHA384",  # RFC 9325 4.1
        "ECDHE-ECDSA-NULL-SHA",  # does not encrypt
        "AECDH-AES256-SHA",  # nobody is authenticated
        "PSK-AES256-GCM-SHA384",
    ],
)
def test_other_suites_are_refused(strict: TLSListener, peer: tuple[str, ...], suite: str):
    done = s_client(strict.port, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", *peer)
    assert done.returncode != 0
    assert "Cipher is (NONE)" in done.stdout or "no ciphers available" in done.stdout


def test_the_hardened_profile_has_what_b_13_lists(
    own: Pair, certificates: Certificates, peer: tuple[str, ...]
):
    context = server_context(files(own, certificates, profile="hardened"))
    assert set(HARDENED) < set(offered_suites(context))
    with tls_listener(context) as listener:
        done = s_client(listener.port, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM", *peer)
    assert "Cipher is ECDHE-ECDSA-AES256-CCM" in done.stdout


@pytest.mark.parametrize("profile", ["bcp195", "hardened"])
def test_every_suite_offered_has_forward_secrecy_and_authenticates_its_bytes(
    own: Pair, certificates: Certificates, profile: str
):
    context = server_context(files(own, certificates, profile=profile))
    for suite in context.get_ciphers():
        assert suite["aead"]
        assert suite["strength_bits"] >= 128
        assert suite["kea"] in ("kx-ecdhe", "kx-any")


def test_the_server_chooses_the_suite(strict: TLSListener, peer: tuple[str, ...]):
    offered = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    done = s_client(strict.port, "-tls1_2", "-cipher", offered, *peer)
    assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in done.stdout


def test_nothing_is_compressed_renegotiated_or_resumed_with_a_ticket(
    strict: TLSListener, peer: tuple[str, ...]
):
    done = s_client(strict.port, "-tls1_2", "-comp", *peer, say="R\n")
    assert "Compression: NONE" in done.stdout
    assert "no renegotiation" in done.stdout
    assert "TLS session ticket:" not in done.stdout
    assert "New Session Ticket" not in s_client(strict.port, "-tls1_3", *peer).stdout


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_client_without_a_certificate_is_refused_where_one_is_required(
    strict: TLSListener, version: str
):
    # With TLS 1.3 the client is done with its part of the handshake before it is refused.
    done = s_client(strict.port, version, "-ign_eof", say="")
    assert done.returncode != 0
    assert "alert" in done.stdout


def test_a_client_may_come_without_a_certificate_where_one_is_only_requested(
    own: Pair, certificates: Certificates, peer: tuple[str, ...]
):
    with tls_listener(server_context(files(own, certificates), "requested")) as listener:
        assert s_client(listener.port, "-tls1_2").returncode == 0
        assert s_client(listener.port, "-tls1_2", *peer).returncode == 0
        unknown = Certificates(certificates.folder / "other").issue("PEER")
        shown = ("-cert", unknown.certificate, "-key", unknown.key)
        assert s_client(listener.port, "-tls1_2", *shown).returncode != 0


def test_no_certificate_is_asked_for_where_they_are_off(own: Pair, certificates: Certificates):
    no_one_trusted = TLSFiles(own.certificate, own.key)
    with tls_listener(server_context(no_one_trusted, "off")) as listener:
        done = s_client(listener.port, "-tls1_2")
    assert done.returncode == 0
    assert "No client certificate CA names sent" in done.stdout


@pytest.mark.parametrize(
    "kind", ["expired", "not yet valid", "unknown CA", "self-signed", "server"]
)
def test_a_bad_client_certificate_is_refused(
    strict: TLSListener, certificates: Certificates, tmp_path: Path, kind: str
):
    from cryptography.x509.oid import ExtendedKeyUsageOID

    bad = {
        "expired": lambda: certificates.issue("PEER", ends_in=-1),
        "not yet valid": lambda: certificates.issue("PEER", starts_in=1),
        "unknown CA": lambda: Certificates(tmp_path).issue("PEER"),
        "self-signed": lambda: certificates.self_signed("PEER"),
        "server": lambda: certificates.issue("PEER", usages=(ExtendedKeyUsageOID.SERVER_AUTH,)),
    }[kind]()
    before = len(strict.failures)
    done = s_client(strict.port, "-tls1_2", "-cert", bad.certificate, "-key", bad.key)
    assert done.returncode != 0
    assert "alert" in done.stdout
    assert isinstance(strict.failures[before], ssl.SSLCertVerificationError)


def test_a_weak_key_is_refused_on_either_side(certificates: Certificates, strict: TLSListener):
    weak = certificates.issue("WEAK", rsa_bits=1024)
    with pytest.raises(CertificateProblem, match="2048 bits"):
        server_context(files(weak, certificates))
    shown = ("-cert", weak.certificate, "-key", weak.key, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert s_client(strict.port, "-tls1_2", *shown).returncode != 0


def test_whoever_trusts_nobody_cannot_verify(own: Pair):
    nobody = TLSFiles(own.certificate, own.key)
    for make in (server_context, client_context):
        with pytest.raises(CertificateProblem, match="No certification authority is trusted"):
            make(nobody)


def test_a_passphrase_is_never_asked_for_on_a_terminal(certificates: Certificates, own: Pair):
    locked = certificates.folder / "locked.key"
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    write_key(locked, load_pem_private_key(own.key.read_bytes(), None), b"secret")  # type: ignore[arg-type]
    pair = TLSFiles(own.certificate, locked, (certificates.ca,))
    with pytest.raises(CertificateProblem, match="is encrypted"):
        server_context(pair)
    with pytest.raises(CertificateProblem, match="the passphrase is wrong"):
        client_context(pair, passphrase=b"other")
    client_context(pair, passphrase=b"secret")
