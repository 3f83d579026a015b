"""The actions of PS3.15 Table E.1-1."""

import pytest

from isocenter.dictionary.elements import lookup_element, tag_for_keyword
from isocenter.security._basic_profile_table import ACTIONS
from isocenter.security.basic_profile import ACTION_MEANINGS, basic_profile_action


@pytest.mark.parametrize(
    ("keyword", "action"),
    [
        ("PatientName", "Z"),
        ("PatientID", "Z/D"),
        ("PatientBirthDate", "Z"),
        ("PatientSex", "Z"),
        ("StudyInstanceUID", "U"),
        ("StudyDate", "Z"),
        ("StudyTime", "Z"),
        ("StudyDescription", "X"),
        ("Rows", None),
        ("HighBit", None),
    ],
)
def test_the_fields_that_everyone_meets_first(keyword: str, action: str | None) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert basic_profile_action(tag) == action


@pytest.mark.parametrize("tag", [0x00091001, 0x60023000, 0x60004000, 0x50000010])
def test_private_elements_curves_and_overlays_go(tag: int) -> None:
    assert basic_profile_action(tag) == "X"


def test_every_action_is_explained_and_every_tag_is_known() -> None:
    assert set(ACTIONS.values()) <= set(ACTION_MEANINGS)
    unknown = {tag for tag in ACTIONS if lookup_element(tag) is None}
    assert unknown == {0x0040E012}  # of edition 2026c, one later than the dictionary's
