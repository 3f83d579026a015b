"""What the audit trail of a node says, read beside it."""

import time
from collections.abc import Callable
from pathlib import Path

from isocenter.archive.layout import AUDIT_FILE
from isocenter.security.audit.lookup import Summary, newest, summarize
from isocenter.security.audit.trail import AuditTrail
from isocenter.security.audit.verification import verify_trail
from tests.server.support_nodes import configured, eventually

STUDY_LIMIT = 10_000


def quick(folder: Path, more: str = "") -> tuple[str, str]:
    """Options of a node whose accounts tell after a tenth of a second."""
    return configured(folder, f"[audit]\ninterval = 0.1\n{more}")


def told(data: Path, what: str = "") -> list[Summary]:
    """The messages of the trail in their order, or those of one kind; the chain must be whole."""
    with AuditTrail(data / AUDIT_FILE) as trail:
        assert verify_trail(trail).fault is None
        found = [summarize(one) for one in reversed(newest(trail, STUDY_LIMIT))]
    return [one for one in found if what in (one.what, "")]


def eventually_told(
    data: Path, what: str, enough: Callable[[list[Summary]], object] = bool
) -> list[Summary]:
    """The same, once there are enough."""

    def look() -> list[Summary]:
        found = told(data, what) if (data / AUDIT_FILE).exists() else []
        return found if enough(found) else []

    return eventually(look)


def requestor(one: Summary) -> tuple[str, str]:
    """Who wanted it, and from where."""
    actor = one.requestor
    assert actor is not None
    return actor.user_id, actor.host


def moment_of(one: Summary) -> float:
    """How long ago it happened, in seconds."""
    return time.time() - one.moment
