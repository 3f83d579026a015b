"""Queries that cannot be answered: for what they say, or for the time that they take."""

from isocenter.errors import IsocenterError


class InvalidQuery(IsocenterError):
    """The identifier breaks the rules of PS3.4 C.4.1; `offending_tag` names the element."""

    def __init__(self, message: str, offending_tag: int | None = None) -> None:
        super().__init__(message)
        self.offending_tag = offending_tag


class SearchTookTooLong(IsocenterError):
    """The database was given no more time for one search."""
