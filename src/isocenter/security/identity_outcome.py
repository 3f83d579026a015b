"""What becomes of a user identity (PS3.7 D.3.3.7): verified, or refused for a reason.

Neither holds a passcode, ticket, assertion or token.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from isocenter.security.access import Scope


class Why(Enum):
    """Why an identity is not verified."""

    NAME_ONLY = "A user name without a passcode proves nothing."
    WRONG = "The user name or the passcode is wrong."
    LOCKED_OUT = "Too many attempts failed; the next ones are refused for a while."
    BAD_TOKEN = "The JSON Web Token was refused."
    NO_USERS = "No user is known here; `isocenter user add` makes one."
    NO_TOKENS = "JSON Web Tokens are not accepted here; identity.jwt_key names no key."
    NOT_ADMITTED = "The user of the JSON Web Token is disabled here."
    KERBEROS = "Kerberos tickets are not supported; use a passcode or a JSON Web Token."
    SAML = "SAML assertions are not supported; use a passcode or a JSON Web Token."
    UNKNOWN_TYPE = "The standard knows no user identity of this type."
    UNAVAILABLE = "The users cannot be looked up at the moment."


_UNVERIFIABLE = frozenset(
    {Why.NAME_ONLY, Why.NO_USERS, Why.KERBEROS, Why.SAML, Why.UNKNOWN_TYPE, Why.NO_TOKENS}
)


@dataclass(frozen=True, slots=True)
class Verified:
    """Somebody who proved who they are.

    `scope` is what they may see at most; who calls for them may be allowed less. `response` is the
    server response of a positive response (PS3.7 D.3.3.7.2): nothing needs to be said.
    """

    user: str
    scope: Scope
    response: bytes = b""


@dataclass(frozen=True, slots=True)
class Refused:
    """An identity that is not verified; `user` is the claimed name, where it can be one."""

    why: Why
    user: str | None = None
    detail: str = ""

    @property
    def reason(self) -> str:
        """Why, as a sentence for a log and for the audit trail."""
        return self.detail or self.why.value

    @property
    def failed(self) -> bool:
        """Whether it was put to the test and failed (PS3.15 B.5: reject the association).

        Otherwise it is of a kind that is not verified here at all: to be rejected only where a
        verified identity is required.
        """
        return self.why not in _UNVERIFIABLE
