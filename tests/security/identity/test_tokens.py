"""JSON Web Tokens: only those of the issuer, for us, now, signed as agreed."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.security.tokens import (
    LONGEST_TOKEN,
    BadToken,
    TokenRules,
    UnusableTokenKey,
    load_token_key,
    verified_token,
)
from tests.security.identity.tokens import (
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    ISSUER,
    KEYS,
    RSA_KEY,
    RULES,
    by_hand,
    claims,
    public_pem,
    token,
)


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_good_token_names_its_user(algorithm: str) -> None:
    rules = TokenRules(KEYS[algorithm].public_key(), algorithm, ISSUER, AUDIENCE)
    user = verified_token(token(algorithm), rules)
    assert (user.name, user.scope) == ("jo", ALL_STUDIES)


@pytest.mark.parametrize("labels", [[], ["research"], ["a", "b.c-d_e"]])
def test_its_labels_are_what_the_user_may_see(labels: list[str]) -> None:
    user = verified_token(token(isocenter_labels=labels), RULES)
    assert user.scope == Scope(frozenset(labels))


def outcome(presented: bytes) -> str:
    """The user, or why there is none."""
    try:
        return verified_token(presented, RULES).name
    except BadToken as error:
        return str(error)


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"exp": 1}, "has expired"),
        ({"nbf": 2**40}, "not valid yet"),
        ({"iat": 2**40}, "not valid yet"),
        ({"iss": "https://other.example"}, "of another issuer"),
        ({"aud": "OTHER"}, "for another audience"),
        ({"aud": [AUDIENCE.lower()]}, "for another audience"),
        ({"exp": None}, "lacks a claim"),
        ({"iss": None}, "lacks a claim"),
        ({"aud": None}, "lacks a claim"),
        ({"sub": None}, "lacks a claim"),
        ({"sub": ""}, "subject"),
        ({"sub": "x" * 65}, "subject"),
        ({"sub": "a\nb"}, "subject"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": [1]}, "malformed"),
        ({"isocenter_labels": "research"}, "no list of labels"),
        ({"isocenter_labels": None, "other": 1}, ""),
        ({"isocenter_labels": ["two words"]}, "no list of labels"),
        ({"isocenter_labels": [1]}, "no list of labels"),
        ({"isocenter_labels": ["a"] * 65}, "no list of labels"),
    ],
)
def test_what_the_issuer_says_is_held_against_the_rules(changed: dict[str, Any], why: str) -> None:
    if not why:
        verified_token(token(**changed), RULES)
        return
    with pytest.raises(BadToken, match=why):
        verified_token(token(**changed), RULES)


def test_an_audience_among_several_will_do() -> None:
    assert verified_token(token(aud=["OTHER", AUDIENCE]), RULES).name == "jo"


def test_a_clock_may_be_off_by_a_little() -> None:
    assert verified_token(token(exp=now() - 10, nbf=now() + 10), RULES).name == "jo"


def test_alg_none_is_refused() -> None:
    for name in ("none", "None", "NONE", ""):
        for signature in (b"", b"x"):
            with pytest.raises(BadToken, match="not signed in the way that is agreed"):
                verified_token(by_hand({"alg": name, "typ": "JWT"}, claims(), signature), RULES)


@pytest.mark.parametrize("private", [EC_KEY, RSA_KEY, ED_KEY])
def test_the_public_key_is_no_shared_secret(private: Any) -> None:
    """RFC 8725 2.1: whoever knows the public key could make such a token."""
    head = by_hand({"alg": "HS256"}, claims()).rpartition(b".")[0]
    mac = hmac.new(public_pem(private), head, hashlib.sha256).digest()
    forged = head + b"." + urlsafe_b64encode(mac).rstrip(b"=")
    rules = TokenRules(private.public_key(), "ES256", ISSUER, AUDIENCE)
    with pytest.raises(BadToken, match="not signed in the way that is agreed"):
        verified_token(forged, rules)


def test_another_algorithm_or_key_is_refused() -> None:
    with pytest.raises(BadToken, match="not signed in the way"):
        verified_token(token("RS256"), RULES)
    stranger = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(BadToken, match="signature is not the issuer's"):
        verified_token(token(key=stranger), RULES)


@pytest.mark.parametrize(
    "headers",
    [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"b64": True, "crit": ["b64"]}],
)
def test_what_a_header_calls_critical_is_refused(headers: dict[str, Any]) -> None:
    head = {"alg": "ES256", **headers}
    with pytest.raises(BadToken):
        verified_token(by_hand(head, claims(), b"x" * 64), RULES)


def test_a_header_cannot_bring_its_own_key() -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    headers = {"jwk": {"kty": "EC"}, "jku": "https://evil.example/keys", "kid": "../../etc/passwd"}
    with pytest.raises(BadToken, match="signature is not the issuer's"):
        verified_token(token(key=stranger, headers=headers), RULES)


def test_a_token_that_is_too_long_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    long = token(filler="x" * LONGEST_TOKEN)
    monkeypatch.setattr("jwt.decode", None)
    with pytest.raises(BadToken, match="too long"):
        verified_token(long, RULES)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b".",
        b"..",
        b"a.b.c",
        b"\xff.\xff.\xff",
        by_hand({}, {}),
        by_hand([], []),
        by_hand({"alg": ["ES256"]}, {}),
        by_hand({"alg": "ES256", "kid": 1}, {}),
        urlsafe_b64encode(b"[" * 11_000) + b".e30.e30",
        urlsafe_b64encode(b'{"alg":' * 1_700) + b".e30.e30",
        urlsafe_b64encode(b'{"alg":"ES256","n":' + b"9" * 9000 + b"}") + b".e30.e30",
    ],
)
def test_junk_is_refused(junk: bytes) -> None:
    with pytest.raises(BadToken):
        verified_token(junk, RULES)


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 255))
def test_no_change_of_a_token_is_survived_or_breaks_anything(
    junk: bytes, position: int, byte: int
) -> None:
    good = token()
    spoilt = bytearray(good)
    spoilt[position % len(good)] ^= byte or 1
    for bad in (junk, bytes(spoilt), good + junk, junk + good):
        # base64 may say the same in two ways
        assert outcome(bad) == "jo" or outcome(bad).startswith("The token is ")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "isocenter_labels"]),
    json_values,
)
def test_whatever_the_issuer_signs_is_a_user_or_a_refusal(claim: str, value: Any) -> None:
    payload = json.dumps(claims() | {claim: value})
    signed = jwt.api_jws.encode(payload.encode(), EC_KEY, "ES256").encode()
    assert outcome(signed)
    assert "login.example" not in outcome(signed)


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_the_issuers_key_is_read_from_pem(tmp_path: Path, algorithm: str) -> None:
    path = tmp_path / "issuer.pem"
    path.write_bytes(public_pem(KEYS[algorithm]))
    load_token_key(path, algorithm)
    for other in {"RS256", "ES256", "ES384", "EdDSA"} - {
        algorithm,
        algorithm.replace("PS384", "RS256"),
    }:
        with pytest.raises(UnusableTokenKey, match=f"not one for {other}"):
            load_token_key(path, other)


def test_a_key_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "issuer.pem"
    with pytest.raises(UnusableTokenKey, match=r"cannot be read: No such file"):
        load_token_key(path, "RS256")
    for junk in (
        b"",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"\xff" * 99,
    ):
        path.write_bytes(junk)
        with pytest.raises(UnusableTokenKey, match="no public key in PEM"):
            load_token_key(path, "RS256")
    path.write_bytes(EC_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UnusableTokenKey, match="private key"):
        load_token_key(path, "ES256")
    path.write_bytes(public_pem(rsa.generate_private_key(65537, 1024)))
    with pytest.raises(UnusableTokenKey, match="at least 2048 bits"):
        load_token_key(path, "RS256")
