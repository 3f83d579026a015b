"""What can go wrong with descriptions of nodes."""

from isocenter.errors import IsocenterError


class ConformanceError(IsocenterError):
    """A description of a node cannot be made, read or used; the text says which and why."""


class UnusableDescription(ConformanceError):
    """A file describes no node, or not in a form that is read here."""
