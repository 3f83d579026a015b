"""Where PS3.3 uses an attribute: in which modules, with which type, and so in which IODs."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from isocenter.objects.tables import Definition, Module, Row, definitions, modules, rows

DEEPEST = 12
"""Sequences within sequences that are followed; the tables end before it."""


class AttributeUse(NamedTuple):
    """An attribute in a module: `path` has the keywords of the sequences around it."""

    module: Module
    path: tuple[str, ...]
    type: str


def uses_of(tag: int) -> list[AttributeUse]:
    """Every place that a tag has in PS3.3, modules in the order of their keys, top level first."""
    found = [
        AttributeUse(module, path, row.type)
        for module in modules().values()
        for path, row in _places(module.table, tag, ())
    ]
    return sorted(found, key=lambda use: (len(use.path), use.module.key, use.path))


@cache
def definitions_with(module: str) -> tuple[tuple[Definition, str], ...]:
    """The IODs that include a module, each with its usage of it (M, C or U)."""
    return tuple(
        (definition, use.usage)
        for definition in definitions().values()
        for use in definition.modules
        if use.module == module
    )


def _places(table: int, tag: int, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Row]]:
    for row in rows(table):
        if row.tag == tag:
            yield path, row
        if row.items is not None and len(path) < DEEPEST and tag in _tags_below(row.items):
            yield from _places(row.items, tag, (*path, row.keyword))


@cache
def _tags_below(table: int) -> frozenset[int]:
    """Every tag of a table and of the tables of its sequences."""
    found = {row.tag for row in rows(table)}
    for row in rows(table):
        if row.items is not None:
            found |= _tags_below(row.items)
    return frozenset(found)
