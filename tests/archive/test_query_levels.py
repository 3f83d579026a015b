"""The light copy of what queries know is what queries know."""

import pytest

from isocenter.archive.index.attributes import ATTRIBUTES
from isocenter.archive.query.computed import COLUMNS
from isocenter.archive.query_levels import QUERY_LEVELS, query_level


def test_every_indexed_attribute_has_its_level() -> None:
    indexed = {tag: one.level for tag, one in QUERY_LEVELS.items() if one.source == "index"}
    assert indexed == {attribute.tag: attribute.level.name for attribute in ATTRIBUTES}


def test_every_computed_attribute_has_its_level() -> None:
    assert {tag: one.level for tag, one in QUERY_LEVELS.items()} == {
        tag: column.level.name for tag, column in COLUMNS.items()
    }


def test_any_other_attribute_is_read_from_stored_headers() -> None:
    assert query_level(0x00280102) == ("IMAGE", "header")


@pytest.mark.parametrize("tag", [0x7FE00010, 0x00020010, 0x00000100])
def test_what_no_header_holds_is_at_no_level(tag: int) -> None:
    assert query_level(tag) is None
