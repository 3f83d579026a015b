"""Query/Retrieve Service Class (PS3.4 Annex C), provider: C-FIND answered by a query engine."""

from __future__ import annotations

from typing import Literal, Protocol

from isocenter.dictionary.sop_classes import (
    PATIENT_ROOT_FIND,
    PATIENT_STUDY_ONLY_FIND,
    STUDY_ROOT_FIND,
)
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import neutral_text
from isocenter.security.access import Scope
from isocenter.services.find_operation import Matches
from isocenter.services.find_scp import FindService
from isocenter.services.query_desk import QueryDesk
from isocenter.services.query_options import QueryOptions

Model = Literal["PATIENT", "STUDY", "PATIENT_STUDY"]

QUERY_RETRIEVE_LEVEL = 0x00080052
RETRIEVE_AE_TITLE = 0x00080054

MODELS: dict[str, Model] = {
    PATIENT_ROOT_FIND: "PATIENT",
    STUDY_ROOT_FIND: "STUDY",
    PATIENT_STUDY_ONLY_FIND: "PATIENT_STUDY",
}


class QueryEngine(Protocol):
    """Who answers queries."""

    def find(
        self,
        model: Model,
        level: str,
        identifier: Elements,
        options: QueryOptions,
        scope: Scope,
    ) -> Matches:
        """Start a query by a neutral identifier, within `scope`. Raises InvalidIdentifier."""


class FindProvider(FindService):
    """C-FIND SCP of the Query/Retrieve models."""

    def __init__(
        self, engine: QueryEngine, desk: QueryDesk, *, ae_title: str, limit: int | None
    ) -> None:
        super().__init__(desk, limit=limit)
        self.engine = engine
        self.ae_title = ae_title

    def search(
        self, sop_class_uid: str, identifier: Elements, options: QueryOptions, scope: Scope
    ) -> tuple[Matches, Elements]:
        """The matches in the index; each response names its level, and us to retrieve from."""
        named = identifier.pop(QUERY_RETRIEVE_LEVEL, RawElement("CS", b""))
        level = neutral_text(named).strip().upper()
        matches = self.engine.find(MODELS[sop_class_uid], level, identifier, options, scope)
        return matches, {
            QUERY_RETRIEVE_LEVEL: RawElement("CS", level.encode()),
            RETRIEVE_AE_TITLE: RawElement("AE", self.ae_title.encode("ascii", "replace")),
        }
