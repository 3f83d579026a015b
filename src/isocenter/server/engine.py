"""Joins services and archive: each knows only its own half of what is wired together here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from isocenter.archive import receiving
from isocenter.archive.archive import Archive
from isocenter.archive.outcome import Outcome
from isocenter.archive.query import InvalidQuery, find
from isocenter.services.query_retrieve_scp import InvalidIdentifier, Matches, Model
from isocenter.services.storage_scp import Announcement, Incoming

COMMIT_SECONDS = 10.0
"""How long a query waits for what was acknowledged before it to reach the index."""


class ArchiveSink:
    """The archive as the C-STORE provider wants it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def begin(self, announcement: Announcement, on_outcome: Callable[[Outcome], None]) -> Incoming:
        """Start taking an instance."""
        return self._archive.begin(receiving.Announcement(*announcement), on_outcome)


class ArchiveQueries:
    """The archive's query engine, as the C-FIND provider wants it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def find(self, model: Model, level: str, keys: Mapping[int, str]) -> Matches:
        """Start a query that sees every instance acknowledged so far.

        Raises InvalidIdentifier; IndexUnavailable when the index does not take what it was given.
        """
        index = self._archive.index
        if index.backlog:
            index.flush(COMMIT_SECONDS)
        try:
            return find(index, model, level, keys)
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error
