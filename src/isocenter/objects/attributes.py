"""Presence and types of attributes, PS3.5 7.4: every module of the IOD, down through sequences."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from isocenter.encoding.elements import Elements
from isocenter.objects.conditions import MODULE_CONDITIONS, RETYPED, condition_for
from isocenter.objects.findings import Findings, Path, Severity
from isocenter.objects.functional_groups import PER_FRAME_GROUPS, SHARED_GROUPS, check_groups
from isocenter.objects.instance import Scope, is_empty
from isocenter.objects.rules import Condition, parse_rule
from isocenter.objects.tables import Definition, Module, Row, ValueList, module, rows
from isocenter.objects.value_lists import VALUE_LISTS, check_values

MOST_STEPS = 3_000_000
"""Attributes asked for in one instance, in all its items; beyond it nothing more is judged."""

_GROUPS_MODULE = "multi-frame-functional-groups"
_OVERLAY_MODULES = frozenset({"overlay-plane", "multi-frame-overlay"})
_CONTENT_SEQUENCE, _CONTENT = 0x0040A730, "ContentSequence"


class _Compiled(NamedTuple):
    """A row with all that judging it needs."""

    row: Row
    condition: Condition | None
    values: tuple[ValueList, ...]


@cache
def _compiled(owner: str, table: int) -> tuple[_Compiled, ...]:
    """The rows of a table inside `owner`, a module's key or the keyword of a sequence."""
    beside = frozenset(row.tag for row in rows(table))
    typed = []
    for row in rows(table):
        if row.type in ("1", "2") and (owner, row.keyword) in RETYPED:
            type_, rule = RETYPED[owner, row.keyword]
            row = row._replace(type=type_, rule=rule)
        typed.append(row)
    return tuple(
        _Compiled(row, _condition(owner, row, beside), _values(owner, row)) for row in typed
    )


def _condition(owner: str, row: Row, beside: frozenset[int]) -> Condition | None:
    if row.type not in ("1C", "2C"):
        return None
    # The module of functional groups is one for each IOD in the tables.
    whose = _GROUPS_MODULE if owner.endswith(_GROUPS_MODULE) else owner
    ours = condition_for(whose, row.keyword, beside)
    if ours is not None:
        return ours
    return parse_rule(row.rule, beside) if row.rule else None


def _values(owner: str, row: Row) -> tuple[ValueList, ...]:
    ours = VALUE_LISTS.get((owner, row.keyword))
    if ours is None:
        ours = VALUE_LISTS.get(("*", row.keyword))
    return row.values if ours is None else ours


class _Exhausted(Exception):
    """More was asked than one instance may cost."""


