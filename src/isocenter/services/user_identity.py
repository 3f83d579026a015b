"""User identity (PS3.7 D.3.3.7) as an acceptor speaks of it, and how it answers.

Whether somebody is who they say is decided by `security.identity`.

Fields are secrets but for the user name, which alone ever leaves this module as text.
"""

from __future__ import annotations

from isocenter.security.identity_outcome import Refused, Verified
from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType

LONGEST_NAME = 64
"""Characters of a user name that are shown."""

_NAMED = frozenset({UserIdentityType.USERNAME, UserIdentityType.USERNAME_AND_PASSCODE})


def identity_kind(identity: UserIdentity) -> str:
    """The kind of an identity in words; the standard knows types 1 to 5 (PS3.7 D.3.3.7.1)."""
    try:
        return UserIdentityType(identity.identity_type).name.lower().replace("_", " ")
    except ValueError:
        return f"unknown type {identity.identity_type}"


def user_name(identity: UserIdentity) -> str | None:
    """The user name that is claimed; None where the identity is a ticket, assertion or token."""
    if identity.identity_type not in _NAMED:
        return None
    # UTF-8 by PS3.7 D.3.3.7.1; four bytes a character at most, so that cutting costs no decoding.
    name = identity.primary_field[: 4 * LONGEST_NAME].decode("utf-8", "replace")
    return name[:LONGEST_NAME]


def acknowledge(outcome: Verified | Refused | None) -> bytes | None:
    """The server response of a positive response (PS3.7 D.3.3.7.2), None for no such answer.

    It says that an identity was verified, so only who was gets one: any other requestor then knows
    that its identity counts for nothing here.
    """
    return outcome.response if isinstance(outcome, Verified) else None
