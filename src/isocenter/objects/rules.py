"""The conditions of types 1C and 2C: a small language of one line, and the predicates it becomes.

    present UniversalEntityID              the attribute is there
    absent DistanceSourceToDetector ?      it is not; the "?" says: may be present otherwise
    value ResponsiblePerson                it is there and not empty
    sop CTImageStorage|MRImageStorage      the SOP class is one of these
    unless Modality = OT                   it is absent, or none of these
    never ?                                nothing in the data set tells: not judged
    ImageType#1 = ORIGINAL|MIXED           its first value is one of these
    SamplesPerPixel > 1 and absent PlanarConfiguration

A predicate says True, False, or None: not judged. An attribute is looked for where the condition's
own attribute stands, if that place can hold it; else outwards, and in the groups of the same frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from isocenter.dictionary.elements import tag_for_keyword
from isocenter.dictionary.uids import lookup_uid
from isocenter.objects.instance import Scope

Judgement = bool | None
Predicate = Callable[[Scope], Judgement]

Otherwise = Literal["allowed", "forbidden", "unsaid"]
"""What PS3.3 says of an attribute whose condition is not met; unsaid means forbidden in PS3.5."""


class Condition(NamedTuple):
    """When an attribute of type 1C or 2C is required."""

    met: Predicate
    otherwise: Otherwise = "unsaid"
    likely: Predicate | None = None
    """Asked where `met` does not know: True makes a missing attribute a doubt."""


_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x52009229, 0x52009230


def find(scope: Scope, tag: int, local: bool) -> Scope | None:
    """The data set whose `tag` a condition at `scope` means; None where there is none.

    `local` says that it can stand only beside the condition's own attribute.
    """
    if local:
        return scope if scope.has(tag) else None
    holder = scope.holder(tag)
    if holder is not None:
        return holder
    frame = frame_of(scope)
    if frame is None:
        return None
    for groups in (frame, *frame.root.items(_SHARED_GROUPS)[:1]):
        for sequence, element in groups.elements.items():
            if isinstance(element.value, list) and element.value and tag in element.value[0]:
                return groups.items(sequence)[0]
    return None


def frame_of(scope: Scope) -> Scope | None:
    """The item of shared or per-frame functional groups that a scope lies in."""
    while scope.parent is not None:
        if scope.parent is scope.root and scope.sequence in (_SHARED_GROUPS, _PER_FRAME_GROUPS):
            return scope
        scope = scope.parent
    return None


def parse_rule(text: str, beside: frozenset[int] = frozenset()) -> Condition | None:
    """The condition that a rule states; `beside` are the tags that stand beside its attribute.

    None for a rule that names what PS3.6 does not know.
    """
    otherwise: Otherwise = "unsaid"
    if text.endswith(" ?"):
        text, otherwise = text[:-2], "allowed"
    elif text.endswith(" !"):
        text, otherwise = text[:-2], "forbidden"
    for word, join in ((" and ", all_of), (" or ", any_of)):
        if word in text:
            parts = [_parse_term(part, beside) for part in text.split(word)]
            known = [part for part in parts if part is not None]
            return Condition(join(*known), otherwise) if len(known) == len(parts) else None
    term = _parse_term(text, beside)
    return None if term is None else Condition(term, otherwise)


def _parse_term(text: str, beside: frozenset[int]) -> Predicate | None:
    words = text.split(" ", 2)
    if words[0] == "never":
        return _never
    if words[0] == "sop":
        return _sop_class(frozenset(words[1].split("|")))
    if words[0] == "value":
        tag = tag_for_keyword(words[1])
        return None if tag is None else _with_value(tag, tag in beside)
    if words[0] in ("present", "absent"):
        tag = tag_for_keyword(words[1])
        return None if tag is None else _presence(tag, words[0] == "present", tag in beside)
    if words[0] == "unless":
        unwanted = _parse_term(text.removeprefix("unless "), beside)
        return None if unwanted is None else _unless(unwanted)
    name, _, number = words[0].partition("#")
    tag = tag_for_keyword(name)
    if tag is None or len(words) < 3:
        return None
    local = tag in beside
    if words[1] == ">":
        return _greater(tag, int(words[2]), local)
    return _equality(tag, int(number or 0), frozenset(words[2].split("|")), words[1] == "=", local)


def _never(_scope: Scope) -> Judgement:
    return None


def _unless(unwanted: Predicate) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        return unwanted(scope) is not True

    return judge


def _sop_class(keywords: frozenset[str]) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        entry = lookup_uid(scope.root.value(0x00080016))
        return entry is not None and entry.keyword in keywords

    return judge


def _with_value(tag: int, local: bool) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        holder = find(scope, tag, local)
        return holder is not None and holder.has_value(tag)

    return judge


def _presence(tag: int, wanted: bool, local: bool) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        return (find(scope, tag, local) is not None) is wanted

    return judge


def _equality(
    tag: int, number: int, values: frozenset[str], wanted: bool, local: bool
) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        holder = find(scope, tag, local)
        if holder is None:
            return False if local and wanted else None
        found = holder.values(tag)
        if number:
            found = found[number - 1 : number]
        if not found:
            return None
        return any(value in values for value in found) is wanted

    return judge


def _greater(tag: int, bound: int, local: bool) -> Predicate:
    def judge(scope: Scope) -> Judgement:
        holder = find(scope, tag, local)
        number = None if holder is None else holder.integer(tag)
        return None if number is None else number > bound

    return judge


def all_of(*predicates: Predicate) -> Predicate:
    """True where all are; False where one is; else not judged."""

    def judge(scope: Scope) -> Judgement:
        judged = [predicate(scope) for predicate in predicates]
        return False if False in judged else None if None in judged else True

    return judge


def any_of(*predicates: Predicate) -> Predicate:
    """True where one is; False where none is; else not judged."""

    def judge(scope: Scope) -> Judgement:
        judged = [predicate(scope) for predicate in predicates]
        return True if True in judged else None if None in judged else False

    return judge
