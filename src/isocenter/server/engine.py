"""Joins services and archive: each knows only its own half of what is wired together here."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from isocenter.archive import receiving
from isocenter.archive.archive import Archive
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.outcome import Outcome
from isocenter.archive.pack_reader import PackReader
from isocenter.archive.query import HeaderReader, InvalidQuery, Rules, find
from isocenter.archive.records import open_pack
from isocenter.archive.retrieve import Selection, StoredInstance, select_instances
from isocenter.encoding.elements import Elements
from isocenter.security.access import Scope
from isocenter.server.transcoder import ConvertedDataSet, Transcoder
from isocenter.services.find_identifiers import InvalidIdentifier
from isocenter.services.find_operation import Matches
from isocenter.services.query_options import QueryOptions
from isocenter.services.query_retrieve_scp import Model
from isocenter.services.storage_scp import Announcement, Incoming
from isocenter.services.store_contexts import Instance

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
    """The archive's query engine, as the C-FIND provider wants it.

    `header_limit` bounds the stored headers that one query may read, `time_limit` the seconds
    that the database may work on it.
    """

    def __init__(
        self, archive: Archive, header_limit: int | None, time_limit: float | None
    ) -> None:
        self._archive = archive
        self._header_limit = header_limit
        self._time_limit = time_limit

    def find(
        self,
        model: Model,
        level: str,
        identifier: Elements,
        options: QueryOptions,
        scope: Scope,
    ) -> Matches:
        """Start a query that sees every instance acknowledged so far.

        Raises InvalidIdentifier; IndexUnavailable when the index does not take what it was given.
        """
        try:
            return find(
                _caught_up(self._archive),
                model,
                level,
                identifier,
                scope=scope,
                rules=_rules(options),
                relational=options.relational,
                headers=HeaderReader(self._archive.packs.root),
                header_limit=self._header_limit,
                time_limit=self._time_limit,
            )
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error


def _rules(options: QueryOptions) -> Rules:
    """Values in lists are alternatives whether negotiated or not (`archive.query.criteria`)."""
    return Rules(
        combined_date_time=options.datetime,
        fuzzy_names=options.fuzzy,
        timezone_adjustment=options.timezone,
        empty_values=options.empty_values,
    )


class ArchiveInstances:
    """The archive as the C-GET and C-MOVE providers want it.

    `time_limit` bounds the seconds that the database may work to select instances.
    """

    def __init__(self, archive: Archive, transcoder: Transcoder, time_limit: float | None) -> None:
        self._archive = archive
        self._transcoder = transcoder
        self._time_limit = time_limit

    def select(
        self, model: Model, level: str, keys: Mapping[int, str], scope: Scope
    ) -> SelectedInstances:
        """The instances that an identifier names, of all that are acknowledged so far.

        Raises InvalidIdentifier; IndexUnavailable; SearchTookTooLong.
        """
        try:
            selection = select_instances(
                _caught_up(self._archive),
                model,
                level,
                keys,
                scope=scope,
                time_limit=self._time_limit,
            )
        except InvalidQuery as error:
            raise InvalidIdentifier(str(error), error.offending_tag) from error
        return SelectedInstances(selection, self._archive.packs.root, self._transcoder)


class SelectedInstances:
    """A selection, readers of its packs, and what converts them."""

    def __init__(self, selection: Selection, root: Path, transcoder: Transcoder) -> None:
        self._root = root
        self._transcoder = transcoder
        self._selection = selection
        self.kinds = selection.kinds
        self.studies = selection.studies
        self.batches = selection.batches

    def __len__(self) -> int:
        return len(self._selection)

    def reader(self) -> InstanceReader:
        """A reader, for one thread at a time."""
        return InstanceReader(self._root, self._transcoder)


class InstanceReader:
    """Reads the data sets of a selection, as they are stored or converted."""

    def __init__(self, root: Path, transcoder: Transcoder) -> None:
        self._root = root
        self._transcoder = transcoder
        self._packs = PackReader(root)
        self.close = self._packs.close

    def read(self, instance: Instance, start: int, size: int) -> bytes:
        """Return a part of a data set. Raises OSError and PackDamaged."""
        assert isinstance(instance, StoredInstance)
        return self._packs.read(instance, start, size)

    def read_at_once(self, instance: Instance, start: int, size: int) -> memoryview | None:
        """The same if nobody need wait for it; the call after the next overwrites it."""
        assert isinstance(instance, StoredInstance)
        return self._packs.read_at_once(instance, start, size)

    def convert(self, instance: Instance, transfer_syntax_uid: str) -> ConvertedDataSet:
        """Return a data set in another transfer syntax. Raises OSError and ConversionFailed."""
        assert isinstance(instance, StoredInstance)
        descriptor = open_pack(self._root, instance.pack)
        try:
            return self._transcoder.convert(
                descriptor,
                instance.offset + instance.dataset_offset,
                instance.dataset_length,
                instance.transfer_syntax_uid,
                transfer_syntax_uid,
            )
        finally:
            os.close(descriptor)


def _caught_up(archive: Archive) -> ArchiveIndex:
    """The index, once it has what the archive acknowledged. Raises IndexUnavailable."""
    if archive.index.backlog:
        archive.index.flush(COMMIT_SECONDS)
    return archive.index
