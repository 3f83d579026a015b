"""The TLS of a listener, and of the calls that we make: contexts that follow their files.

A certificate is renewed, a CA trusted or a peer revoked while the node runs. So whoever needs a
context asks for the current one; the files are looked at once a second at most, and read again
when one of them has changed. A change that cannot be used leaves what was before, and one line in
the log.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from isocenter.errors import IsocenterError
from isocenter.security.binding import CertificateFacts, belongs_to
from isocenter.security.certificates import CertificateProblem, facts
from isocenter.security.host_names import names_host
from isocenter.security.revocation import Revocations, read_revocations
from isocenter.security.tls_contexts import ClientCertificates, client_context, server_context
from isocenter.security.tls_files import TLSFiles

LOOK_EVERY = 1.0
"""Seconds between two looks at the files."""

_LONGEST_NAME = 64

TLSConnection = ssl.SSLObject | ssl.SSLSocket

log = structlog.get_logger(__name__)


class PeerRefused(IsocenterError):
    """A peer's certificate comes from a trusted CA and is refused all the same; says why."""


class Expected(NamedTuple):
    """Whom we call, and which certificates may stand for it (`binding.belongs_to`).

    An empty AE title is that of a peer of which only the host is known.
    """

    host: str
    ae_title: str
    bindings: Collection[str] = ()


class _Loaded(NamedTuple):
    context: ssl.SSLContext
    revocations: Revocations


class _FollowsFiles:
    """What was made from the files as they are now."""

    def __init__(
        self,
        files: TLSFiles,
        make_context: Callable[[], ssl.SSLContext],
        clock: Callable[[], float],
    ) -> None:
        self.files = files
        self._make_context = make_context
        self._clock = clock
        self._looked_at = clock()
        self._edition = self._look()
        self._loaded = self._load()

    def current(self) -> ssl.SSLContext:
        """The context for the next connection."""
        now = self._clock()
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self._follow()
        return self._loaded.context

    def _follow(self) -> None:
        edition = self._look()
        if edition == self._edition:
            return
        self._edition = edition
        try:
            self._loaded = self._load()
        except CertificateProblem as error:
            log.warning(
                "certificates changed and cannot be used; those from before stay", why=str(error)
            )
        else:
            log.info("read the certificates anew")

    def _load(self) -> _Loaded:
        lists = [one for path in self.files.revoked for one in read_revocations(path)]
        return _Loaded(self._make_context(), Revocations(lists))

    def _look(self) -> tuple[tuple[int, ...] | None, ...]:
        """What tells one content of the files from another without reading them."""
        editions: list[tuple[int, ...] | None] = []
        for path in self.files.all:
            try:
                facts = path.stat()
            except OSError:
                editions.append(None)
            else:
                # The mode, too: a key that others can read is refused until it is mended.
                editions.append((facts.st_mtime_ns, facts.st_size, facts.st_ino, facts.st_mode))
        return tuple(editions)

    def _refuse_revoked(self, chain: Sequence[x509.Certificate]) -> None:
        if (revoked := self._loaded.revocations.revoked_in(chain)) is None:
            return
        which = "certificate" if revoked is chain[0] else "certificate's CA"
        raise PeerRefused(f"the peer's {which} was revoked by its issuer")


class ServerTLS(_FollowsFiles):
    """The TLS of one listener. Raises CertificateProblem where the files cannot be used."""

    def __init__(
        self,
        files: TLSFiles,
        client_certificates: ClientCertificates = "required",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(files, lambda: server_context(files, client_certificates), clock)

    def examine(self, connection: TLSConnection) -> None:
        """After the handshake: raises PeerRefused for a certificate that was revoked, or malformed.

        Whether the peer must show one the handshake has decided, and for which AE title it is good
        its association request will (`binding.belongs_to`).
        """
        if chain := _chain_of(connection):
            self._refuse_revoked(chain)
            _facts_of(chain[0])


class ClientTLS(_FollowsFiles):
    """The TLS of connections that we make; without `verify` anybody may answer.

    Raises CertificateProblem where the files cannot be used.
    """

    def __init__(
        self,
        files: TLSFiles,
        *,
        verify: bool = True,
        passphrase: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verify = verify
        super().__init__(
            files, lambda: client_context(files, verify=verify, passphrase=passphrase), clock
        )

    def examine(self, connection: TLSConnection, expected: Expected) -> None:
        """After the handshake, and before anything is said: raises PeerRefused for a stranger.

        Without bindings the certificate must name the host that was called or the AE title.
        """
        if not self._verify:
            return
        chain = _chain_of(connection)
        if not chain:
            raise PeerRefused("the peer showed no certificate")
        self._refuse_revoked(chain)
        shown = _facts_of(chain[0])
        if not expected.bindings and names_host(shown, expected.host):
            return
        known = bool(expected.bindings or expected.ae_title)
        if not known or not belongs_to(shown, expected.ae_title, expected.bindings):
            raise PeerRefused(_stranger(shown, expected))


def _chain_of(connection: TLSConnection) -> list[x509.Certificate]:
    """The peer's certificate and the CAs that it was verified with; the root is the last.

    Empty where it showed none. Before Python 3.13 only the C object behind the connection knows
    the chain; where that is not there either, the certificate alone is judged.
    """
    leaf = connection.getpeercert(binary_form=True)
    if leaf is None:
        return []
    holder = connection if hasattr(connection, "get_verified_chain") else None
    holder = holder or getattr(connection, "_sslobj", None)
    verified = getattr(holder, "get_verified_chain", lambda: None)() or [leaf]
    try:
        return [x509.load_der_x509_certificate(_der(one)) for one in verified]
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerRefused("the peer's certificate is malformed") from error


def _der(certificate: object) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    encoded = certificate.public_bytes(2)  # type: ignore[attr-defined]  # _ssl.ENCODING_DER
    return bytes(encoded)


def _facts_of(certificate: x509.Certificate) -> CertificateFacts:
    try:
        return facts(certificate)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerRefused("the peer's certificate is malformed") from error


def _stranger(shown: CertificateFacts, expected: Expected) -> str:
    names = (shown.common_name, *shown.dns_names[:2], *shown.addresses[:1])
    said = ", ".join(name[:_LONGEST_NAME] for name in dict.fromkeys(names) if name) or "nobody"
    if expected.bindings:
        return (
            f"its certificate is for {said}, SHA-256 {shown.sha256}, which is none of "
            f"{', '.join(expected.bindings)}"
        )
    wanted = f"not the host {expected.host}"
    if expected.ae_title:
        wanted = f"neither the host {expected.host} nor the AE title {expected.ae_title}"
    return (
        f"its certificate is for {said}, which is {wanted}: call it by a name in it, or name the "
        "certificate in the peer's `certificates`"
    )
