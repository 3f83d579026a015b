"""The one access model: what somebody may do here, whoever asks and over whichever protocol.

Listeners and peers of the configuration, users and labels of the access database all come down to
`Rights`. Services carry them along; the query engine applies their `Scope`, so that no two ways
to the same study can disagree about it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def is_label(text: str) -> bool:
    """Whether `text` can be a label of studies: letters, digits, `-`, `_`, `.`, at most 64."""
    return _LABEL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which studies somebody may see: all, or those that carry one of `labels` at least.

    A study without a label is seen by those only who may see all.
    """

    labels: frozenset[str] | None = None

    def narrowed(self, other: Scope) -> Scope:
        """What both scopes allow."""
        if self.labels is None or other.labels is None:
            return other if self.labels is None else self
        return Scope(self.labels & other.labels)


ALL_STUDIES = Scope()
"""No restriction; for what the node does on its own behalf."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do.

    `services` are names of `services.service_names`; `move_destinations` the AE titles that they
    may have objects moved to, None for every peer.
    """

    services: Collection[str]
    move_destinations: frozenset[str] | None = None
    scope: Scope = ALL_STUDIES

    def may_move_to(self, ae_title: str) -> bool:
        """Whether objects may be moved to this destination on their behalf."""
        return self.move_destinations is None or ae_title in self.move_destinations