class AttributeChecker:
    """Judges one instance by one IOD."""

    def __init__(self, definition: Definition, findings: Findings, complete: bool) -> None:
        self.definition = definition
        self.findings = findings
        self.complete = complete
        self.steps = MOST_STEPS

    def check(self, root: Scope) -> None:
        """Judge every module that the IOD demands or the instance has."""
        try:
            for used, judged in present_modules(self.definition, root):
                if judged:
                    self.findings.add(
                        "module-missing",
                        f"The module {used.name} is missing, and its condition is met.",
                        reference=_table_of(used),
                    )
                elif used.key in _OVERLAY_MODULES:
                    self._overlays(used, root)
                else:
                    self._table(used, used.key, used.table, root, ())
        except _Exhausted:
            self.findings.add(
                "not-judged", "The object has too many items for all of them to be judged."
            )

    def _table(self, of: Module, owner: str, table: int, scope: Scope, path: Path) -> None:
        elements = scope.elements
        for row, condition, values in _compiled(owner, table):
            self.steps -= 1
            element = elements.get(row.tag)
            if element is None:
                self._absent(of, row, condition, scope, path)
                continue
            if is_empty(element):
                self._empty(of, row, condition, scope, path)
            elif condition is not None and condition.otherwise != "allowed":
                self._unmet(of, row, condition, scope, path)
            if values:
                check_values(row, values, scope, (*path, row.keyword), self.findings)
            if row.items is not None and isinstance(element.value, list):
                self._items(of, row, row.items, scope, path)
        if owner == _CONTENT and _CONTENT_SEQUENCE in elements:
            # Content items nest without end, and the tables with them only once.
            for number, item in enumerate(scope.items(_CONTENT_SEQUENCE), 1):
                self._table(of, owner, table, item, (*path, _CONTENT, number))
        if self.steps < 0:
            raise _Exhausted

    def _items(self, of: Module, row: Row, table: int, scope: Scope, path: Path) -> None:
        if row.tag in (SHARED_GROUPS, PER_FRAME_GROUPS) and not path:
            self._groups(of, row, table, scope)
            return
        for number, item in enumerate(scope.items(row.tag), 1):
            self._table(of, row.keyword, table, item, (*path, row.keyword, number))

    def _groups(self, of: Module, row: Row, table: int, scope: Scope) -> None:
        """Functional groups: which of them must be there is for the IOD, not for the table."""
        if row.tag == SHARED_GROUPS:
            check_groups(self.definition, scope, self.findings)
        for number, groups in enumerate(scope.items(row.tag), 1):
            here: Path = (row.keyword, number)
            for group in rows(table):
                if group.items is None or group.tag not in groups.elements:
                    continue
                for place, item in enumerate(groups.items(group.tag), 1):
                    inside = (*here, group.keyword, place)
                    self._table(of, group.keyword, group.items, item, inside)

    def _overlays(self, of: Module, root: Scope) -> None:
        """Each overlay is a group of its own, 6000 to 601E; the table speaks of the first."""
        for group in sorted({tag >> 16 for tag in root.elements if tag >> 24 == 0x60}):
            elements: Elements = {
                0x60000000 | tag & 0xFFFF: element
                for tag, element in root.elements.items()
                if tag >> 16 == group
            }
            path: Path = () if group == 0x6000 else (f"Overlay{group:04X}",)
            self._table(of, of.key, of.table, Scope(elements, root), path)

    def _absent(
        self, of: Module, row: Row, condition: Condition | None, scope: Scope, path: Path
    ) -> None:
        if row.type == "3" or not self.complete:
            return
        why, severity = "", None
        if row.type in ("1C", "2C"):
            judged = condition.met(scope) if condition is not None else None
            why = " and its condition is met"
            if condition is not None and judged is None and condition.likely is not None:
                judged = condition.likely(scope)
                why, severity = " and its condition may be met", Severity.WARNING
            if not judged:
                return
        self.findings.add(
            f"type{row.type.lower()}-missing",
            f"{row.keyword} is missing, which is of type {row.type} in {of.name}{why}.",
            path=(*path, row.keyword),
            tag=row.tag,
            reference=_table_of(of),
            severity=severity,
        )

    def _empty(
        self, of: Module, row: Row, condition: Condition | None, scope: Scope, path: Path
    ) -> None:
        if row.type not in ("1", "1C"):
            if condition is not None:
                self._unmet(of, row, condition, scope, path)
            return
        self.findings.add(
            f"type{row.type.lower()}-empty",
            f"{row.keyword} is empty, which is of type {row.type} in {of.name}.",
            path=(*path, row.keyword),
            tag=row.tag,
            reference=_table_of(of),
        )

    def _unmet(self, of: Module, row: Row, condition: Condition, scope: Scope, path: Path) -> None:
        if condition.otherwise == "allowed" or condition.met(scope) is not False:
            return
        self.findings.add(
            "condition-unmet",
            f"{row.keyword} is present, though its condition in {of.name} is not met.",
            path=(*path, row.keyword),
            tag=row.tag,
            reference=_table_of(of),
        )


def present_modules(definition: Definition, root: Scope) -> Iterator[tuple[Module, bool]]:
    """The modules to judge an instance by; True beside one that is missing as a whole.

    A module that need not be there is taken for present where the instance has an attribute of
    type 1 or 2 that it alone of the IOD's modules brings (of 1C or 2C, if it brings none such).
    """
    for used in definition.modules:
        found = module(used.module)
        if found is None:
            continue
        if used.usage == "M" or _shows(definition, found.key, root):
            yield found, False
        elif used.usage == "C":
            condition = MODULE_CONDITIONS.get((definition.key, found.key)) or MODULE_CONDITIONS.get(
                ("*", found.key)
            )
            if condition is not None and condition(root) is True:
                yield found, True


def _shows(definition: Definition, key: str, root: Scope) -> bool:
    if key in _OVERLAY_MODULES:
        return any(tag >> 24 == 0x60 for tag in root.elements)
    return any(tag in root.elements for tag in _distinctive(definition.key, key))


@cache
def _distinctive(definition: str, key: str) -> frozenset[int]:
    """Tags of a module that no other module of the IOD has, those that matter most."""
    from isocenter.objects.tables import definitions

    own = module(key)
    if own is None:
        return frozenset()
    others = {
        row.tag
        for used in definitions()[definition].modules
        if used.module != key and (other := module(used.module)) is not None
        for row in rows(other.table)
    }
    tags = {row.tag for row in rows(own.table) if row.type in ("1", "2")} - others
    conditional = {row.tag for row in rows(own.table) if row.type in ("1C", "2C")} - others
    return frozenset(tags or conditional)


@cache
def attributes_of(definition: str) -> frozenset[int]:
    """Every tag of the top level that some module of an IOD has."""
    from isocenter.objects.tables import definitions

    return frozenset(
        row.tag
        for used in definitions()[definition].modules
        if (found := module(used.module)) is not None
        for row in rows(found.table)
    )


def _table_of(of: Module) -> str:
    return f"PS3.3 Table {of.reference}" if of.reference else "PS3.3 C"
