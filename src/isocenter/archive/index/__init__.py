"""The archive's index: which instances there are, what their headers say, where their bytes lie.

One writer (`IndexWriter`, a thread with group commit), any number of readers (`IndexReader`, in
any process). `Index` is both. SQLite holds it now; `interface` names what another database would
have to offer.
"""

from isocenter.archive.index.attributes import INDEX_ATTRIBUTES
from isocenter.archive.index.entry import (
    IndexEntry,
    Location,
    Outcome,
    QuarantineEntry,
    Statistics,
)
from isocenter.archive.index.errors import ArchiveIndexError, IndexUnavailable, IndexUnusable
from isocenter.archive.index.index import Index
from isocenter.archive.index.reader import IndexReader
from isocenter.archive.index.writer import IndexWriter

__all__ = [
    "INDEX_ATTRIBUTES",
    "ArchiveIndexError",
    "Index",
    "IndexEntry",
    "IndexReader",
    "IndexUnavailable",
    "IndexUnusable",
    "IndexWriter",
    "Location",
    "Outcome",
    "QuarantineEntry",
    "Statistics",
]
