"""The Basic Application Confidentiality Profile: what de-identification does to an attribute.

PS3.15 Annex E, Table E.1-1. Where an action names alternatives, the type of the attribute in the
object's IOD decides (PS3.15 E.3.1).
"""

ACTION_MEANINGS = {
    "D": "replace by a dummy value",
    "Z": "empty it, or replace by a dummy value",
    "X": "remove",
    "K": "keep",
    "C": "clean: replace by values without identifying information",
    "U": "replace by a new UID, the same one throughout a set of instances",
    "Z/D": "empty where type 2, dummy where type 1",
    "X/Z": "remove where type 3, empty where type 2",
    "X/D": "remove where type 3, dummy where type 1",
    "X/Z/D": "remove where type 3, empty where type 2, dummy where type 1",
    "X/Z/U*": "remove where type 3, empty where type 2, else new UIDs in its items",
}
"""The codes of PS3.15 Table E.1-1a in words."""


def basic_profile_action(tag: int) -> str | None:
    """The action code for `tag`, None for an attribute that the profile leaves as it is.

    Private elements, curves, and overlay data and comments are told by their groups.
    """
    from isocenter.security._basic_profile_table import ACTIONS

    group, element = tag >> 16, tag & 0xFFFF
    if group % 2 == 1 or 0x5000 <= group <= 0x501E:
        return "X"
    if 0x6000 <= group <= 0x601E and element in (0x3000, 0x4000):
        return "X"
    return ACTIONS.get(tag)


def profile_edition() -> str:
    """The edition of PS3.15 that the table is of."""
    from isocenter.security._basic_profile_table import EDITION

    return EDITION
