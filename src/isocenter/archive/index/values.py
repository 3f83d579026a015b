"""From a header's bytes to the values of a row. Nothing that a header says is an error here."""

import re
from collections.abc import Iterable, Mapping

from isocenter.archive.index.attributes import SPECIFIC_CHARACTER_SET, IndexAttribute
from isocenter.archive.index.uids import pack_uid
from isocenter.archive.names import MAX_NAME_CHARACTERS
from isocenter.encoding.character_sets import decode_text

MAX_TEXT_CHARACTERS = 128
_MAX_INTEGER = 2**31 - 1

_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d):?(?:(\d\d):?(?:(\d\d)(?:\.(\d{1,6})\d*)?)?)?", re.ASCII)
_CONTROLS = dict.fromkeys((*range(32), 127), " ")

Value = int | str | bytes | None


def column_values(
    attributes: Iterable[IndexAttribute], header: Mapping[int, bytes]
) -> dict[str, Value]:
    """Return a value for the column of each of `attributes`, except for binary ones (US)."""
    character_set = header.get(SPECIFIC_CHARACTER_SET)
    return {
        attribute.column: _value(attribute.vr, header.get(attribute.tag, b""), character_set)
        for attribute in attributes
    }


def _value(vr: str, raw: bytes, character_set: bytes | None) -> Value:
    if vr == "UI":
        return pack_uid(uid_text(raw))
    if not raw:
        return None
    if vr == "IS":
        return integer(raw)
    text = plain_text(
        decode_text(raw, character_set, vr),
        MAX_NAME_CHARACTERS if vr == "PN" else MAX_TEXT_CHARACTERS,
    )
    if vr == "DA":
        return date_number(text)
    if vr == "TM":
        return padded_time(text)
    return text or None


def plain_text(text: str, limit: int = MAX_TEXT_CHARACTERS) -> str:
    """Return `text` clipped, without control characters and the padding around it."""
    clipped = text[:limit]
    if not clipped.isprintable():
        # A lone surrogate cannot be written to any database.
        clipped = clipped.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return clipped.strip(" ")


def uid_text(raw: bytes) -> str:
    """Return a UI value without its padding."""
    return raw.decode("latin-1").strip(" \0")


def integer(raw: bytes) -> int | None:
    """Return an IS value (PS3.5 6.2: at most 12 characters, 32 bits), None for anything else."""
    try:
        number = int(raw[:16].strip(b" \0"))
    except ValueError:
        return None
    return number if abs(number) <= _MAX_INTEGER else None


def date_number(text: str) -> int | None:
    """Return a DA as a number, 20240131; the forms with dots or dashes are understood."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day = match.groups()
    return int(year + month + day) if "01" <= month <= "12" and "01" <= day <= "31" else None


def padded_time(text: str) -> str | None:
    """Return a TM as HHMMSS or HHMMSS.FFFFFF without trailing zeros, so that text order is time's.

    Components that are left out count as zero (PS3.5 6.2).
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds, fraction = match.groups()
    if hours > "23" or (minutes or "") > "59" or (seconds or "") > "60":
        return None
    time = hours + (minutes or "00") + (seconds or "00")
    fraction = (fraction or "").rstrip("0")
    return f"{time}.{fraction}" if fraction else time
