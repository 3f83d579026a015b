"""Matching and returning what is stored: one engine for C-FIND and QIDO-RS (PS3.4 C.2.2)."""

from isocenter.archive.query.criteria import Rules
from isocenter.archive.query.engine import Matches, find
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query.headers import HeaderReader

__all__ = ["HeaderReader", "InvalidQuery", "Matches", "Rules", "find"]
