"""Modality Worklist (PS3.4 Annex K), provider: C-FIND of scheduled procedure steps."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import islice
from typing import Protocol

from isocenter.dimse.messages import CFindRQ
from isocenter.encoding.elements import Elements, encode_elements
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, neutral_elements, recoded_elements
from isocenter.services.provider import ProvidedAssociation
from isocenter.services.query_retrieve_scp import Answers, FindOperation, FindService
from isocenter.upperlayer.contexts import AcceptedContext


class WorklistMatches(Answers, Protocol):
    """The matches of one query, each the neutral data set to answer with, the soonest first."""

    def __iter__(self) -> Iterator[Elements]:
        """The matches, fetched as they are asked for."""


class WorklistEngine(Protocol):
    """Who keeps the worklist."""

    def find(self, identifier: Elements) -> WorklistMatches:
        """Start a query for a neutral identifier. Raises InvalidIdentifier."""


class WorklistProvider(FindService):
    """C-FIND SCP of the Modality Worklist information model, which has one level (PS3.4 K.6.1)."""

    def __init__(
        self, engine: WorklistEngine, threads: Executor, *, limit: int | None = None
    ) -> None:
        super().__init__(threads, limit=limit)
        self.engine = engine

    def operation(
        self, association: ProvidedAssociation, context: AcceptedContext, request: CFindRQ
    ) -> FindOperation:
        """A query of the worklist."""
        return WorklistOperation(self, association, context, request)


class WorklistOperation(FindOperation):
    """A query of the worklist."""

    _provider: WorklistProvider

    def _query(self, elements: Elements) -> tuple[Answers, Iterator[bytes]]:
        identifier = neutral_elements(elements, self._syntax)
        matches = self._provider.engine.find(identifier)
        return matches, self._encoded(matches, _character_set(elements))

    def _encoded(self, matches: WorklistMatches, character_set: str | None) -> Iterator[bytes]:
        limit = self._provider.limit
        for match in islice(matches, None if limit is None else limit + 1):
            answer = recoded_elements(match, self._syntax, character_set)
            yield encode_elements(answer, self._syntax)


def _character_set(elements: Elements) -> str | None:
    """The Specific Character Set of a request (PS3.4 K.4.1.1.3.1)."""
    declared = elements.get(SPECIFIC_CHARACTER_SET)
    if declared is None or not isinstance(declared.value, bytes):
        return None
    return declared.value.decode("ascii", "replace").strip(" \0") or None
