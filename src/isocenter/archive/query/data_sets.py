"""Matching a data set against an identifier, without any database (PS3.4 C.2.2.2).

For what has no columns: worklist items, and the attributes of stored headers that the index does
not keep. Both sides are `Elements` in neutral form (`encoding.recoding`). What a key asks for is
the same as in the index (`criteria`): PN without case and accents, all else as it is written;
numbers by their value; an attribute with several values matches if one of them does.
"""

from collections.abc import Callable, Mapping
from typing import Any

from isocenter.archive.index.values import date_number, padded_time, plain_text
from isocenter.archive.names import person_name_keys
from isocenter.archive.query import date_times, fuzzy_names
from isocenter.archive.query.criteria import (
    STANDARD,
    AnyOf,
    Between,
    Criterion,
    Rules,
    element_name,
    parse_key,
)
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query.wildcards import wildcard
from isocenter.encoding.elements import Elements, RawElement
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, neutral_text

LONGEST_TEXT = 4_096
"""Characters of a value that are compared; what stands behind them is not looked at."""

LONGEST_PATTERN = 1_024
"""Characters of a key; one that is longer matches nothing."""

Condition = Callable[[Elements], bool]

_UNDIVIDED = frozenset({"LT", "ST", "UR", "UT"})  # a backslash is a character there
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})


def matches(identifier: Elements, data_set: Elements, rules: Rules = STANDARD) -> bool:
    """Whether `data_set` has all that `identifier` asks for; see `condition`."""
    return condition(identifier, rules)(data_set)


def condition(identifier: Elements, rules: Rules = STANDARD) -> Condition:
    """What `identifier` asks of a data set, understood once for many data sets.

    Raises:
        InvalidQuery: a key has no meaning for its VR, or a sequence key has several items.
    """
    criteria: dict[int, tuple[str, Criterion]] = {}
    conditions: list[Condition] = []
    for tag, element in identifier.items():
        if tag == SPECIFIC_CHARACTER_SET or not tag & 0xFFFF:
            continue
        if isinstance(element.value, list):
            if (inside := _item_condition(tag, element.value, rules)) is not None:
                conditions.append(inside)
            continue
        text = neutral_text(element)
        criterion = parse_key(tag, element.vr, text, rules, limit=LONGEST_PATTERN)
        if criterion is not None:
            criteria[tag] = (element.vr, criterion)
    if rules.combined_date_time:
        conditions += _combined(criteria)
    conditions += [_value_condition(tag, *asked) for tag, asked in criteria.items()]
    return lambda data_set: all(holds(data_set) for holds in conditions)


def project(identifier: Elements, data_set: Elements, rules: Rules = STANDARD) -> Elements:
    """The attributes of `data_set` that `identifier` names, empty where there are none.

    Of a sequence, those items that match the key's item by `rules`, with the attributes that it
    names; all of it where the key has no item (PS3.4 C.2.2.2.6).
    """
    answer: Elements = {}
    for tag, key in identifier.items():
        if tag == SPECIFIC_CHARACTER_SET or not tag & 0xFFFF:
            continue
        found = data_set.get(tag)
        if found is None:
            answer[tag] = RawElement(key.vr, [] if isinstance(key.value, list) else b"")
        elif isinstance(found.value, list) and isinstance(key.value, list) and any(key.value):
            answer[tag] = RawElement("SQ", _matching_items(key.value[0], found.value, rules))
        else:
            answer[tag] = found
    return answer


def _matching_items(key: Elements, items: list[Elements], rules: Rules) -> list[Elements]:
    wanted = condition(key, rules)
    return [project(key, item, rules) for item in items if wanted(item)]


def _item_condition(tag: int, keys: list[Elements], rules: Rules) -> Condition | None:
    """PS3.4 C.2.2.2.6: the keys of the one item must all be met by one and the same item."""
    if not any(keys):
        return None
    if len(keys) > 1:
        raise InvalidQuery(f"{element_name(tag)} must hold a single item in a query.", tag)
    if not asks_for_anything(keys[0]):
        return None
    inside = condition(keys[0], rules)

    def holds(data_set: Elements) -> bool:
        element = data_set.get(tag)
        return element is not None and any(map(inside, _items(element)))

    return holds


def asks_for_anything(identifier: Elements) -> bool:
    """Whether any key, at any depth, is more than a request to return the attribute."""
    return any(
        any(map(asks_for_anything, value)) if isinstance(value, list) else value.strip(b" *\0")
        for value in (element.value for element in identifier.values())
    )


def _items(element: RawElement) -> list[Elements]:
    return element.value if isinstance(element.value, list) else []


