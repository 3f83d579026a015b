"""Recognizes who is really on the line when the first bytes are not DICOM.

A TLS client on the plain port, an HTTP health check, a peer that answers in TLS: the commonest
configuration errors there are, so they deserve a sentence of their own in the log.
"""

from __future__ import annotations

_HTTP_METHODS = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"DELE", b"CONN", b"PATC", b"TRAC")
_TLS_HANDSHAKE, _TLS_ALERT = 0x16, 0x15


def describe_unknown_pdu(header: bytes) -> str:
    """One clause on what a PDU header of unknown type looks like; `header` has 6 bytes or more."""
    if header[0] == _TLS_HANDSHAKE and header[1] == 3:
        return (
            "the peer sent a TLS ClientHello to a port without TLS: "
            "switch TLS off at the peer or send to the TLS port"
        )
    if header[0] == _TLS_ALERT and header[1] == 3:
        return "the peer answered with a TLS alert: its port expects TLS, connect with TLS"
    return describe_stranger(header) or (
        f"PDU type {header[0]:02X}H is unknown: the peer does not speak the DICOM upper layer"
    )


def describe_stranger(header: bytes) -> str | None:
    """One clause on who speaks another protocol altogether; None where that is not known."""
    if header.startswith(_HTTP_METHODS) or header.startswith(b"PRI * "):
        return (
            "the peer sent an HTTP request to a DICOM port: "
            "a web client or a health check is set to the wrong port"
        )
    if header.startswith(b"HTTP/"):
        return "the peer answered in HTTP: this is a web server's port, not a DICOM port"
    if header.startswith(b"SSH-"):
        return "the peer answered in SSH: this is not a DICOM port"
    return None
