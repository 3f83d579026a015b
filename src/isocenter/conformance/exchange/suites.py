"""Cipher suites by their registered names, which PS3.15 Annex H uses, and by OpenSSL's."""

from __future__ import annotations

import re

_OPENSSL = re.compile(r"(ECDHE|DHE)-(RSA|ECDSA)-(AES128|AES256|CHACHA20)-(.+)")
_REGISTERED = re.compile(r"TLS_(ECDHE|DHE)_(RSA|ECDSA)_WITH_(AES_128|AES_256|CHACHA20)_(.+)")


def registered_name(openssl: str) -> str:
    """ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"; what has no such form stays as it is."""
    found = _OPENSSL.fullmatch(openssl)
    if found is None:
        return openssl
    exchange, signature, cipher, mode = found.groups()
    cipher = cipher.replace("AES", "AES_")
    mode = {"POLY1305": "POLY1305_SHA256", "CCM8": "CCM_8"}.get(mode, mode.replace("-", "_"))
    return f"TLS_{exchange}_{signature}_WITH_{cipher}_{mode}"


def openssl_name(registered: str) -> str:
    """ "ECDHE-RSA-AES256-GCM-SHA384"; those of TLS 1.3, and unknown ones, stay as they are."""
    found = _REGISTERED.fullmatch(registered)
    if found is None:
        return registered
    exchange, signature, cipher, mode = found.groups()
    cipher = cipher.replace("AES_", "AES")
    mode = {"POLY1305_SHA256": "POLY1305", "CCM_8": "CCM8"}.get(mode, mode.replace("_", "-"))
    return f"{exchange}-{signature}-{cipher}-{mode}"


def version_of(registered: str) -> str:
    """The version of TLS that a suite belongs to: RFC 8446 names no key exchange in its own."""
    return "TLS 1.2" if "_WITH_" in registered or "-" in registered else "TLS 1.3"
