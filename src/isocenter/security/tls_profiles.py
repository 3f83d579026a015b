"""What is offered and taken in a TLS handshake: PS3.15 B.12, and what B.13 lists.

B.12 is BCP 195: TLS 1.2 and 1.3 (RFC 8996 forbids what is older), and of TLS 1.2 the suites of RFC
9325 4.2 with an ephemeral elliptic-curve exchange and an AEAD cipher. Suites are allowed by name;
whatever a later OpenSSL may add is not offered before it stands here.
"""

from __future__ import annotations

import ssl
from typing import Literal

Profile = Literal["bcp195", "hardened"]

BCP195 = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
)
"""Suites of TLS 1.2, the best first. Those of TLS 1.3 are OpenSSL's, which are all good."""

HARDENED = (
    *BCP195,
    "ECDHE-ECDSA-AES256-CCM",
    "ECDHE-ECDSA-AES256-CCM8",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-AES128-CCM8",
)
"""B.13's list, but for the Camellia suites, which OpenSSL does not have."""

_SUITES: dict[Profile, tuple[str, ...]] = {"bcp195": BCP195, "hardened": HARDENED}

# OpenSSL's level 2: keys of 112 bits' strength at least (RSA 2048, elliptic curves 224), and no
# signature over SHA-1 in a chain (PS3.15 B.13; RFC 9325 4.5).
_SECURITY_LEVEL = "@SECLEVEL=2"


def apply_profile(context: ssl.SSLContext, profile: Profile) -> None:
    """Restrict a context to a profile."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED
    context.set_ciphers(":".join((*_SUITES[profile], _SECURITY_LEVEL)))
    context.options |= (
        ssl.OP_NO_COMPRESSION  # RFC 9325 3.3
        | ssl.OP_NO_RENEGOTIATION  # RFC 9325 3.5
        # RFC 9325 3.4 wants ticket keys changed; DICOM's few, long connections need no tickets.
        | ssl.OP_NO_TICKET
        | ssl.OP_CIPHER_SERVER_PREFERENCE
        | ssl.OP_SINGLE_ECDH_USE
    )


def offered_suites(context: ssl.SSLContext) -> list[str]:
    """The names of the suites that a context offers or takes, the best first."""
    return [suite["name"] for suite in context.get_ciphers()]
