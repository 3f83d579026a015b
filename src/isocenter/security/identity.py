"""Who a user is: user identities (PS3.7 D.3.3.7) verified, and what verified users may see.

A user name alone is taken note of and proves nothing (PS3.15 B.4). A passcode (B.5) and a JSON Web
Token are verified; Kerberos tickets and SAML assertions (B.6, B.7) are not supported. What is
refused is refused for one of a few reasons, none of which quotes the identity or tells an unknown
user from a wrong passcode.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from isocenter.security.database import AccessUnavailable
from isocenter.security.identity_outcome import Refused, Verified, Why
from isocenter.security.lockout import Lockout
from isocenter.security.passcodes import LONGEST, fits
from isocenter.security.tokens import BadToken, TokenRules, verified_token
from isocenter.security.users import LONGEST_NAME, User, is_name
from isocenter.upperlayer.user_information import UserIdentity, UserIdentityType

AT_ONCE = 2
"""Passcodes that are compared at one time; each takes 64 MiB (`passcodes`)."""

log = structlog.get_logger(__name__)


class UserDirectory(Protocol):
    """Who knows the users; see `users.Users`."""

    def find(self, name: str) -> tuple[User, str] | None:
        """A user, and what is kept of the passcode. Raises AccessUnavailable."""

    def any(self) -> bool:
        """Whether there is a user at all. Raises AccessUnavailable."""


class IdentityDesk:
    """Verifies user identities. For any thread; `verify` blocks, for as long as passcodes queue.

    Without `token_rules` tokens are not verified. `clock` gives seconds that only grow.
    """

    def __init__(
        self,
        users: UserDirectory,
        token_rules: TokenRules | None,
        *,
        failures: int,
        lockout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._users = users
        self._token_rules = token_rules
        self._lockout = Lockout(failures, lockout, clock)
        self._comparing = threading.BoundedSemaphore(AT_ONCE)

    def verify(self, identity: UserIdentity, host: str) -> Verified | Refused:
        """Who it is that calls from the network address `host`."""
        match identity.identity_type:
            case UserIdentityType.USERNAME:
                return Refused(Why.NAME_ONLY, _claimed(identity))
            case UserIdentityType.USERNAME_AND_PASSCODE:
                outcome = self._by_passcode(identity, host)
            case UserIdentityType.JWT:
                outcome = self._by_token(identity, host)
            case UserIdentityType.KERBEROS:
                return Refused(Why.KERBEROS)
            case UserIdentityType.SAML:
                return Refused(Why.SAML)
            case _:
                return Refused(Why.UNKNOWN_TYPE)
        if isinstance(outcome, Verified):
            self._lockout.succeeded(outcome.user)
        return outcome

    def _failed(self, refused: Refused, host: str) -> Refused:
        self._lockout.failed(refused.user, host)
        return refused

    def _by_passcode(self, identity: UserIdentity, host: str) -> Verified | Refused:
        name, passcode = _claimed(identity), identity.secondary_field
        if self._lockout.refuses(name, host):
            return Refused(Why.LOCKED_OUT, name)
        if name is None or len(passcode) > LONGEST:
            return self._failed(Refused(Why.WRONG, name), host)  # no user can have such a one
        try:
            found = self._users.find(name)
            if found is None and not self._users.any():
                return Refused(Why.NO_USERS, name)
        except AccessUnavailable as error:
            log.error("users cannot be looked up", error=error)
            return Refused(Why.UNAVAILABLE, name)
        user, kept = found or (None, None)
        with self._comparing:
            # Once more: those who came at the same time have failed meanwhile.
            if self._lockout.refuses(name, host):
                return Refused(Why.LOCKED_OUT, name)
            right = fits(passcode, kept)
            if not right or user is None or user.disabled:
                return self._failed(Refused(Why.WRONG, name), host)
        return Verified(user.name, user.scope)

    def _by_token(self, identity: UserIdentity, host: str) -> Verified | Refused:
        if self._token_rules is None:
            return Refused(Why.NO_TOKENS)
        if self._lockout.refuses(None, host):
            return Refused(Why.LOCKED_OUT)
        try:
            named = verified_token(identity.primary_field, self._token_rules)
        except BadToken as error:
            return self._failed(Refused(Why.BAD_TOKEN, detail=str(error)), host)
        try:
            found = self._users.find(named.name)
        except AccessUnavailable as error:
            log.error("users cannot be looked up", error=error)
            return Refused(Why.UNAVAILABLE, named.name)
        if found is None:  # the issuer vouches for its own
            return Verified(named.name, named.scope)
        user, _ = found
        if user.disabled:
            return Refused(Why.NOT_ADMITTED, named.name)
        return Verified(user.name, named.scope.narrowed(user.scope))


def _claimed(identity: UserIdentity) -> str | None:
    """The user name of an identity; None for what cannot be one."""
    if len(identity.primary_field) > 4 * LONGEST_NAME:
        return None
    try:
        name = identity.primary_field.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return name if is_name(name) else None
