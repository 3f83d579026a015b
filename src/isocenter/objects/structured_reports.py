"""The content tree of structured reports, and the evidence that it refers to: PS3.3 C.17."""

from __future__ import annotations

from isocenter.objects.findings import Findings, Path, name_of
from isocenter.objects.instance import Scope

CONTENT_SEQUENCE = 0x0040A730
_VALUE_TYPE, _RELATIONSHIP = 0x0040A040, 0x0040A010
_CONCEPT_NAME, _REFERENCED_SOP = 0x0040A043, 0x00081199
_INSTANCE, _TEXT, _TEMPLATE = 0x00081155, 0x0040A160, 0x0040A504
_REFERENCED_CONTENT = 0x0040DB73
_EVIDENCE = (0x0040A375, 0x0040A385)
_SERIES, _SOPS = 0x00081115, 0x00081199

VALUE_TYPES = frozenset(
    (
        "TEXT",
        "NUM",
        "CODE",
        "DATETIME",
        "DATE",
        "TIME",
        "UIDREF",
        "PNAME",
        "COMPOSITE",
        "IMAGE",
        "WAVEFORM",
        "SCOORD",
        "SCOORD3D",
        "TCOORD",
        "CONTAINER",
        "TABLE",
    )
)
RELATIONSHIPS = frozenset(
    (
        "CONTAINS",
        "HAS OBS CONTEXT",
        "HAS CONCEPT MOD",
        "HAS PROPERTIES",
        "HAS ACQ CONTEXT",
        "INFERRED FROM",
        "SELECTED FROM",
    )
)
_LEAVES = frozenset({"COMPOSITE", "UIDREF", "PNAME", "DATE", "TIME", "DATETIME"})

MOST_ITEMS = 200_000
"""Content items that are judged."""


def check_content(root: Scope, findings: Findings) -> None:
    """Judge the tree from its root container, and each reference against the evidence lists."""
    if not root.has(CONTENT_SEQUENCE) or not root.value(_VALUE_TYPE):
        return
    if root.value(_VALUE_TYPE) != "CONTAINER":
        _add(findings, "the root of the tree is no CONTAINER", (name_of(_VALUE_TYPE),), _VALUE_TYPE)
    if not root.has_value(_CONCEPT_NAME):
        _add(
            findings, "the root of the tree has no title", (name_of(_CONCEPT_NAME),), _CONCEPT_NAME
        )
    _Tree(root, findings).walk(root, (), "CONTAINER")


class _Tree:
    def __init__(self, root: Scope, findings: Findings) -> None:
        self.findings = findings
        self.evidence = _evidence(root)
        self.left = MOST_ITEMS

    def walk(self, parent: Scope, path: Path, parent_type: str) -> None:
        """Judge the children of a content item, and theirs."""
        for number, item in enumerate(parent.items(CONTENT_SEQUENCE), 1):
            self.left -= 1
            if self.left < 0:
                return
            here: Path = (*path, name_of(CONTENT_SEQUENCE), number)
            if item.has(_REFERENCED_CONTENT):
                continue  # by-reference relationships have no value of their own
            self._item(item, here, parent_type)
            self.walk(item, here, item.value(_VALUE_TYPE))

    def _item(self, item: Scope, path: Path, parent_type: str) -> None:
        value_type, relationship = item.value(_VALUE_TYPE), item.value(_RELATIONSHIP)
        if value_type and value_type not in VALUE_TYPES:
            self._wrong("a content item has a value type that does not exist", path, _VALUE_TYPE)
        if not relationship:
            self._wrong("a content item says no relationship to its parent", path, _RELATIONSHIP)
        elif relationship not in RELATIONSHIPS:
            self._wrong("a relationship type does not exist", path, _RELATIONSHIP)
        elif relationship == "CONTAINS" and parent_type != "CONTAINER":
            self._wrong(
                f"CONTAINS stands below a {parent_type or 'nameless'} item", path, _RELATIONSHIP
            )
        elif relationship == "SELECTED FROM" and parent_type not in ("SCOORD", "TCOORD"):
            self._wrong(
                "SELECTED FROM stands below an item without coordinates", path, _RELATIONSHIP
            )
        if value_type == "SCOORD" and not self._selects_image(item):
            self._wrong("coordinates are selected from no image", path, _VALUE_TYPE)
        if value_type in ("IMAGE", "COMPOSITE", "WAVEFORM"):
            self._references(item, path)

    def _selects_image(self, item: Scope) -> bool:
        return any(
            child.value(_VALUE_TYPE) == "IMAGE" or child.has(_REFERENCED_CONTENT)
            for child in item.items(CONTENT_SEQUENCE)
        )

    def _references(self, item: Scope, path: Path) -> None:
        for number, referenced in enumerate(item.items(_REFERENCED_SOP), 1):
            uid = referenced.value(_INSTANCE)
            if uid and uid not in self.evidence:
                self.findings.add(
                    "sr-evidence",
                    "An instance that the content refers to stands in no evidence sequence.",
                    path=(*path, name_of(_REFERENCED_SOP), number, name_of(_INSTANCE)),
                    tag=_INSTANCE,
                )

    def _wrong(self, clause: str, path: Path, tag: int) -> None:
        _add(self.findings, clause, (*path, name_of(tag)), tag)


def _evidence(root: Scope) -> set[str]:
    """Every instance that the evidence sequences list (PS3.3 C.17.2.3)."""
    return {
        sop.value(_INSTANCE)
        for tag in _EVIDENCE
        for study in root.items(tag)
        for series in study.items(_SERIES)
        for sop in series.items(_SOPS)
    }


def _add(findings: Findings, clause: str, path: Path, tag: int) -> None:
    findings.add("sr-content", f"{clause[0].upper()}{clause[1:]}.", path=path, tag=tag)
