"""The identity desk of a node, made from its configuration."""

from __future__ import annotations

from isocenter.archive.layout import ACCESS_FILE
from isocenter.security.database import AccessDatabase
from isocenter.security.identity import IdentityDesk
from isocenter.security.tokens import TokenRules, load_token_key
from isocenter.security.users import Users
from isocenter.server.config import Config


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
