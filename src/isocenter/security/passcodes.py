"""Passcodes: argon2id, at the parameters of RFC 9106 for machines without gigabytes to spare.

A verification takes 64 MiB and some tens of milliseconds; that is its purpose. Whoever lets
strangers ask for one bounds how many run at a time (`identity.IdentityDesk`).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from isocenter.errors import IsocenterError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 8, 1024
"""Bytes of a passcode, in UTF-8 where it is text."""


class UnfitPasscode(IsocenterError, ValueError):
    """A passcode that nobody should have, or could."""


def hashed(passcode: bytes) -> str:
    """What is kept of a passcode, as a PHC string. Raises UnfitPasscode."""
    if not SHORTEST <= len(passcode) <= LONGEST:
        raise UnfitPasscode(f"A passcode has {SHORTEST} to {LONGEST:,} bytes.")
    return _hasher().hash(passcode)


def fits(passcode: bytes, kept: str | None) -> bool:
    """Whether it is the passcode of which `kept` was made; as slow where there is none.

    A passcode that is too long to be one is not looked at.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(passcode) > LONGEST:
        return False
    try:
        return _hasher().verify(_nobodys() if kept is None else kept, passcode) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _hasher() -> PasswordHasher:
    # Imported here: only nodes whose users identify themselves need it.
    from argon2 import PasswordHasher, Type

    # RFC 9106 section 4, the second recommended option.
    return PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, type=Type.ID)


@cache
def _nobodys() -> str:
    """What is compared for a user that does not exist, so that time does not tell."""
    import secrets

    return _hasher().hash(secrets.token_bytes(32))
