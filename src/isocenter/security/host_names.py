"""Whether a certificate names the host that was called (RFC 9525, which RFC 9325 asks for).

Only alternative names count: a common name is a text for people, and here an AE title. A wildcard
stands for one whole label, the leftmost.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress

from isocenter.security.binding import CertificateFacts


def names_host(certificate: CertificateFacts, host: str) -> bool:
    """Whether one of its alternative names is `host`, a name or an IP address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        wanted = _labels(host)
        return any(_fits(_labels(name), wanted) for name in certificate.dns_names)
    return str(address) in certificate.addresses


def _fits(presented: list[str], wanted: list[str]) -> bool:
    if presented[0] == "*" and len(presented) > 2:
        return len(presented) == len(wanted) and presented[1:] == wanted[1:]
    return presented == wanted


def _labels(name: str) -> list[str]:
    """The labels of a name as DNS compares them: ASCII, regardless of case."""
    name = name.removesuffix(".").lower()
    with suppress(UnicodeError):  # then it equals nothing
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    return name.split(".")
