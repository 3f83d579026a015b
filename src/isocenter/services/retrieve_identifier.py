"""The identifiers of C-MOVE and C-GET requests (PS3.4 C.4.2.1.4): what is to be retrieved.

A request names objects by unique keys, of which the one of its own level may be a list of UIDs.
Long lists go out in several requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from isocenter.dictionary.uids import MAX_UID_LENGTH, is_valid_uid
from isocenter.encoding.elements import Elements, RawElement
from isocenter.services.information_models import InformationModel
from isocenter.services.query_identifier import (
    QUERY_RETRIEVE_LEVEL,
    build_identifier,
    checked_level,
    level_of,
    with_level,
)
from isocenter.services.query_keys import Key, QueryKeyError

UNIQUE_KEYS = {
    "IMAGE": 0x00080018,
    "SERIES": 0x0020000E,
    "STUDY": 0x0020000D,
    "PATIENT": 0x00100020,
}
"""The unique key of each level (PS3.4 C.6), the lowest level first."""

UIDS_PER_REQUEST = 500
"""An explicit VR "UI" holds 65534 bytes (PS3.5 7.1.2), a thousand of the longest UIDs; peers that
take each UID apart into a condition of a query are happier with fewer."""

assert UIDS_PER_REQUEST * (MAX_UID_LENGTH + 1) < 65534


def retrieve_identifiers(
    model: InformationModel,
    keys: Sequence[Key],
    base: Elements | None = None,
    level: str | None = None,
) -> list[Elements]:
    """The identifiers of a retrieve: one, or several that share out a long list of UIDs.

    Without a level, it is that of the lowest unique key with a value. Raises QueryKeyError.
    """
    identifier = build_identifier(keys, base)
    chosen = level or level_of(identifier) or _lowest(model, identifier)
    identifier.pop(QUERY_RETRIEVE_LEVEL, None)
    identifier = with_level(identifier, checked_level(model, chosen))
    tag = UNIQUE_KEYS[chosen]
    listed = identifier.get(tag)
    if listed is None or not isinstance(listed.value, bytes):
        return [identifier]
    values = listed.value.split(b"\\")
    return [
        identifier | {tag: RawElement(listed.vr, b"\\".join(values[start:][:UIDS_PER_REQUEST]))}
        for start in range(0, len(values), UIDS_PER_REQUEST)
    ]


def uid_list(uids: Iterable[str], level: str | None = None) -> Key:
    """A key for a list of UIDs of a level, of studies where none is given.

    A UID that is listed twice counts once; an empty list has an empty value. Raises QueryKeyError
    for a text that is no UID, and for the level PATIENT.
    """
    if level == "PATIENT":
        raise QueryKeyError("A patient has no UID; list studies, series or images.")
    wanted = list(dict.fromkeys(uids))
    for uid in wanted:
        if not is_valid_uid(uid):
            raise QueryKeyError(f"{uid[:80]!r} in the list is no UID; write one UID a line.")
    return Key(UNIQUE_KEYS[level or "STUDY"], "UI", "\\".join(wanted))


def read_uids(lines: Iterable[str]) -> Iterator[str]:
    """The first word of each line; the rest of it, empty lines and `#` comments are passed over."""
    for line in lines:
        words = line.partition("#")[0].replace(",", " ").split(maxsplit=1)
        if words:
            yield words[0]


def _lowest(model: InformationModel, identifier: Elements) -> str:
    for level, tag in UNIQUE_KEYS.items():
        if (element := identifier.get(tag)) is not None and element.value:
            if level == "PATIENT" and level not in model.levels:
                break
            return level
    raise QueryKeyError(
        "Name what is wanted by StudyInstanceUID, SeriesInstanceUID or SOPInstanceUID, or in the "
        "Patient Root model by PatientID."
    )
