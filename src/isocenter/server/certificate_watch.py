"""Certificates that come to their end: told in the log while there is time to renew them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from isocenter.errors import IsocenterError
from isocenter.server.config import Config
from isocenter.server.metrics import Figure
from isocenter.server.tls import tls_files

if TYPE_CHECKING:
    from isocenter.security.tls_files import Ending

LOOK_EVERY = 6 * 3600.0
"""Seconds between two looks; each tells again, so that no log rotation hides it."""

log = structlog.get_logger(__name__)


class CertificateWatch:
    """Looks at the certificates and revocation lists of a node, where a listener uses TLS."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._endings: list[Ending] = []

    async def run(self) -> None:
        """Look, and warn of what ends within `tls.expiry_warning` days, until cancelled."""
        if not any(listener.uses_tls for listener in self._config.all_listeners.values()):
            return
        while True:
            await asyncio.get_running_loop().run_in_executor(None, self.look)
            await asyncio.sleep(LOOK_EVERY)

    def look(self) -> None:
        """Look once; reads files, so not on the loop."""
        from isocenter.security.tls_files import endings

        try:
            self._endings = endings(tls_files(self._config))
        except IsocenterError as error:
            log.warning("the certificates could not be looked at", why=str(error))
            return
        for ending in self._endings:
            if ending.days_left() <= self._config.tls.expiry_warning:
                _warn(ending)

    def figures(self) -> list[Figure]:
        """When each ends."""
        return [
            Figure(
                "certificate_end_seconds",
                "When a certificate or revocation list ends, in seconds since the epoch.",
                ending.at.timestamp(),
                (("kind", ending.kind), ("file", ending.path.name), ("number", str(number))),
            )
            for number, ending in enumerate(self._endings)
        ]


def _warn(ending: Ending) -> None:
    days = int(ending.days_left())
    told = log.bind(certificate=ending.kind, path=str(ending.path), days=days)
    if ending.days_left() < 0:
        told.error("a certificate has expired: peers refuse it, `isocenter tls renew`")
    else:
        told.warning("a certificate expires soon: `isocenter tls renew`")
