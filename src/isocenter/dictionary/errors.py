"""What can go wrong when a name is looked up in PS3.6."""

from isocenter.errors import IsocenterError


class DictionaryError(IsocenterError, ValueError):
    """A text that names no data element."""
