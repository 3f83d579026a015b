"""Which certificates belong to a peer: by fingerprint, by subject, by alternative name, or any.

Chain, validity and revocation are TLS's business and have been checked before. What is decided
here is whether a certificate that is good may stand for this AE title.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple

from isocenter.errors import IsocenterError

_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")
_KINDS = ("sha256", "CN", "DNS")


class BadBinding(IsocenterError, ValueError):
    """A text that binds no certificate to a peer."""


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What of a peer's certificate counts here; the texts as they stand in it."""

    subject: str
    common_name: str
    dns_names: tuple[str, ...]
    sha256: str
    """The fingerprint of the whole certificate, 64 lower-case hexadecimal digits."""
    addresses: tuple[str, ...] = ()
    """Its IP addresses, as Python writes them."""


class Binding(NamedTuple):
    """One way in which a certificate can be recognized."""

    kind: Literal["sha256", "CN", "DNS", "*"]
    value: str

    def __str__(self) -> str:
        return "*" if self.kind == "*" else f"{self.kind}:{self.value}"

    def fits(self, certificate: CertificateFacts) -> bool:
        """Whether it recognizes the certificate; names regardless of case."""
        if self.kind == "*":
            return True
        if self.kind == "sha256":
            return self.value == certificate.sha256
        wanted = self.value.lower()
        if self.kind == "CN":
            return wanted == certificate.common_name.lower()
        return wanted in (name.lower() for name in certificate.dns_names)


def parse_binding(text: str) -> Binding:
    """From `sha256:FINGERPRINT`, `CN:NAME`, `DNS:NAME` or `*`. Raises BadBinding."""
    text = text.strip()
    if text == "*":
        return Binding("*", "")
    kind, _, value = text.replace("=", ":", 1).partition(":")
    value = value.strip()
    for known in _KINDS:
        if kind.strip().lower() == known.lower() and value:
            if known == "sha256" and not _FINGERPRINT.fullmatch(value):
                raise BadBinding("a SHA-256 fingerprint has 64 hexadecimal digits")
            value = value.replace(":", "").lower() if known == "sha256" else value
            return Binding(known, value)  # type: ignore[arg-type]  # one of _KINDS
    raise BadBinding("a certificate is named as sha256:FINGERPRINT, CN:NAME, DNS:NAME or *")


def belongs_to(certificate: CertificateFacts, ae_title: str, bindings: Collection[str]) -> bool:
    """Whether a certificate may stand for an AE title.

    Without `bindings` its common name or one of its DNS names must be the AE title: that is what
    `isocenter tls issue` makes, and no peer can take the title of another.
    """
    if not bindings:
        ways = (Binding("CN", ae_title), Binding("DNS", ae_title))
        return any(way.fits(certificate) for way in ways)
    return any(parse_binding(binding).fits(certificate) for binding in bindings)
