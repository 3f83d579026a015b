"""Revocation lists: each speaks for its own CA, and for no other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security.certificates import CertificateProblem
from isocenter.security.revocation import Revocations, read_revocations
from tests.support.tls import Certificates, openssl


def test_a_revoked_certificate_is_found_and_others_are_not(tmp_path: Path):
    ca = Certificates(tmp_path)
    bad, good = ca.issue("BAD"), ca.issue("GOOD")
    lists = Revocations(read_revocations(ca.revoke(bad)))
    assert lists.revoked_in([bad.parsed, ca.parsed]) == bad.parsed
    assert lists.revoked_in([good.parsed, ca.parsed]) is None


def test_a_ca_without_a_list_is_as_good_as_before(tmp_path: Path):
    ca, other = Certificates(tmp_path, "One"), Certificates(tmp_path, "Other")
    lists = Revocations(read_revocations(ca.revoke(ca.issue("BAD"))))
    theirs = other.issue("THEIRS")
    assert lists.revoked_in([theirs.parsed, other.parsed]) is None


def test_a_list_of_another_ca_of_the_same_name_does_not_count(tmp_path: Path):
    ca, impostor = Certificates(tmp_path, "Same"), Certificates(tmp_path, "Same")
    pair = ca.issue("GOOD")
    lists = Revocations(read_revocations(impostor.revoke(pair)))
    assert lists.revoked_in([pair.parsed, ca.parsed]) is None
    # Where nothing is known of the issuer, its name is all that there is: rather one too many.
    assert lists.revoked_in([pair.parsed]) == pair.parsed


def test_a_list_that_is_overdue_still_counts(tmp_path: Path):
    ca = Certificates(tmp_path)
    bad, good = ca.issue("BAD"), ca.issue("GOOD")
    lists = Revocations(read_revocations(ca.revoke(bad, next_update_in=-1)))
    assert lists.revoked_in([bad.parsed, ca.parsed]) == bad.parsed
    assert lists.revoked_in([good.parsed, ca.parsed]) is None


def test_several_lists_may_be_in_one_file_and_one_may_be_der(tmp_path: Path):
    one, two = Certificates(tmp_path, "One"), Certificates(tmp_path, "Two")
    lists = [ca.revoke(ca.issue("BAD")) for ca in (one, two)]
    both = tmp_path / "both.pem"
    both.write_bytes(b"a comment\n" + b"".join(path.read_bytes() for path in lists))
    assert [found.issuer for found in read_revocations(both)] == [
        one.parsed.subject,
        two.parsed.subject,
    ]
    der = tmp_path / "one.crl"
    assert openssl("crl", "-in", lists[0], "-outform", "DER", "-out", der).returncode == 0
    assert len(read_revocations(der)) == 1


@given(
    st.binary(max_size=200) | st.binary(max_size=100).map(lambda b: b"-----BEGIN X509 CRL-----" + b)
)
def test_whatever_is_no_list_is_named(tmp_path_factory: pytest.TempPathFactory, data: bytes):
    path = tmp_path_factory.mktemp("crl") / "file"
    path.write_bytes(data)
    with pytest.raises(CertificateProblem, match="holds no revocation list"):
        read_revocations(path)
