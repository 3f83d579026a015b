"""Names of hosts in certificates, and whether they are those of the host that was called.

After RFC 9525, which RFC 9325 asks for.

Only alternative names count: a common name is a text for people, and here an AE title. A wildcard
stands for one whole label, the leftmost.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

from isocenter.security.binding import CertificateFacts

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_NAME = 253  # RFC 1035 2.3.4, as text


def names_host(certificate: CertificateFacts, host: str) -> bool:
    """Whether one of its alternative names is `host`, a name or an IP address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        wanted = _labels(host)
        return any(_fits(_labels(name), wanted) for name in certificate.dns_names)
    return str(address) in certificate.addresses


def is_address(text: str) -> bool:
    """Whether `text` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def dns_name(text: str) -> str | None:
    """`text` as a certificate names a host by it, in ASCII; None if it cannot be one."""
    labels = _labels(text)
    rest = labels[1:] if labels[0] == "*" and len(labels) > 2 else labels
    name = ".".join(labels)
    is_name = len(name) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in rest)
    return name if is_name else None


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
