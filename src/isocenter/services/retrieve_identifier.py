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


def retrieve_identifier(
    model: InformationModel,
    keys: Sequence[Key],
    base: Elements | None = None,
    level: str | None = None,
) -> Elements:
    """The identifier of a retrieve; without a level, that of the lowest unique key with a value.

    Raises QueryKeyError.
    """
    identifier = build_identifier(keys, base)
    chosen = level or level_of(identifier) or _lowest(model, identifier)
    identifier.pop(QUERY_RETRIEVE_LEVEL, None)
    return with_level(identifier, checked_level(model, chosen))


def identifiers_for_list(
    model: InformationModel,
    uids: Iterable[str],
    keys: Sequence[Key] = (),
    base: Elements | None = None,
    level: str | None = None,
) -> Iterator[Elements]:
    """The identifiers that name each of these UIDs once, some hundred at a time.

    They are UIDs of the level, STUDY where none is given; `keys` name what lies above. Raises
    QueryKeyError, also for a text that is no UID.
    """
    given = build_identifier(keys, base)
    chosen = checked_level(model, level or level_of(given) or "STUDY")
    given.pop(QUERY_RETRIEVE_LEVEL, None)
    if chosen == "PATIENT":
        raise QueryKeyError("A patient has no UID; give a list of studies, series or images.")
    tag = UNIQUE_KEYS[chosen]
    wanted = list(dict.fromkeys(uids))
    for uid in wanted:
        if not is_valid_uid(uid):
            raise QueryKeyError(f"{uid[:80]!r} in the list is no UID; write one UID a line.")
    for start in range(0, len(wanted), UIDS_PER_REQUEST):
        value = "\\".join(wanted[start : start + UIDS_PER_REQUEST]).encode("ascii")
        yield with_level(given | {tag: RawElement("UI", value)}, chosen)


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
