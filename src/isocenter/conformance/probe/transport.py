"""Which versions of TLS and which cipher suites a peer takes: handshakes that offer only those.

A server chooses one of the suites it is offered, so the one that it chose is left out of the next
offer until nothing is left that it takes. Python cannot choose among the suites of TLS 1.3: of
that version only the one that a handshake came to is known.
"""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from isocenter.conformance.capabilities import Suite, TransportSecurity
from isocenter.conformance.probe.calling import Caller
from isocenter.conformance.probe.findings import Findings
from isocenter.services.verification_scu import VERIFICATION_CONTEXT

if TYPE_CHECKING:
    from isocenter.services.association import Destination

MOST_SUITES = 40
"""Handshakes that look for suites of TLS 1.2."""

_VERSIONS = (
    ("TLS 1.0", ssl.TLSVersion.TLSv1),
    ("TLS 1.1", ssl.TLSVersion.TLSv1_1),
    ("TLS 1.2", ssl.TLSVersion.TLSv1_2),
    ("TLS 1.3", ssl.TLSVersion.TLSv1_3),
)
_FORBIDDEN = ("TLS 1.0", "TLS 1.1")  # RFC 8996
_EVERY_SUITE = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"


def ask_transport(caller: Caller, findings: Findings) -> TransportSecurity | None:
    """What the peer's TLS is like; None where it is called in the clear. Raises TimeIsUp."""
    context = caller.destination.ssl_context
    if context is None:
        return None
    trials = _Trials(caller, findings)
    with _unlimited(context):
        versions = [name for name, version in _VERSIONS if trials.takes(context, name, version)]
        if "TLS 1.2" in versions:
            trials.eliminate(context)
        client_certificate = trials.client_certificate(versions)
    if old := [name for name in versions if name in _FORBIDDEN]:
        findings.warn(
            "tls-forbidden-version",
            f"The peer still takes {' and '.join(old)}, which RFC 8996 forbids.",
        )
    if weak := [suite.name for suite in trials.suites if not _is_strong(suite)]:
        findings.warn(
            "tls-weak-suites",
            "The peer takes suites without an ephemeral key exchange or an AEAD cipher "
            "(RFC 9325 4.1).",
            ", ".join(weak),
        )
    _ask_in_the_clear(caller, findings)
    return TransportSecurity(
        versions=tuple(versions),
        suites=tuple(trials.suites),
        suites_complete=trials.complete,
        client_certificate=client_certificate,
        certificate=trials.certificate,
    )


class _Trials:
    """Handshakes with one peer, each on a connection of its own."""

    def __init__(self, caller: Caller, findings: Findings) -> None:
        self._caller = caller
        self._findings = findings
        self.suites: list[Suite] = []
        self.certificate = ""
        self.complete = True

    def takes(self, context: ssl.SSLContext, name: str, version: ssl.TLSVersion) -> bool:
        """Whether a handshake of this version alone succeeds."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are asked about
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = version
            context.minimum_version = version
        context.set_ciphers(_EVERY_SUITE)
        suite = self._shake_hands(context, f"tls-{name[4:].replace('.', '-')}-refused", name)
        if suite is None:
            return False
        self.suites.append(Suite(version=name, name=suite))
        if name == "TLS 1.3":
            self.complete = False
        return True

    def eliminate(self, context: ssl.SSLContext) -> None:
        """Every suite of TLS 1.2, in the order in which the peer chooses them."""
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        known = [suite.name for suite in self.suites if suite.version == "TLS 1.2"]
        for _ in range(MOST_SUITES):
            left = ":".join(f"!{name}" for name in known)
            try:
                context.set_ciphers(f"{_EVERY_SUITE}:{left}")
            except ssl.SSLError:
                return  # nothing is left to offer
            suite = self._shake_hands(context)
            if suite is None or suite in known:
                return
            known.append(suite)
            self.suites.append(Suite(version="TLS 1.2", name=suite))
        self.complete = False

    def client_certificate(
        self, versions: list[str]
    ) -> Literal["required", "not required", "unknown"]:
        """Whether a handshake without a certificate of ours succeeds; TLS 1.2 tells at once."""
        if "TLS 1.2" not in versions:
            return "unknown"
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname = False
        bare.verify_mode = ssl.CERT_NONE
        bare.maximum_version = ssl.TLSVersion.TLSv1_2
        bare.set_ciphers(_EVERY_SUITE)
        return "required" if self._shake_hands(bare) is None else "not required"

    def _shake_hands(
        self, context: ssl.SSLContext, identifier: str = "", name: str = ""
    ) -> str | None:
        """The suite that a handshake comes to, None where there is none."""
        self._caller.pace()
        to = self._caller.destination
        timeout = min(to.connect_timeout, self._caller.left)
        try:
            with (
                socket.create_connection((to.host, to.port), timeout) as connection,
                context.wrap_socket(connection, server_hostname=to.host) as secured,
            ):
                if not self.certificate:
                    self.certificate = _describe(secured.getpeercert(binary_form=True))
                agreed = secured.cipher()
                return agreed[0] if agreed else None
        except (OSError, ValueError) as error:
            if identifier:
                words = getattr(error, "reason", None) or str(error) or "the connection ended"
                evidence = words.replace("_", " ").lower()
                self._findings.note(identifier, f"The peer takes no {name}.", evidence)
            return None


@contextmanager
def _unlimited(context: ssl.SSLContext) -> Iterator[None]:
    """Let a context be narrowed and widened, and leave it as it was; who answers is no matter."""
    before = context.minimum_version, context.maximum_version, context.verify_mode
    suites = ":".join(
        suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"
    )
    context.verify_mode = ssl.CERT_NONE
    try:
        yield
    finally:
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = before[1]
        context.minimum_version = before[0]
        context.verify_mode = before[2]
        context.set_ciphers(f"{suites}:@SECLEVEL=2")


def _is_strong(suite: Suite) -> bool:
    if suite.version == "TLS 1.3":
        return True
    if suite.version in _FORBIDDEN:
        return True  # said already, of the version
    aead = any(word in suite.name for word in ("GCM", "CCM", "CHACHA20"))
    return aead and suite.name.startswith(("ECDHE", "DHE"))


def _ask_in_the_clear(caller: Caller, findings: Findings) -> None:
    """A port with TLS must not take anything else."""
    secured = caller.destination
    plain: Destination = replace(secured, ssl_context=None, examine=None, user_identity=None)
    caller.destination = plain
    try:
        answer = caller.call([VERIFICATION_CONTEXT])
    finally:
        caller.destination = secured
    if answer.accepted:
        findings.warn("plain-on-tls-port", "The port takes associations without TLS, too.")


def _describe(certificate: bytes | None) -> str:
    """Subject, issuer, key and end of a certificate, in words."""
    if certificate is None:
        return ""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key = parsed.public_key()
        kind = type(key).__name__.removeprefix("_").replace("PublicKey", "")
        size = getattr(key, "key_size", None)
        return (
            f"{parsed.subject.rfc4514_string()[:300]}, issued by "
            f"{parsed.issuer.rfc4514_string()[:300]}, valid until "
            f"{parsed.not_valid_after_utc:%Y-%m-%d}, {kind}{f' {size} bits' if size else ''}"
        )
    except (ValueError, UnsupportedAlgorithm):
        return "a certificate that cannot be read"
