"""The files behind TLS, and when what is in them ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from isocenter.security.tls_profiles import Profile

Kind = Literal["certificate", "CA", "revocation list"]


@dataclass(frozen=True, slots=True)
class TLSFiles:
    """Where keys, certificates and lists are; None where there are none.

    `trusted` and `revoked` may be several files each.
    """

    certificate: Path | None = None
    key: Path | None = None
    trusted: tuple[Path, ...] = ()
    revoked: tuple[Path, ...] = ()
    profile: Profile = "bcp195"

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file whose change matters."""
        own = [path for path in (self.certificate, self.key) if path is not None]
        return (*own, *self.trusted, *self.revoked)


class Ending(NamedTuple):
    """When a certificate expires, or a revocation list is overdue."""

    path: Path
    kind: Kind
    subject: str
    at: datetime

    def days_left(self, now: datetime | None = None) -> float:
        """Days until then; negative once it is past."""
        return (self.at - (now or datetime.now(UTC))).total_seconds() / 86400


def endings(files: TLSFiles) -> list[Ending]:
    """The ends of everything in the files, the next first. Raises CertificateProblem."""
    from isocenter.security.certificates import read_certificates
    from isocenter.security.revocation import read_revocations

    found: list[Ending] = []
    places: list[tuple[Kind, Path]] = [("CA", path) for path in files.trusted]
    if files.certificate is not None:
        places.append(("certificate", files.certificate))
    for kind, path in places:
        found += [
            Ending(path, kind, one.subject.rfc4514_string(), one.not_valid_after_utc)
            for one in read_certificates(path)
        ]
    for path in files.revoked:
        found += [
            Ending(path, "revocation list", one.issuer.rfc4514_string(), one.next_update_utc)
            for one in read_revocations(path)
            if one.next_update_utc is not None
        ]
    return sorted(found, key=lambda ending: ending.at)


def expiring(files: TLSFiles, days: float, now: datetime | None = None) -> list[Ending]:
    """What ends within so many days, or has ended. Raises CertificateProblem."""
    return [ending for ending in endings(files) if ending.days_left(now) <= days]
