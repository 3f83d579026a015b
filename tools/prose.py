"""Conditions and value lists, read from the descriptions of attributes in PS3.3 (make_objects).

Only sentences that a small grammar understands from end to end become facts: whatever is left
over makes a condition "not judged", never a guess. What comes out is the rule language of
`isocenter.objects.rules`, and value lists without any wording.
"""

import html
import re
from collections.abc import Callable
from typing import NamedTuple

_REFERENCE = re.compile(
    r"(?:[A-Z][\w'/&().,-]*\s+(?:[\w'/&-]+\s+){0,9}?)\(([0-9A-F]{4}),([0-9A-F]{4})\)"
)
_REQUIRED = re.compile(
    r"(?:Shall be present|Required)(?: only)? (?:if|when) (?P<body>.+?)"
    r"(?P<rest>[.;]\s*(?:[Mm]ay be present|[Ss]hall not be present|[Mm]ay not be present)[^.]*)?"
    r"(?:\.(?!\d)|$)"
)
_VALUE = r"(?:\"[^\"]+\"|[A-Z0-9][A-Z0-9_]*(?: [A-Z0-9_]+){0,3})"
_VALUES = rf"(?P<values>{_VALUE}(?:, {_VALUE})*(?:,? or {_VALUE})?)"
_IS = (
    r"(?:is present and (?:the value is|has a value of|equals) |is present with a value of |"
    r"is equal to |is |equals |equal to |has (?:the|a) value (?:of )?|has Value |value is )"
    r"(?:either )?(?:the value )?"
)
_OF = r"(?:the |a )?(?:value (?:of|for) )?"
_CLAUSES = (
    (rf"@(?P<tag>\w+)(?:,)? Value (?P<number>\d) {_IS}not {_VALUES}", "!="),
    (rf"@(?P<tag>\w+)(?:,)? Value (?P<number>\d) {_IS}{_VALUES}", "="),
    (rf"Value (?P<number>\d) of @(?P<tag>\w+) {_IS}{_VALUES}", "="),
    (rf"the value of Value (?P<number>\d) of @(?P<tag>\w+) {_IS}{_VALUES}", "="),
    (r"@(?P<tag>\w+) is (?:not present|absent)", "absent"),
    (r"@(?P<tag>\w+) is present(?: and has a value)?", "present"),
    (r"@(?P<tag>\w+) (?:is|has a value) greater than (?:the value )?(?P<bound>\d+)", ">"),
    (rf"{_OF}@(?P<tag>\w+)(?: value)? (?:is|does) not (?:equal(?: to)? )?{_VALUES}", "!="),
    (rf"{_OF}@(?P<tag>\w+)(?: value)?,? {_IS}{_VALUES}", "="),
    (r"(?:the )?@(?P<tag>\w+) value is the code for .*", None),
)  # fmt: skip
_PATTERNS = [(re.compile(pattern), kind) for pattern, kind in _CLAUSES]


class ValueList(NamedTuple):
    """Values of an attribute: `kind` E (enumerated) or D (defined terms), `number` 0 for all."""

    kind: str
    number: int
    values: tuple[str, ...]


def plain(description: str) -> str:
    """The text of a description without its markup."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", description))).strip()


def condition(description: str, keyword_of: Callable[[int], str | None]) -> str | None:
    """The rule for a description, None where its sentence is not understood whole."""
    text = plain(description)
    matches = list(_REQUIRED.finditer(text))
    if len(matches) != 1:
        return None
    body = matches[0]["body"]
    rest = (matches[0]["rest"] or "") + text[matches[0].end() :]
    if re.search(r"otherwise,? if|only if|Required|if and only", rest + body):
        return None
    body, inline, more = body.partition(", may be present otherwise")
    if more:
        return None
    body = _REFERENCE.sub(lambda match: f"@{match[1]}{match[2]}", body.strip())
    rule = _expression(body, keyword_of)
    if rule is None:
        return None
    if inline or re.search(r"[Mm]ay be present (?:otherwise|even|in other|if|only)", rest):
        return rule + " ?"
    return rule + " !" if re.search(r"(?:[Ss]hall|[Mm]ay) not be present otherwise", rest) else rule


def _expression(body: str, keyword_of: Callable[[int], str | None]) -> str | None:
    whole = _clause(body, keyword_of)
    if whole is not None:
        return whole
    for word in ("and", "or"):
        parts = re.split(rf",? {word} (?=(?:if )?(?:the |a )?(?:value of )?@|Value \d of)", body)
        if len(parts) > 1:
            rules = [_clause(part.removeprefix("if "), keyword_of) for part in parts]
            if all(rules):
                return f" {word} ".join(str(rule) for rule in rules)
    return None


def _clause(text: str, keyword_of: Callable[[int], str | None]) -> str | None:
    for pattern, kind in _PATTERNS:
        match = pattern.fullmatch(text.strip().removeprefix("either ").strip())
        if match is None:
            continue
        keyword = keyword_of(int(match["tag"], 16)) if kind and len(match["tag"]) == 8 else None
        if keyword is None:
            return None
        found = match.groupdict()
        name = f"{keyword}#{found['number']}" if found.get("number") else keyword
        if kind in ("present", "absent"):
            return f"{kind} {name}"
        if kind == ">":
            return f"{name} > {found['bound']}"
        return f"{name} {kind} {'|'.join(_split_values(found['values']))}"
    return None


def _split_values(text: str) -> list[str]:
    return [value.strip(' "') for value in re.split(r",? or |, ", text) if value.strip(' "')]


_BLOCK = re.compile(
    r"<strong>\s*(?P<kind>Enumerated Values?|Defined Terms?)"
    r"(?: for [Vv]alue (?P<number>\d+)[^:<]*|\s*(?P<other>[^:<]*)):?\s*</strong>\s*</p>"
    r"\s*<dl>(?P<list>.*?)</dl>",
    re.S,
)
_TERM = re.compile(r"<dt>(.*?)</dt>", re.S)
_IS_VALUE = re.compile(r"[A-Z0-9_ ]{1,16}|[A-Za-z0-9/._-]+")
_HEXADECIMAL = re.compile(r"([0-9A-F]{4})H")


def _number(term: str) -> str:
    """0001H as people write it in data sets: 1."""
    match = _HEXADECIMAL.fullmatch(term)
    return str(int(match[1], 16)) if match else term


def value_lists(description: str) -> tuple[ValueList, ...]:
    """The value lists of a description; lists for the same value are joined.

    A list that holds in a stated situation only ("When ...") is left out: the union of what
    such lists allow would be a guess.
    """
    joined: dict[tuple[str, int], list[str]] = {}
    for match in _BLOCK.finditer(description):
        if (match["other"] or "").strip():
            return ()
        terms = [_number(plain(term)) for term in _TERM.findall(match["list"])]
        if not all(map(_IS_VALUE.fullmatch, terms)):
            return ()  # patterns such as "CS000-CS999" and lists that end with "etc."
        key = (match["kind"][0], int(match["number"] or 0))
        known = joined.setdefault(key, [])
        known.extend(term for term in terms if term and term not in known)
    kinds = {number: kind for kind, number in joined}
    # Tags are listed with names and in a form of their own; none of these lists is usable.
    if any(re.fullmatch(r"[0-9A-F]{8}H?", term) for terms in joined.values() for term in terms):
        return ()
    return tuple(
        ValueList(kind, number, tuple(values))
        for (kind, number), values in joined.items()
        # Where both kinds are given for the same value, terms may be added: none is an error.
        if values and (kind == "D" or kinds[number] == "E")
    )
