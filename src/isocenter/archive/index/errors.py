"""What can go wrong with the index as a whole. A bad entry is never an error."""

from isocenter.errors import IsocenterError


class ArchiveIndexError(IsocenterError):
    """The index cannot do its work."""


class IndexUnavailable(ArchiveIndexError):
    """The database does not take writes now, or did not in the time given."""


class IndexUnusable(ArchiveIndexError):
    """The file is not an index, or one that a newer Isocenter made."""
