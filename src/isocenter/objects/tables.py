"""The information object definitions of PS3.3 as tables: IODs, their modules, their attributes.

`data/tables.json` is written by tools/make_objects.py and read at the first question, in a few
milliseconds. Attribute tables are shared: macros, and sequences with the same items, are one table,
and a table's rows are taken apart when someone first looks at it.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from isocenter.dictionary.elements import lookup_element

Type = Literal["1", "1C", "2", "2C", "3"]
"""The type of an attribute, PS3.5 7.4."""

Usage = Literal["M", "C", "U"]
"""Whether a module is mandatory, conditional or a user option of its IOD, PS3.3 A.1.3."""


class ValueList(NamedTuple):
    """What a value may be: `enumerated` or mere defined terms (PS3.5 6.3); `number` 0 for all."""

    enumerated: bool
    number: int
    values: frozenset[str]


class Row(NamedTuple):
    """One attribute of a module or of a sequence's items."""

    tag: int
    keyword: str
    type: Type
    items: int | None
    """The number of the table that its items follow, None for what is no sequence."""
    rule: str
    """The condition of types 1C and 2C in the language of `rules`; "" where none is known."""
    values: tuple[ValueList, ...]


class Module(NamedTuple):
    """A module of PS3.3: `key` is its name in lower case, with hyphens."""

    key: str
    name: str
    reference: str
    """The number of the module's table in PS3.3, "C.7-1"; "" where the sources do not say it."""
    table: int


class ModuleUse(NamedTuple):
    """A module and how an IOD uses it."""

    module: str
    usage: Usage


class Definition(NamedTuple):
    """An IOD of PS3.3."""

    key: str
    name: str
    reference: str
    modules: tuple[ModuleUse, ...]
    groups: dict[str, Usage]
    """Functional groups by the keyword of their sequence; empty where there are none."""


class _Tables:
    def __init__(self) -> None:
        text = files("isocenter.objects").joinpath("data/tables.json").read_text(encoding="utf-8")
        document = json.loads(text)
        self.edition: str = document["edition"]
        self.source: str = document["source"]
        self.sop_classes: dict[str, str] = document["sop_classes"]
        self.rules: list[str] = document["rules"]
        self.values = [_value_lists(one) for one in document["values"]]
        self.rows: list[str] = document["tables"]
        self.modules = {key: Module(key, *facts) for key, facts in document["modules"].items()}
        self.definitions = {key: _definition(key, one) for key, one in document["iods"].items()}


def _definition(key: str, facts: dict[str, str]) -> Definition:
    uses = (one.rpartition(":") for one in facts["modules"].split())
    groups = (one.rpartition(":") for one in facts.get("groups", "").split())
    return Definition(
        key,
        facts["name"],
        facts["reference"],
        tuple(ModuleUse(module, _usage(letter)) for module, _, letter in uses),
        {keyword: _usage(letter) for keyword, _, letter in groups},
    )


def _usage(letter: str) -> Usage:
    return "M" if letter == "M" else "C" if letter == "C" else "U"


def _value_lists(text: str) -> tuple[ValueList, ...]:
    lists = []
    for one in text.split(";"):
        head, _, terms = one.partition(":")
        lists.append(ValueList(head[0] == "E", int(head[1:] or 0), frozenset(terms.split("|"))))
    return tuple(lists)


@cache
def _tables() -> _Tables:
    return _Tables()


def edition() -> str:
    """The edition of PS3.3 that the tables are of: "2026b"."""
    return _tables().edition


def definitions() -> dict[str, Definition]:
    """Every IOD by its key, such as "ct-image"."""
    return _tables().definitions


DICOMDIR = "1.2.840.10008.1.3.10"
"""Media Storage Directory, whose data set does not name its class (PS3.3 F)."""

# Retired SOP classes, judged by the IOD of those that took their place, and the directory.
_SUCCESSORS = {
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound-multi-frame-image",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound-image",
    "1.2.840.10008.5.1.4.1.1.5": "nuclear-medicine-image",
    DICOMDIR: "basic-directory",
}


def definition_of(sop_class_uid: str) -> Definition | None:
    """The IOD of a SOP class, None for one that PS3.3 does not define."""
    tables = _tables()
    key = tables.sop_classes.get(sop_class_uid) or _SUCCESSORS.get(sop_class_uid)
    return tables.definitions[key] if key is not None else None


def sop_classes_of(key: str) -> list[str]:
    """The UIDs of the SOP classes that an IOD serves."""
    return [uid for uid, one in _tables().sop_classes.items() if one == key]


def module(key: str) -> Module | None:
    """A module by its key; None for an unknown one, and for the few without attributes."""
    return _tables().modules.get(key)


def modules() -> dict[str, Module]:
    """Every module by its key, such as "general-study"."""
    return _tables().modules


@cache
def rows(table: int) -> tuple[Row, ...]:
    """The attributes of a table in ascending order of tags."""
    return tuple(_parse_rows(table))


def _parse_rows(table: int) -> Iterator[Row]:
    tables = _tables()
    for cell in tables.rows[table].split(","):
        if not cell:
            continue
        tag_text, type_, *marks = cell.split(" ")
        tag = int(tag_text, 16)
        entry = lookup_element(tag)
        items, rule = None, ""
        values: tuple[ValueList, ...] = ()
        for mark in marks:
            number = int(mark[1:])
            if mark[0] == ">":
                items = number
            elif mark[0] == "?":
                rule = tables.rules[number]
            else:
                values = tables.values[number]
        yield Row(tag, entry.keyword if entry else tag_text, type_, items, rule, values)  # type: ignore[arg-type]
