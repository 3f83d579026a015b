"""What can go wrong for the user of a service, beyond what the layers below report."""

from __future__ import annotations

from isocenter.dictionary.uids import uid_name
from isocenter.errors import IsocenterError


class ServiceError(IsocenterError):
    """A service could not be used."""


class NoPresentationContext(ServiceError):
    """The peer accepted no presentation context for what was to be sent (PS3.8 7.1.1.13)."""

    def __init__(self, peer: str, abstract_syntax: str, transfer_syntax: str | None = None) -> None:
        wanted, advice = _named(abstract_syntax), "check what the peer supports, and allows us"
        if transfer_syntax:
            wanted += f" in {_named(transfer_syntax)}"
            advice = "check what the peer supports, or send it in another transfer syntax"
        super().__init__(f"{peer} accepted no presentation context for {wanted}; {advice}.")
        self.abstract_syntax = abstract_syntax
        self.transfer_syntax = transfer_syntax


def _named(uid: str) -> str:
    name = uid_name(uid)
    return uid if name == uid else f"{name} ({uid})"


class Interrupted(ServiceError):
    """Our own side gave up waiting for the peer."""


class VerificationFailed(ServiceError):
    """A peer could not be verified; `phase` says how far it went.

    "connect": no transport connection. "associate": connected, but no association, or none that
    includes verification. "echo": associated, but no successful C-ECHO-RSP.
    """

    def __init__(self, phase: str, text: str) -> None:
        super().__init__(text)
        self.phase = phase
