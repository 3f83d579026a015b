"""Sentences for what goes wrong in TLS between a requestor and its peer: what happened, what to do.

Text only, for both drivers. What OpenSSL found out stands in the error as `reason` and, for the
peer's certificate, `verify_code`; what the peer found out about us comes as an alert (RFC 8446 6).
"""

from __future__ import annotations

_NO_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "HTTP_REQUEST",
        "UNEXPECTED_MESSAGE",
    }
)

# X509_V_ERR_* of OpenSSL's x509_vfy.h.
_VERIFICATION = {
    9: "is not valid yet: check the clocks of both machines",
    10: "has expired: it must be renewed at the peer",
    18: "is self-signed and not known here: trust it with isocenter tls trust, or +cf FILE",
    19: "comes from a CA that is not trusted here: isocenter tls trust, or +cf FILE, adds it",
    20: "comes from a CA that is not trusted here: isocenter tls trust, or +cf FILE, adds it",
    21: "comes from a CA that is not trusted here, or the peer does not send the CAs in between: "
    "isocenter tls trust, or +cf FILE, adds them",
    23: "was revoked by its issuer",
    26: "may not be used by a server (extended key usage): it must be issued anew",
    79: "was signed by a certificate that is no CA: it must be issued anew",
    66: "has too weak a key: 2048 bits of RSA or 256 of an elliptic curve are needed",
    67: "comes from a CA with too weak a key: 2048 bits of RSA or 256 of an elliptic curve are "
    "needed",
    68: "is signed with a hash that is too weak: SHA-256 is needed",
}

_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it demands a certificate of ours: give one with "
    "+tls KEY CERTIFICATE, or make this node's with isocenter tls init",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not accept our certificate: its log says why",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it does not accept this kind of certificate of ours",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it says that our certificate was revoked",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that our certificate has expired: renew it",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not accept our certificate: its log says why",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the CA of our certificate: add the CA there",
    "TLSV1_ALERT_ACCESS_DENIED": "it does not let our certificate in",
    "TLSV1_ALERT_DECRYPT_ERROR": "it could not verify our signature: do key and certificate "
    "belong together?",
    "TLSV1_UNRECOGNIZED_NAME": "it does not know itself by the host name called",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it shares no cipher suite with us, or demands a certificate "
    "of ours: give one with +tls KEY CERTIFICATE",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "it shares no cipher suite with us",
}

_VERSIONS = frozenset(
    {"TLSV1_ALERT_PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE"}
)
_BROKEN = ("UNEXPECTED_EOF_WHILE_READING", "EOF")
_NAME_MISMATCHES = (62, 63, 64)


def tls_failure(peer: str, error: OSError) -> str:
    """Why TLS with `peer` came to nothing, and what to do, in one sentence."""
    reason = getattr(error, "reason", None) or ""
    if reason in _NO_TLS:
        return f"{peer} does not speak TLS on this port: connect without TLS or use its TLS port."
    if reason == "CERTIFICATE_VERIFY_FAILED":
        return f"The certificate of {peer} {_verification(error)}."
    if reason in _VERSIONS:
        return (
            f"{peer} shares no version of TLS with us: it needs TLS 1.2 or 1.3 (older ones are "
            "forbidden by RFC 8996)."
        )
    if reason in _ALERTS:
        return f"{peer} refused the TLS handshake: {_ALERTS[reason]}."
    if not reason or reason.startswith(_BROKEN):
        return (
            f"{peer} closed the connection during the TLS handshake: its port may be one without "
            "TLS, or it refuses our host or certificate, which its log says."
        )
    words = reason.replace("_", " ").lower()
    return (
        f"The TLS handshake with {peer} failed ({words}): it may expect a client certificate, "
        "other TLS versions, or no TLS at all."
    )


def is_tls_error(error: OSError | None) -> bool:
    """Whether TLS itself reports the error, rather than the connection under it."""
    return bool(getattr(error, "reason", None))


def _verification(error: OSError) -> str:
    code = getattr(error, "verify_code", 0)
    if code in _NAME_MISMATCHES:
        return "is not for the host that was called: check the name, or call it by another"
    words = getattr(error, "verify_message", "") or "not trusted"
    return _VERIFICATION.get(code, f"was not accepted ({words}): check the CA and the name")