def _value_condition(tag: int, vr: str, criterion: Criterion) -> Condition:
    accepts = _acceptor(vr, criterion)
    empty = isinstance(criterion, AnyOf) and criterion.empty

    def holds(data_set: Elements) -> bool:
        values = _values(data_set.get(tag))
        return any(map(accepts, values)) if values else empty

    return holds


def _values(element: RawElement | None) -> list[str]:
    text = "" if element is None else neutral_text(element)[:LONGEST_TEXT]
    if element is not None and element.vr in _UNDIVIDED:
        return [text] if text.strip(" ") else []
    return [value for part in text.split("\\") if (value := part.strip(" \0"))]


def _acceptor(vr: str, criterion: Criterion) -> Callable[[str], bool]:
    if isinstance(criterion, Between):
        return _between(vr, criterion)
    if vr == "PN":
        return _named(criterion)
    comparable = _comparable(vr)
    wanted = {comparable(str(value)) for value in criterion.values} - {None}
    patterns = [wildcard(pattern) for pattern in criterion.patterns]

    def accepts(value: str) -> bool:
        return comparable(value) in wanted or any(
            pattern(plain_text(value, LONGEST_TEXT)) for pattern in patterns
        )

    return accepts


def _between(vr: str, criterion: Between) -> Callable[[str], bool]:
    comparable: Any = _comparable(vr)
    low, high = criterion

    def accepts(value: str) -> bool:
        point = comparable(value)
        if point is None or (low is not None and point < low):
            return False
        return high is None or bool(point <= high)

    return accepts


def _comparable(vr: str) -> Callable[[str], str | int | float | None]:
    """How to bring a value of `vr` into the form in which it is compared."""
    if vr in _NUMBERS:
        return _number
    return {"DA": _date, "TM": padded_time, "DT": date_times.date_time}.get(vr, _plain)


def _date(text: str) -> int | None:
    return date_number(text.zfill(8))


def _plain(text: str) -> str:
    return plain_text(text, LONGEST_TEXT)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _named(criterion: AnyOf) -> Callable[[str], bool]:
    names = [str(name) for name in (*criterion.values, *criterion.patterns)]
    if criterion.fuzzy:
        return lambda value: any(fuzzy_names.resembles(name, value) for name in names)
    keys = [key for name in names if any(key := person_name_keys(name))]
    return lambda value: any(_is_named(key, person_name_keys(value)) for key in keys)


def _is_named(key: list[str], groups: list[str]) -> bool:
    """As in the index: one component group is sought in all, several must each match theirs."""
    if len(key) == 1:
        return any(_is_group(key[0], group) for group in groups if group)
    if len(groups) < len(key) and any(key[len(groups) :]):
        return False
    return all(_is_group(part, group) for part, group in zip(key, groups, strict=False) if part)


def _is_group(key: str, group: str) -> bool:
    if "*" not in key and "?" not in key:
        return key == group
    # "DOE^*" means the Does without a given name too, whose trailing delimiter is not kept.
    return wildcard(key)(group) or (key.endswith("^*") and wildcard(key[:-2])(group))


def _combined(criteria: dict[int, tuple[str, Criterion]]) -> list[Condition]:
    """Conditions on dates and times that belong together; these are taken out of `criteria`."""
    conditions = []
    for date_tag, time_tag in date_times.PAIRS:
        if date_tag not in criteria or time_tag not in criteria:
            continue
        span = combined_interval(criteria[date_tag][1], criteria[time_tag][1])
        if span is not None:
            del criteria[date_tag], criteria[time_tag]
            conditions.append(_in_interval(date_tag, time_tag, span))
    return conditions


def combined_interval(date: Criterion, time: Criterion) -> date_times.Interval | None:
    """The interval that a date's and a time's criterion mean together, if there is one."""
    if not (isinstance(date, Between) or isinstance(time, Between)):
        return None
    dates, times = _ends(date), _ends(time)
    return None if dates is None or times is None else date_times.interval(dates, times)


def _ends(criterion: Criterion) -> tuple[Any, Any] | None:
    if isinstance(criterion, Between):
        return criterion.low, criterion.high
    if len(criterion.values) != 1 or criterion.empty:
        return None
    return criterion.values[0], criterion.values[0]


def _in_interval(date_tag: int, time_tag: int, span: date_times.Interval) -> Condition:
    def holds(data_set: Elements) -> bool:
        return span.holds(*point_of(data_set, date_tag, time_tag))

    return holds


def point_of(
    data_set: Mapping[int, RawElement], date_tag: int, time_tag: int
) -> tuple[int | None, str | None]:
    """The date and the time of a data set, in the forms of the index."""
    dates, times = _values(data_set.get(date_tag)), _values(data_set.get(time_tag))
    date = date_number(dates[0]) if dates else None
    return date, padded_time(times[0]) if times else None
