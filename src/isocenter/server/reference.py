"""What the standard, and this node, know of a data element, a UID, a VR: answers fit for JSON.

Functions without state, for the command line and for a web page. Nothing but tables is read.
"""

from __future__ import annotations

from typing import Any

from isocenter.archive.query_levels import query_level
from isocenter.dictionary.elements import ElementEntry, format_tag, lookup_element
from isocenter.dictionary.search import find_elements, find_tag, find_uids
from isocenter.dictionary.uids import UIDEntry
from isocenter.dictionary.value_representations import VALUE_REPRESENTATIONS
from isocenter.encoding.value_rules import (
    NUMBER_RANGES,
    check_number,
    check_text,
    split_values,
)
from isocenter.security.basic_profile import ACTION_MEANINGS, basic_profile_action

MOST_PLACES = 200
"""Places inside sequences that are listed of one attribute; codes stand in thousands."""

Facts = dict[str, Any]


def search_elements(text: str, limit: int = 20) -> list[Facts]:
    """What `text` may mean, the likeliest first: a tag, a keyword, or words of a name.

    A private or unknown tag is described too, as far as its number tells.
    """
    found = find_elements(text, limit)
    if not found and (tag := find_tag(text)) is not None:
        return [_unregistered(tag)]
    return [_registered(entry) for entry in found]


def element_facts(tag: int) -> Facts:
    """Everything that is known of one data element, its uses in PS3.3 included."""
    from isocenter.dictionary._element_table import EDITION
    from isocenter.objects.tables import edition
    from isocenter.security.basic_profile import profile_edition

    entry = lookup_element(tag)
    facts = _unregistered(tag) if entry is None else _registered(entry)
    level = query_level(tag)
    action = basic_profile_action(tag)
    facts["editions"] = {"PS3.6": EDITION, "PS3.3": edition(), "PS3.15": profile_edition()}
    facts["query"] = None if level is None else {"level": level.level, "source": level.source}
    facts["basic_profile"] = (
        None if action is None else {"action": action, "meaning": ACTION_MEANINGS[action]}
    )
    facts["value_rules"] = [_vr_facts(vr) for vr in facts["vr"].split(" or ") if vr in _KNOWN]
    facts |= _uses(tag)
    return facts


def uid_facts(entry: UIDEntry) -> Facts:
    """A row of PS3.6 Annex A, and the IOD of a storage SOP class."""
    from isocenter.objects.tables import definition_of

    definition = definition_of(entry.uid) if entry.type == "SOP Class" else None
    facts: Facts = {**entry._asdict(), "iod": None}
    if definition is not None:
        facts["iod"] = {
            "name": definition.name,
            "reference": _reference(definition.reference),
            "modules": [{"module": use.module, "usage": use.usage} for use in definition.modules],
        }
    return facts


def search_uids(text: str, limit: int = 20) -> list[Facts]:
    """The registered UIDs that `text` may mean: the UID, its keyword, or words of its name."""
    return [uid_facts(entry) for entry in find_uids(text, limit)]


def vr_facts(vr: str | None = None) -> list[Facts]:
    """One VR by its two letters in any case, or all of them; empty for letters that are none."""
    if vr is None:
        return [_vr_facts(one) for one in VALUE_REPRESENTATIONS]
    return [_vr_facts(vr.upper())] if vr.upper() in _KNOWN else []


def check_value(vr: str, text: str) -> list[Facts]:
    """What PS3.5 6.2 has against a value that a person typed; several are parted by backslashes.

    Numbers of binary VRs are written in decimal. An empty list says that nothing is wrong.
    """
    vr = vr.partition(" or ")[0]
    problems = []
    for number, value in enumerate(split_values(vr, text), 1):
        if vr in NUMBER_RANGES and vr != "IS":
            try:
                found = list(check_number(vr, int(value[:40]))) if value else []
            except ValueError:
                problems.append({"value": number, "kind": "form", "problem": "is not an integer"})
                continue
        else:
            found = list(check_text(vr, value))
        problems.extend(
            {"value": number, "kind": problem.kind, "problem": problem.clause} for problem in found
        )
    return problems


_KNOWN = frozenset(VALUE_REPRESENTATIONS)


def _vr_facts(vr: str) -> Facts:
    facts: Facts = VALUE_REPRESENTATIONS[vr]._asdict()
    return facts


def _registered(entry: ElementEntry) -> Facts:
    return {
        "tag": format_tag(entry.tag),
        "name": entry.name,
        "keyword": entry.keyword,
        "vr": entry.vr,
        "vm": entry.vm,
        "retired": entry.retired,
    }


def _unregistered(tag: int) -> Facts:
    group, element = tag >> 16, tag & 0xFFFF
    if element == 0:
        name, vr = "Group Length", "UL"
    elif group % 2 == 1 and 0x10 <= element <= 0xFF:
        name, vr = "Private Creator", "LO"
    elif group % 2 == 1:
        name, vr = "Private element", "UN"
    else:
        name, vr = "Unknown element", "UN"
    facts = {"tag": format_tag(tag), "name": name, "keyword": "", "vr": vr, "vm": "1"}
    return {**facts, "retired": element == 0 and group > 2}


def _uses(tag: int) -> Facts:
    """Modules with type, and the IODs through them."""
    from isocenter.objects.uses import definitions_with, uses_of

    uses = uses_of(tag)
    modules = [
        {
            "module": use.module.name,
            "key": use.module.key,
            "reference": _reference(use.module.reference),
            "path": list(use.path),
            "type": use.type,
        }
        for use in uses[:MOST_PLACES]
    ]
    definitions: dict[str, Facts] = {}
    for use in uses:
        if use.path:
            break  # those on the top level come first
        for definition, usage in definitions_with(use.module.key):
            known = definitions.setdefault(
                definition.key,
                {
                    "iod": definition.name,
                    "reference": _reference(definition.reference),
                    "uses": [],
                },
            )
            known["uses"].append({"module": use.module.key, "usage": usage, "type": use.type})
    return {
        "modules": modules,
        "places": len(uses),
        "iods": [definitions[key] for key in sorted(definitions)],
    }


def _reference(number: str) -> str:
    return f"PS3.3 Table {number}" if number else "PS3.3"
