"""The registry of unique identifiers, PS3.6 Annex A."""

import re
from typing import NamedTuple

from isocenter.dictionary._uid_table import UIDS

MAX_UID_LENGTH = 64
"""PS3.5 9.1: no UID is longer."""

_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


class UIDEntry(NamedTuple):
    """One row of PS3.6 Annex A; `type` is the standard's word, such as "SOP Class"."""

    uid: str
    name: str
    type: str
    keyword: str
    retired: bool


def lookup_uid(uid: str) -> UIDEntry | None:
    """The registry's entry for `uid`, None for a private or unknown one."""
    facts = UIDS.get(uid)
    return None if facts is None else UIDEntry(uid, *facts)


def uid_name(uid: str) -> str:
    """The registered name of `uid`, or `uid` itself where it has none."""
    facts = UIDS.get(uid)
    return (facts[0] if facts else "") or uid


def is_valid_uid(uid: str) -> bool:
    """Whether `uid` is spelled as PS3.5 9.1 wants it: numbers and single dots, 1 to 64 long.

    A component with a leading zero is let through: the standard forbids it, installed devices
    send it, and nothing here reads a component as a number.
    """
    return len(uid) <= MAX_UID_LENGTH and _UID.fullmatch(uid) is not None
