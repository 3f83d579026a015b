"""Wildcards in SQL: what differs between databases about matching text."""

from typing import Any, Protocol

from sqlalchemy import Boolean, ColumnElement, Connection, and_, func

from isocenter.archive.query.fuzzy_names import resembles_search_text

_LAST_BEFORE_SURROGATES = 0xD7FF
_FIRST_AFTER_SURROGATES = 0xE000
_LAST_CHARACTER = 0x10FFFF


class TextMatching(Protocol):
    """How a database matches a DICOM pattern: `*` any characters, `?` one, all others literal."""

    def pattern(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether `column` matches `pattern`, minding case."""

    def alike(self, column: ColumnElement[Any], key: str) -> ColumnElement[bool]:
        """Whether the names in `column` resemble one component group of a key (`fuzzy_names`)."""

    def rare(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """The same condition, with the hint that few rows meet it."""


class SQLiteText:
    """GLOB has DICOM's wildcards; only its character classes have to be disarmed."""

    def pattern(self, column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
        """Whether `column` matches `pattern`; its beginning up to a wildcard uses an index."""
        glob = column.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
        prefix = literal_prefix(pattern)
        return and_(prefix_range(column, prefix), glob) if prefix else glob

    def alike(self, column: ColumnElement[Any], key: str) -> ColumnElement[bool]:
        """Whether names resemble a key; the connection must know how (`teach_names`)."""
        return func.name_resembles(key, column, type_=Boolean)

    def rare(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """The same condition, with the hint that few rows meet it."""
        return func.unlikely(condition)


def teach_names(connection: Connection) -> None:
    """Let statements on this connection compare names by `SQLiteText.alike`."""
    raw: Any = connection.connection.driver_connection
    raw.create_function("name_resembles", 2, _name_resembles, deterministic=True)


def _name_resembles(key: str, names: str | None) -> bool:
    return names is not None and resembles_search_text(key, names)


def literal_prefix(pattern: str) -> str:
    """The characters before the first wildcard."""
    for position, character in enumerate(pattern):
        if character in "*?":
            return pattern[:position]
    return pattern


def prefix_range(column: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """Whether `column` begins with `prefix`, as a range in the order of code points."""
    bound = _after(prefix)
    return column >= prefix if bound is None else and_(column >= prefix, column < bound)


def _after(prefix: str) -> str | None:
    """The first text that is behind all that begin with `prefix`; None when there is none."""
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position])
        if code == _LAST_CHARACTER:
            continue
        following = _FIRST_AFTER_SURROGATES if code == _LAST_BEFORE_SURROGATES else code + 1
        return prefix[:position] + chr(following)
    return None
