"""At which level of Query/Retrieve an attribute is asked for here (PS3.4 C.6).

A copy of what the index keeps and what the archive counts, free of any database, so that a
command which only looks something up starts at once; a test holds it beside the originals.
"""

from typing import Literal, NamedTuple

LevelName = Literal["PATIENT", "STUDY", "SERIES", "IMAGE"]
Source = Literal["index", "computed", "header"]


class QueryLevel(NamedTuple):
    """The level of an attribute, and where its value comes from when someone asks."""

    level: LevelName
    source: Source


_INDEXED: dict[LevelName, tuple[int, ...]] = {
    "PATIENT": (0x00100010, 0x00100020, 0x00100021, 0x00100030, 0x00100040),
    "STUDY": (
        *(0x00080020, 0x00080030, 0x00080050, 0x00080090, 0x00080201, 0x00081030),
        *(0x00101010, 0x00101020, 0x00101030, 0x0020000D, 0x00200010),
    ),
    "SERIES": (
        *(0x00080021, 0x00080031, 0x00080060, 0x00080070, 0x00080080, 0x00081010, 0x0008103E),
        *(0x00081040, 0x00081050, 0x00081070, 0x00081090, 0x00180015, 0x00181030, 0x0020000E),
        *(0x00200011, 0x00200060, 0x00400244, 0x00400245),
    ),
    "IMAGE": (0x00080016, 0x00080018, 0x00200013, 0x00280008, 0x00280010, 0x00280011),
}
_COMPUTED: dict[LevelName, tuple[int, ...]] = {
    "PATIENT": (0x00080056, 0x00201200, 0x00201202, 0x00201204),
    "STUDY": (0x00080061, 0x00080062, 0x00201206, 0x00201208),
    "SERIES": (0x00201209,),
    "IMAGE": (),
}

_SOURCES: tuple[tuple[dict[LevelName, tuple[int, ...]], Source], ...] = (
    (_INDEXED, "index"),
    (_COMPUTED, "computed"),
)

QUERY_LEVELS: dict[int, QueryLevel] = {
    tag: QueryLevel(level, source)
    for levels, source in _SOURCES
    for level, tags in levels.items()
    for tag in tags
}
"""Every attribute that is matched without reading a stored header."""

_NOT_ASKED_FOR = frozenset({0x0000, 0x0002, 0x7FE0, 0xFFFE})


def query_level(tag: int) -> QueryLevel | None:
    """Where `tag` is matched; None for what is no part of a stored header.

    What is neither indexed nor counted is looked up in the headers of the instances that other
    keys leave over (`find.header_limit`).
    """
    known = QUERY_LEVELS.get(tag)
    if known is not None or tag >> 16 in _NOT_ASKED_FOR:
        return known
    return QueryLevel("IMAGE", "header")
