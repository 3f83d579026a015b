"""The identity desk of a node, made from its configuration, and waiting for its verdicts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from isocenter.archive.layout import ACCESS_FILE
from isocenter.security.database import AccessDatabase
from isocenter.security.identity import IdentityDesk
from isocenter.security.tokens import TokenRules, load_token_key
from isocenter.security.users import Users
from isocenter.server.config import Config

if TYPE_CHECKING:
    from isocenter.security.identity_outcome import Refused, Verified
    from isocenter.upperlayer.user_information import UserIdentity

THREADS = 4
"""Identities looked at by one process at a time; fewer passcodes are compared (`IdentityDesk`)."""


class IdentityCheck:
    """Verifies user identities away from the loop. Raises UnusableTokenKey when it is made."""

    def __init__(self, config: Config) -> None:
        self._database = open_access(config, required=False)
        self._desk = identity_desk(config, self._database)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="identity")

    async def verify(self, identity: UserIdentity, host: str) -> Verified | Refused:
        """Who it is that calls from `host`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._desk.verify, identity, host)

    def close(self) -> None:
        """Verify no more."""
        self._threads.shutdown(cancel_futures=True)
        self._database.close()


def open_access(config: Config, *, required: bool = True) -> AccessDatabase:
    """Open the access database of the node that a configuration names.

    A node does not require it: who is not a user of its can be served while the file is damaged.
    """
    return AccessDatabase(config.node.data_directory / ACCESS_FILE, required=required)


def identity_desk(config: Config, database: AccessDatabase) -> IdentityDesk:
    """Who verifies user identities. Raises UnusableTokenKey."""
    identity = config.identity
    return IdentityDesk(
        Users(database),
        _token_rules(config),
        failures=identity.failures,
        lockout=identity.lockout,
    )


def _token_rules(config: Config) -> TokenRules | None:
    identity = config.identity
    if identity.jwt_key is None:
        return None
    return TokenRules(
        load_token_key(identity.jwt_key, identity.jwt_algorithm),
        identity.jwt_algorithm,
        identity.jwt_issuer,
        identity.jwt_audience or config.node.ae_title,
    )
