"""Tokens as an issuer makes them, and as it never would."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from isocenter.security.tokens import TokenRules

ISSUER, AUDIENCE = "https://login.example", "ISOCENTER"

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"RS256": RSA_KEY, "PS384": RSA_KEY, "ES256": EC_KEY, "EdDSA": ED_KEY}

RULES = TokenRules(EC_KEY.public_key(), "ES256", ISSUER, AUDIENCE)


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims, with these instead; None leaves one out."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jo", "exp": int(time.time()) + 3600}
    return {name: value for name, value in (good | changed).items() if value is not None}


def token(algorithm: str = "ES256", key: Any = None, headers: Any = None, **changed: Any) -> bytes:
    """A signed token."""
    signing = KEYS[algorithm] if key is None else key
    return jwt.encode(claims(**changed), signing, algorithm, headers=headers).encode()


def by_hand(header: Any, payload: Any, signature: bytes = b"") -> bytes:
    """A token of anything."""
    parts = [json.dumps(part).encode() for part in (header, payload)]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in (*parts, signature))


def public_pem(key: Any) -> bytes:
    """The public half of a key."""
    pem: bytes = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem
