"""What a value of each VR may look like, PS3.5 6.2: one value at a time, or a value field.

Judged is the form alone; what a value means is for PS3.3. A finding never quotes the value.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from isocenter.dictionary.value_representations import VALUE_REPRESENTATIONS


class ValueProblem(NamedTuple):
    """What is wrong with a value: a stable word for it, and a clause to follow its name."""

    kind: str
    """ "length", "characters", "form" or "range"."""
    clause: str


NUMBER_RANGES: dict[str, tuple[int, int]] = {
    "US": (0, 0xFFFF),
    "SS": (-0x8000, 0x7FFF),
    "UL": (0, 0xFFFFFFFF),
    "SL": (-0x80000000, 0x7FFFFFFF),
    "UV": (0, (1 << 64) - 1),
    "SV": (-(1 << 63), (1 << 63) - 1),
    "IS": (-0x80000000, 0x7FFFFFFF),
}
"""The smallest and the largest number of the integer VRs."""

SINGLE_VALUED_TEXT = frozenset({"LT", "ST", "UR", "UT"})
"""VRs in which a backslash is a character, not the end of a value (PS3.5 6.4)."""

# Control characters other than ESC, which introduces code extensions (PS3.5 6.1.3).
_CONTROL = re.compile(r"[\x00-\x1A\x1C-\x1F\x7F]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0B\x0E-\x1A\x1C-\x1F\x7F]")

_UID_COMPONENT = re.compile(r"0|[1-9][0-9]*")
_CODE_STRING = re.compile(r"[A-Z0-9_ ]*")
_AGE = re.compile(r"[0-9]{3}[DWMY]")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_RETIRED_DATE = re.compile(r"[0-9]{4}\.[0-9]{2}\.[0-9]{2}")
_TIME = re.compile(r"([0-9]{2})(?:([0-9]{2})(?:([0-9]{2})(?:\.[0-9]{1,6})?)?)?")
_RETIRED_TIME = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?")
_DATE_TIME = re.compile(
    r"([0-9]{4})(?:([0-9]{2})(?:([0-9]{2})"
    r"([0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)?)?)?([+-][0-9]{4})?"
)
_DECIMAL = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *")
_INTEGER = re.compile(r" *[+-]?[0-9]+ *")


def check_text(vr: str, value: str) -> Iterator[ValueProblem]:
    """What PS3.5 6.2 has against one `value` of a text VR, its padding already removed.

    An empty value is always in order: whether it may be empty is a question of types (PS3.5 7.4).
    """
    if not value:
        return
    if vr == "PN":
        yield from check_person_name(value)
        return
    known = VALUE_REPRESENTATIONS.get(vr)
    if known is None or known.kind not in ("text", "number"):
        return
    if known.maximum is not None and len(value) > known.maximum:
        yield ValueProblem("length", f"has {len(value)} characters where {known.maximum} may be")
    form = _FORMS.get(vr)
    if form is not None:
        yield from form(value)
    elif (_CONTROL_IN_TEXT if vr in ("LT", "ST", "UT") else _CONTROL).search(value):
        yield ValueProblem("characters", "holds a control character")
    elif "\\" in value and vr not in SINGLE_VALUED_TEXT:
        yield ValueProblem("characters", "holds a backslash, which ends a value")


def check_number(vr: str, value: int) -> Iterator[ValueProblem]:
    """Whether `value` lies in the range of an integer VR."""
    smallest, largest = NUMBER_RANGES.get(vr, (value, value))
    if not smallest <= value <= largest:
        yield ValueProblem("range", f"is not between {smallest} and {largest}")


def check_person_name(value: str) -> Iterator[ValueProblem]:
    """PS3.5 6.2.1: three component groups at most, five components in each, 64 characters."""
    groups = value.split("=")
    if len(groups) > 3:
        yield ValueProblem("form", f"has {len(groups)} component groups where three may be")
    for group in groups:
        if len(group) > 64:
            yield ValueProblem(
                "length", f"has a component group of {len(group)} characters where 64 may be"
            )
        if group.count("^") > 4:
            yield ValueProblem("form", "has more than five components in a group")
    if _CONTROL.search(value):
        yield ValueProblem("characters", "holds a control character")
    elif "\\" in value:
        yield ValueProblem("characters", "holds a backslash, which ends a value")


def check_uid(value: str) -> Iterator[ValueProblem]:
    """PS3.5 9.1: numbers between single dots, none with a leading zero, and a known root."""
    if not re.fullmatch(r"[0-9.]+", value):
        yield ValueProblem("characters", "holds something else than digits and dots")
        return
    components = value.split(".")
    if not all(components):
        yield ValueProblem("form", "has an empty component: two dots together, or one at an end")
        return
    if not all(map(_UID_COMPONENT.fullmatch, components)):
        yield ValueProblem("form", "has a component with a leading zero")
    # ITU-T X.660: three roots, and 0 to 39 below the first two. Comparing texts, since nobody
    # bounds a component's length before the whole is known to be short.
    second = components[1].lstrip("0") if len(components) > 1 else ""
    if components[0] not in ("0", "1", "2"):
        yield ValueProblem("form", "does not begin with 0, 1 or 2, the roots of all identifiers")
    elif components[0] != "2" and (len(second) > 2 or int(second or 0) > 39):
        yield ValueProblem("form", "has a second component that does not exist below its root")


def _check_application_entity(value: str) -> Iterator[ValueProblem]:
    if not value.strip(" "):
        yield ValueProblem("form", "consists of spaces alone")
    elif not value.isascii() or _CONTROL.search(value) or "\x1b" in value or "\\" in value:
        yield ValueProblem("characters", "holds a character that no AE title may have")


def _check_code_string(value: str) -> Iterator[ValueProblem]:
    if not _CODE_STRING.fullmatch(value):
        yield ValueProblem("characters", "holds something else than capitals, digits, space and _")


def _check_age(value: str) -> Iterator[ValueProblem]:
    if not _AGE.fullmatch(value):
        yield ValueProblem("form", "is not three digits and one of D, W, M, Y")


def _check_date(value: str) -> Iterator[ValueProblem]:
    match = _DATE.fullmatch(value)
    if match is None:
        retired = ", but the form with dots of ACR-NEMA" if _RETIRED_DATE.fullmatch(value) else ""
        yield ValueProblem("form", f"is not a date YYYYMMDD{retired}")
    elif not _is_day(match[1], match[2], match[3]):
        yield ValueProblem("range", "is no day of the calendar")


def _check_time(value: str) -> Iterator[ValueProblem]:
    match = _TIME.fullmatch(value)
    if match is None:
        retired = ", but the form with colons of ACR-NEMA" if _RETIRED_TIME.fullmatch(value) else ""
        yield ValueProblem("form", f"is not a time HHMMSS.FFFFFF{retired}")
    elif not _is_time(match[1], match[2], match[3]):
        yield ValueProblem("range", "is no time of a day")


def _check_date_time(value: str) -> Iterator[ValueProblem]:
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        yield ValueProblem("form", "is not YYYYMMDDHHMMSS.FFFFFF&ZZXX or a beginning of it")
        return
    year, month, day, time, offset = match.groups()
    in_order = _is_day(year, month or "01", day or "01")
    if in_order and time:
        in_order = _is_time(time[0:2], time[2:4], time[4:6])
    if not in_order:
        yield ValueProblem("range", "is no moment of the calendar")
    # PS3.5 6.2: the offset lies between -1200 and +1400, and -0000 is not used.
    if offset and (offset == "-0000" or not -1200 <= int(offset) <= 1400):
        yield ValueProblem("range", "has an offset from UTC that no place on Earth has")


def _check_decimal(value: str) -> Iterator[ValueProblem]:
    if not _DECIMAL.fullmatch(value):
        yield ValueProblem("form", "is not a decimal number")


def _check_integer(value: str) -> Iterator[ValueProblem]:
    if not _INTEGER.fullmatch(value):
        yield ValueProblem("form", "is not an integer")
    elif len(value) <= 32:  # a longer one is too long already, and int() has its own limit
        yield from check_number("IS", int(value))


def _check_resource_identifier(value: str) -> Iterator[ValueProblem]:
    if value.startswith(" "):
        yield ValueProblem("form", "begins with a space")
    elif not value.isascii() or re.search(r"[\x00-\x20\x7F\\<>\"{}|^`]", value):
        yield ValueProblem("characters", "holds a character that no URI may have")


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _is_time(hours: str, minutes: str | None, seconds: str | None) -> bool:
    # 60 is a leap second (PS3.5 6.2, TM).
    return int(hours) < 24 and int(minutes or 0) < 60 and int(seconds or 0) <= 60


_FORMS: dict[str, Callable[[str], Iterator[ValueProblem]]] = {
    "AE": _check_application_entity,
    "AS": _check_age,
    "CS": _check_code_string,
    "DA": _check_date,
    "DS": _check_decimal,
    "DT": _check_date_time,
    "IS": _check_integer,
    "TM": _check_time,
    "UI": check_uid,
    "UR": _check_resource_identifier,
}


def split_values(vr: str, text: str) -> list[str]:
    """The values of a text, without padding: leading spaces mean nothing in some VRs only."""
    if vr in SINGLE_VALUED_TEXT:
        return [text.rstrip(" \0")]
    if vr in ("AE", "CS", "DS", "IS", "LO", "SH"):
        return [value.strip(" \0") for value in text.split("\\")]
    return [value.rstrip(" \0") for value in text.split("\\")]


def check_multiplicity(vm: str, count: int) -> bool:
    """Whether `count` values satisfy `vm`, as PS3.6 writes it: "1", "1-3", "3-3n", "1 or 2"."""
    return any(_satisfies(one.strip(), count) for one in vm.split(" or "))


def _satisfies(vm: str, count: int) -> bool:
    least, _, most = vm.partition("-")
    if not most:
        return not least.isdecimal() or count == int(least)
    if not least.isdecimal():
        return True
    if most.endswith("n"):
        step = int(most[:-1] or 1)
        return count >= int(least) and count % step == 0
    return int(least) <= count <= int(most)
