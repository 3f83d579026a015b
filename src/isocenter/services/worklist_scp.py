"""Modality Worklist (PS3.4 Annex K), provider: C-FIND of scheduled procedure steps."""

from __future__ import annotations

from typing import Protocol

from isocenter.encoding.elements import Elements
from isocenter.security.access import Scope
from isocenter.services.find_operation import Matches
from isocenter.services.find_scp import FindService
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_options import QueryOptions


class WorklistEngine(Protocol):
    """Who keeps the worklist."""

    def find(self, identifier: Elements, options: QueryOptions) -> Matches:
        """Start a query for a neutral identifier: the soonest first. Raises InvalidIdentifier."""


class WorklistProvider(FindService):
    """C-FIND SCP of the Modality Worklist information model, which has one level (PS3.4 K.6.1)."""

    def __init__(
        self, engine: WorklistEngine, desk: QueryDesk, *, limit: int | None = None
    ) -> None:
        super().__init__(desk, limit=limit)
        self.engine = engine

    def search(
        self,
        sop_class_uid: str,  # noqa: ARG002 - there is one
        identifier: Elements,
        options: QueryOptions,
        scope: Scope,  # noqa: ARG002 - of studies; what is scheduled is none yet
    ) -> tuple[Matches, Elements]:
        """The scheduled procedure steps that match."""
        return self.engine.find(identifier, options), {}
