"""TLS handshakes that came to nothing, as the acceptor sees them: who was there, and what to do.

What a requestor is told is in `upperlayer.blocking`.
"""

from __future__ import annotations

import ssl

from isocenter.upperlayer.diagnosis import describe_stranger

HANDSHAKE = 0x16
"""The content type of TLS records that shake hands (RFC 8446 5.1)."""
_ASSOCIATE_RQ = b"\x01\x00"

_BY_REASON = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the peer showed no certificate, which this listener "
    "requires: give it one, `isocenter tls issue` makes it",
    "NO_SHARED_CIPHER": "the peer offered no cipher suite of PS3.15 B.12: update it",
    "UNSUPPORTED_PROTOCOL": "the peer speaks no TLS later than 1.1, which RFC 8996 forbids: "
    "update it",
    "VERSION_TOO_LOW": "the peer speaks no TLS later than 1.1, which RFC 8996 forbids: update it",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "the peer knows none of the signature algorithms of this "
    "node's certificate: update it, or install another certificate",
    "HTTP_REQUEST": "the peer sent a plain HTTP request: a web client or a health check is set to "
    "the wrong port",
    "TLSV1_ALERT_UNKNOWN_CA": "the peer does not trust this node's certificate: give it this "
    "node's CA, ca.pem of the TLS folder",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the peer does not accept this node's certificate: its log "
    "says why",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the peer does not accept this node's certificate: its log "
    "says why, often it lacks the CA",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "this node's certificate has expired, says the peer: "
    "`isocenter tls show`",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the peer gave up: it found no version, suite or certificate "
    "that it accepts",
}


def describe_failed_handshake(error: OSError) -> str:
    """Why a handshake failed, in a clause without anything that the peer chose freely."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the peer's certificate was not accepted ({error.verify_message}): "
            "look at it with the peer's administrator, `isocenter tls show` lists whom this node "
            "trusts"
        )
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        words = reason.replace("_", " ").lower() or "the peer broke the protocol"
        return _BY_REASON.get(reason, f"{words}: the peer's log may say more")
    return "the peer closed the connection before it was finished: it may not trust this node"


def describe_no_handshake(first: bytes) -> str | None:
    """Who is there instead of a TLS client, by the first bytes; None if it may be one."""
    if first[0] == HANDSHAKE:
        return None
    if first[:2] == _ASSOCIATE_RQ:
        return (
            "the peer sent a plain association request to a TLS port: "
            "switch TLS on at the peer or send to a port without TLS"
        )
    return describe_stranger(first) or "the peer speaks neither TLS nor DICOM"
