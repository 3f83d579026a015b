"""LDIF content records (RFC 2849), as far as a directory of devices needs them.

Folded lines, comments and base64 values are understood. Values by URL are refused: nothing is
fetched because a file says so. Change records describe no state, and are refused too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from isocenter.conformance.errors import UnusableDescription

MOST_ENTRIES = 20_000
MOST_VALUES = 1_000_000
LONGEST_VALUE = 65_536

_SAFE = re.compile(r"[\x21-\x39\x3b\x3d-\x7e][\x20-\x7e]*")
_FOLD = 76


class Entry(NamedTuple):
    """A record: its distinguished name, and values by the attribute's name in lower case."""

    dn: str
    values: Mapping[str, list[str]]


def parse_ldif(text: str) -> list[Entry]:
    """The records of a file. Raises UnusableDescription with the line that is wrong."""
    entries: list[Entry] = []
    values: dict[str, list[str]] = {}
    dn, count = None, 0
    for number, line in [*_unfolded(text.replace("\r\n", "\n").split("\n")), (0, "")]:
        if not line:
            if dn is not None:
                entries.append(Entry(dn, values))
            dn, values = None, {}
            continue
        name, value = _attribute(number, line)
        count += 1
        if len(entries) >= MOST_ENTRIES or count > MOST_VALUES:
            raise UnusableDescription("The LDIF file has more entries than a directory of devices.")
        if name == "version" and dn is None:
            continue
        if name == "changetype":
            raise _wrong(number, "a change record; export the entries themselves")
        if name == "dn":
            if dn is not None:
                raise _wrong(number, "a second dn in one record")
            dn = value
        elif dn is None:
            raise _wrong(number, "an attribute before the dn of its record")
        else:
            values.setdefault(name, []).append(value)
    return entries


def write_ldif(entries: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """Records as text: pairs of a dn and its attributes, in that order."""
    lines = ["version: 1"]
    for dn, attributes in entries:
        lines += ["", *_folded("dn", dn)]
        for name, value in attributes:
            lines += _folded(name, value)
    return "\n".join(lines) + "\n"


def rdn_value(dn: str) -> str:
    """The value of the first part of a dn: "CT1" of "dicomAETitle=CT1,cn=Devices"."""
    return unescape(_parts(dn)[0].partition("=")[2].strip())


def parent(dn: str) -> str:
    """The dn above, as it is compared: in lower case, without spaces around commas."""
    return normal(",".join(_parts(dn)[1:]))


def normal(dn: str) -> str:
    """A dn in the form in which two of them are compared."""
    return ",".join(part.strip() for part in _parts(dn)).lower()


def escape(value: str) -> str:
    """A value as part of a dn (RFC 4514 2.4)."""
    escaped = re.sub(r'([,+"\\<>;=])', r"\\\1", value)
    return re.sub(r"^([ #])|( )$", lambda found: "\\" + found[0], escaped)


def unescape(value: str) -> str:
    """The value that a part of a dn stands for."""
    return re.sub(r"\\(.)", r"\1", value)


def _parts(dn: str) -> list[str]:
    return re.split(r"(?<!\\),", dn)


def _unfolded(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first one; comments are left out."""
    pending: tuple[int, str] | None = None
    for number, line in enumerate(lines, 1):
        if line.startswith(" ") and pending is not None:
            if len(pending[1]) + len(line) > LONGEST_VALUE:
                raise _wrong(number, "a value that is too long")
            pending = pending[0], pending[1] + line[1:]
            continue
        if pending is not None and not pending[1].startswith("#"):
            yield pending
        pending = number, line[:LONGEST_VALUE]
    if pending is not None and not pending[1].startswith("#"):
        yield pending


def _attribute(number: int, line: str) -> tuple[str, str]:
    name, colon, rest = line.partition(":")
    name = name.partition(";")[0].strip().lower()  # options such as languages are left off
    if not colon or not name:
        raise _wrong(number, "neither an attribute nor empty")
    if rest.startswith("<"):
        raise _wrong(number, "a value by URL, which is not fetched")
    if not rest.startswith(":"):
        return name, rest.strip()
    try:
        return name, base64.b64decode(rest[1:].strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        # Certificates and other octets: no field that is read here.
        return name, ""


def _folded(name: str, value: str) -> list[str]:
    plain = value.isascii() and (not value or _SAFE.fullmatch(value)) and not value.endswith(" ")
    line = f"{name}: {value}"
    if not plain:
        line = f"{name}:: {base64.b64encode(value.encode()).decode()}"
    first, rest = line[:_FOLD], line[_FOLD:]
    return [first, *(f" {rest[at : at + _FOLD - 1]}" for at in range(0, len(rest), _FOLD - 1))]


def _wrong(number: int, what: str) -> UnusableDescription:
    return UnusableDescription(f"Line {number} of the LDIF file is {what}.")
