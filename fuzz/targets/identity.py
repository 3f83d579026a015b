"""User identities (PS3.7 D.3.3.7): passcodes, tokens, and claims that the issuer itself has signed.

Comparing a passcode takes 64 MiB and a twentieth of a second on purpose, so nobody is known here.
"""

import json
import time
from collections.abc import Iterator
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.api_jws import PyJWS

from fuzz.target import Target, Unacceptable
from isocenter.security.identity import IdentityDesk
from isocenter.security.identity_outcome import Verified
from isocenter.security.tokens import BadToken, TokenRules, verified_token
from isocenter.security.users import User
from isocenter.services.user_identity import acknowledge, identity_kind, user_name
from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType

_ISSUER, _AUDIENCE = "https://issuer.example", "ISOCENTER"
_EVER = 1 << 32  # a moment that no run will see
_SIGNED = 6
"""What stands for an identity type: a token of these claims, well signed."""


class _Nobody:
    """A directory without users."""

    def find(self, _name: str) -> tuple[User, str] | None:
        return None

    def any(self) -> bool:
        return False


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(4711, ec.SECP256R1())  # the same whenever a finding is looked at


@cache
def _rules() -> TokenRules:
    return TokenRules(_key().public_key(), "ES256", _ISSUER, _AUDIENCE)


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    kind = data[0] % (_SIGNED + 1)
    if kind == _SIGNED:
        _check_claims(data[2:])
        return
    cut = 2 + data[1]
    identity = UserIdentity(kind, data[2:cut] if kind != 5 else data[2:], data[cut:], True)
    desk = IdentityDesk(_Nobody(), _rules(), failures=3, lockout=60.0, clock=lambda: 0.0)
    outcome = desk.verify(identity, "192.0.2.1")
    if isinstance(outcome, Verified):
        assert kind == UserIdentityType.JWT
        return
    assert acknowledge(outcome) is None
    assert identity_kind(identity).isprintable()
    assert len(user_name(identity) or "") <= 64
    if not outcome.reason.isprintable() or not (outcome.user or "").isprintable():
        raise Unacceptable("a refusal holds control characters")


def _check_claims(claims: bytes) -> None:
    token = PyJWS().encode(claims, _key(), "ES256").encode()
    try:
        user = verified_token(token, _rules())
    except BadToken as error:
        if not str(error).isprintable() or len(str(error)) > 200:
            raise Unacceptable("the reason of a refusal is long, or quotes the token") from error
        return
    assert user.name.isprintable()
    assert len(user.name) <= 64
    assert acknowledge(Verified(user.name, user.scope)) == b""


def seeds() -> Iterator[bytes]:
    claims = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": "jane", "exp": _EVER}
    now = int(time.time())
    for more in (
        {},
        {"isocenter_labels": ["research", "cardiology"]},
        {"aud": [_AUDIENCE, "OTHER"], "nbf": now, "iat": now},
        {"isocenter_labels": "research"},
        {"sub": ["jane"], "exp": "never"},
    ):
        encoded = json.dumps(claims | more).encode()
        yield bytes((_SIGNED, 0)) + encoded
        yield b"\5\0" + PyJWS().encode(encoded, _key(), "ES256").encode()
    yield b"\5\0" + PyJWS().encode(b"{}", None, "none").encode()
    for kind in range(_SIGNED):
        yield bytes((kind, 4)) + b"janesecret passcode"


WORDS = (
    *(b'"iss"', b'"aud"', b'"sub"', b'"exp"', b'"nbf"', b'"iat"', b'"isocenter_labels"'),
    *(b'"alg"', b'"crit"', b'"b64"', b"none", b"HS256", b"null", b"1e999", b"\\u0000"),
    *(_ISSUER.encode(), _AUDIENCE.encode()),
)
TARGET = Target(
    "identities to the desk that verifies them, and signed claims", one_input, seeds, WORDS, 1024
)
