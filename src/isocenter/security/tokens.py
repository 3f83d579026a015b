"""JSON Web Tokens (RFC 7519) of one issuer: whose they are, if they are good.

Everything that an attacker could choose is pinned: key, algorithm, issuer and audience come from
the configuration, and no header of a token is heeded beyond naming the very same algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.errors import IsocenterError
from isocenter.security.access import ALL_STUDIES, Scope, is_label
from isocenter.security.users import as_scope, is_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

LONGEST_TOKEN = 16 * 1024
"""Bytes of a token; what is longer is not looked at."""

LABELS_CLAIM = "isocenter_labels"
"""A claim of ours: the list of labels of the studies that the user may see."""

LEEWAY_SECONDS = 60
"""How far the issuer's clock may be off."""

_MOST_LABELS = 64
_LONGEST_KEY_FILE = 64 * 1024
_SHORTEST_RSA_KEY = 2048
_CURVES = {"ES256": "secp256r1", "ES384": "secp384r1"}


class UnusableTokenKey(IsocenterError):
    """The key that tokens are verified with is missing or not one for its algorithm."""


class BadToken(IsocenterError):
    """A token proves nothing; the text says why without quoting it."""


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What tokens are accepted: those of `issuer` for `audience`, signed with `algorithm`."""

    key: PublicKeyTypes = field(repr=False)
    algorithm: str
    issuer: str
    audience: str


@dataclass(frozen=True, slots=True)
class TokenUser:
    """Whom a token speaks for, and what studies it lets them see."""

    name: str
    scope: Scope


def verified_token(token: bytes, rules: TokenRules) -> TokenUser:
    """The user of a token (PS3.7 D.3.3.7.1, type 5). Raises BadToken."""
    import jwt

    if len(token) > LONGEST_TOKEN:
        raise BadToken("The token is too long.")
    try:
        header = jwt.get_unverified_header(token)
        # RFC 7515 4.1.11: who does not know what is critical must not go on.
        if header.get("alg") != rules.algorithm or "crit" in header or "b64" in header:
            raise BadToken("The token is not signed in the way that is agreed.")
        claims = jwt.decode(
            token,
            rules.key,  # type: ignore[arg-type]  # of the algorithm's kind, by `load_token_key`
            algorithms=[rules.algorithm],
            issuer=rules.issuer,
            audience=rules.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.ExpiredSignatureError:
        raise BadToken("The token has expired.") from None
    except jwt.ImmatureSignatureError:
        raise BadToken("The token is not valid yet.") from None
    except jwt.InvalidIssuerError:
        raise BadToken("The token is of another issuer.") from None
    except jwt.InvalidAudienceError:
        raise BadToken("The token is for another audience.") from None
    except jwt.MissingRequiredClaimError:
        raise BadToken("The token lacks a claim: exp, iss, aud and sub are required.") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        # No cause is kept: it may quote the token.
        raise BadToken("The token is malformed, or its signature is not the issuer's.") from None
    return TokenUser(_name(claims), _scope(claims))


def _name(claims: dict[str, Any]) -> str:
    name = claims["sub"]
    if not (isinstance(name, str) and is_name(name)):
        raise BadToken("The subject of the token cannot be the name of a user.")
    return name


def _scope(claims: dict[str, Any]) -> Scope:
    if LABELS_CLAIM not in claims:
        return ALL_STUDIES
    labels = claims[LABELS_CLAIM]
    if not (
        isinstance(labels, list)
        and len(labels) <= _MOST_LABELS
        and all(isinstance(label, str) and is_label(label) for label in labels)
    ):
        raise BadToken(f"The claim {LABELS_CLAIM} of the token is no list of labels.")
    return as_scope(labels)


def load_token_key(path: Path, algorithm: str) -> PublicKeyTypes:
    """The public key of the issuer, from PEM: a key, or a certificate with one.

    Raises UnusableTokenKey: it cannot be read, is a private one, or is not for `algorithm`.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    try:
        with path.open("rb") as stream:
            pem = stream.read(_LONGEST_KEY_FILE)
    except OSError as error:
        raise UnusableTokenKey(
            f"The key of tokens, {path}, cannot be read: {error.strerror}."
        ) from error
    if b"PRIVATE KEY" in pem:
        raise UnusableTokenKey(
            f"{path} holds a private key; tokens are verified with the issuer's public key."
        )
    try:
        if b"BEGIN CERTIFICATE" in pem:
            key: PublicKeyTypes = load_pem_x509_certificate(pem).public_key()
        else:
            key = load_pem_public_key(pem)
    except Exception as error:  # what the library raises for bad input is not one family
        raise UnusableTokenKey(f"{path} holds no public key in PEM.") from error
    if not _is_for(key, algorithm):
        raise UnusableTokenKey(
            f"The key in {path} is not one for {algorithm}; RSA keys have at least "
            f"{_SHORTEST_RSA_KEY} bits."
        )
    return key


def _is_for(key: PublicKeyTypes, algorithm: str) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if algorithm in _CURVES:
        return isinstance(key, EllipticCurvePublicKey) and key.curve.name == _CURVES[algorithm]
    if algorithm == "EdDSA":
        return isinstance(key, (Ed25519PublicKey, Ed448PublicKey))
    return isinstance(key, RSAPublicKey) and key.key_size >= _SHORTEST_RSA_KEY
