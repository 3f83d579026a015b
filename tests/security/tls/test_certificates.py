"""What is read of certificates and keys, and the sentences for what cannot be."""

import datetime
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security.binding import CertificateFacts
from isocenter.security.certificates import (
    CertificateProblem,
    facts_of,
    read_certificates,
    read_key,
    read_pair,
    require_valid,
)
from isocenter.security.host_names import names_host
from isocenter.security.tls_files import TLSFiles, endings, expiring
from tests.support.tls import Certificates, Pair, openssl, write_key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(certificates: Certificates) -> Pair:
    return certificates.issue("PACS", names=("pacs.example", "192.0.2.1", "2001:db8::1"))


def test_the_facts_are_those_of_the_certificate(pair: Pair):
    assert facts_of(pair.der) == CertificateFacts(
        "CN=PACS", "PACS", ("pacs.example",), pair.sha256, ("192.0.2.1", "2001:db8::1")
    )
    said = openssl("x509", "-in", pair.certificate, "-noout", "-fingerprint", "-sha256").stdout
    assert said.partition("=")[2].strip().replace(":", "").lower() == pair.sha256


def test_a_certificate_without_names_has_none(certificates: Certificates):
    assert facts_of(certificates.issue("X", names=()).der).dns_names == ()


@given(data=st.data())
def test_a_malformed_certificate_is_refused_and_never_fails_otherwise(
    data: st.DataObject, pair: Pair
):
    der = bytearray(pair.der)
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(der[: data.draw(st.integers(0, len(der)))])
    with suppress(CertificateProblem):
        assert isinstance(facts_of(cut), CertificateFacts)


@pytest.mark.parametrize(
    ("host", "fits"),
    [
        ("pacs.example", True),
        ("PACS.Example.", True),
        ("a.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8:0::1", True),
        ("2001:db8::1%eth0", True),
        ("bücher.example", True),
        ("common", False),
        ("", False),
    ],
)
def test_a_host_is_known_by_alternative_names_only(host: str, fits: bool):
    known = CertificateFacts(
        "CN=common",
        "common",
        ("pacs.example", "*.wild.example", "*.example.", "xn--bcher-kva.example", "*"),
        "0" * 64,
        ("192.0.2.1", "2001:db8::1"),
    )
    only = CertificateFacts(known.subject, "common", known.dns_names[:2] + known.dns_names[3:], "")
    assert names_host(known if ":" in host or host[:1].isdigit() else only, host) is fits


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_name_makes_the_comparison_fail(host: str, name: str):
    assert names_host(CertificateFacts("", "", (name,), ""), host) in (True, False)


def test_a_key_that_others_can_read_is_refused(certificates: Certificates, tmp_path: Path):
    key = tmp_path / "open.key"
    key.write_bytes(certificates.issue("X").key.read_bytes())
    for mode in (0o640, 0o604, 0o620, 0o602):
        key.chmod(mode)
        with pytest.raises(CertificateProblem, match=f"chmod 600 {key}"):
            read_key(key)
    key.chmod(0o400)
    read_key(key)


def test_a_key_of_another_certificate_is_refused(certificates: Certificates, pair: Pair):
    other = certificates.issue("OTHER")
    with pytest.raises(CertificateProblem, match="does not belong to the certificate"):
        read_pair(pair.certificate, other.key)


def test_a_chain_in_the_wrong_order_is_named(
    certificates: Certificates, pair: Pair, tmp_path: Path
):
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(certificates.ca.read_bytes() + pair.certificate.read_bytes())
    with pytest.raises(CertificateProblem, match="put that one first"):
        read_pair(wrong, pair.key)


def test_files_that_are_not_there_or_something_else_are_named(pair: Pair, tmp_path: Path):
    with pytest.raises(CertificateProblem, match="No such file"):
        read_certificates(tmp_path / "none.pem")
    with pytest.raises(CertificateProblem, match="No such file"):
        read_key(tmp_path / "none.key")
    with pytest.raises(CertificateProblem, match="holds no certificate"):
        read_certificates(pair.key)
    mistaken = tmp_path / "mistaken.key"
    mistaken.touch(mode=0o600)
    mistaken.write_bytes(pair.certificate.read_bytes())
    with pytest.raises(CertificateProblem, match="cannot be read: it must be PEM"):
        read_key(mistaken)


def test_a_file_without_end_is_not_read_to_its_end():
    with pytest.raises(CertificateProblem, match="too large for a certificate"):
        read_certificates(Path("/dev/zero"))


def test_a_der_certificate_is_read(pair: Pair, tmp_path: Path):
    der = tmp_path / "pacs.cer"
    der.write_bytes(pair.der)
    assert read_certificates(der) == [pair.parsed]


def test_a_passphrase_that_is_not_needed_does_no_harm(pair: Pair):
    read_key(pair.key, b"whatever")


def test_a_locked_key_opens_with_its_passphrase_only(pair: Pair, tmp_path: Path):
    locked = tmp_path / "locked.key"
    write_key(locked, read_key(pair.key), b"secret")  # type: ignore[arg-type]
    read_key(locked, b"secret")
    with pytest.raises(CertificateProblem, match="is encrypted"):
        read_key(locked)
    with pytest.raises(CertificateProblem, match="the passphrase is wrong"):
        read_key(locked, b"Secret")


def test_a_certificate_out_of_its_time_is_named(certificates: Certificates):
    late, early = certificates.issue("X", ends_in=-2), certificates.issue("X", starts_in=2)
    with pytest.raises(CertificateProblem, match="expired on"):
        require_valid(late.parsed, late.certificate)
    with pytest.raises(CertificateProblem, match=r"is not valid before .* check this machine"):
        require_valid(early.parsed, early.certificate)


def test_what_ends_soon_is_listed_and_the_next_comes_first(certificates: Certificates):
    own = certificates.issue("PACS", ends_in=10)
    revoked = certificates.revoke(next_update_in=5)
    files = TLSFiles(own.certificate, own.key, (certificates.ca,), (revoked,))
    assert [(one.kind, one.path) for one in endings(files)] == [
        ("revocation list", revoked),
        ("certificate", own.certificate),
        ("CA", certificates.ca),
    ]
    assert [one.kind for one in expiring(files, 7)] == ["revocation list"]
    assert [one.kind for one in expiring(files, 30)] == ["revocation list", "certificate"]
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=11)
    assert [round(one.days_left(later)) for one in expiring(files, 0, later)] == [-6, -1]
