"""Matching and returning what the index knows: one engine for C-FIND and QIDO-RS (PS3.4 C.2.2)."""

from isocenter.archive.query.engine import Matches, find
from isocenter.archive.query.errors import InvalidQuery

__all__ = ["InvalidQuery", "Matches", "find"]
