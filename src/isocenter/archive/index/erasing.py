"""Leaving nothing in the index's file of what was taken out of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from isocenter.archive.index.connection import connect_writer
from isocenter.archive.index.errors import IndexUnavailable
from isocenter.database.erasure import erase_free_space

_MERGE = "INSERT INTO patient_name_trigram (patient_name_trigram, rank) VALUES ('merge', ?)"
_MERGED_PAGES = 500
_SETTLED = 2  # a merge that does nothing changes fewer rows than this (FTS5, 6.8)


def erase_removed(path: Path) -> None:
    """Zero whatever removed rows left in the index at `path`; from any process, beside its writer.

    Raises:
        IndexUnavailable: the file cannot be written.
        NotErased: readers were in the way; trying again later helps.
    """
    try:
        _merge_names(path)
        erase_free_space(path, connect_writer)
    except sqlite3.Error as error:
        raise IndexUnavailable(f"What was deleted could not be erased: {error}.") from error


def _merge_names(path: Path) -> None:
    """Merge the name search into one segment: older ones still list the letters of removed names.

    It is done piece by piece, for others write meanwhile.
    """
    with closing(connect_writer(path)) as connection:
        pages = -_MERGED_PAGES
        while True:
            before = connection.total_changes
            connection.execute(_MERGE, (pages,))
            if connection.total_changes - before < _SETTLED:
                return
            pages = _MERGED_PAGES
