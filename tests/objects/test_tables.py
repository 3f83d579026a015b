"""The tables of PS3.3: complete, loaded once, and saying what the standard says."""

import pytest

from isocenter.dictionary.elements import lookup_element, tag_for_keyword
from isocenter.dictionary.sop_classes import STORAGE_SOP_CLASSES
from isocenter.dictionary.uids import lookup_uid
from isocenter.objects.tables import (
    definition_of,
    definitions,
    edition,
    module,
    modules,
    rows,
    sop_classes_of,
)
from isocenter.objects.uses import definitions_with, uses_of

CT = "1.2.840.10008.5.1.4.1.1.2"


def types_of(key: str) -> dict[str, str]:
    found = module(key)
    assert found is not None
    return {row.keyword: row.type for row in rows(found.table)}


def test_there_are_175_iods_of_edition_2026() -> None:
    assert len(definitions()) == 175
    assert edition() == "2026b"


def test_a_ct_image_has_its_modules() -> None:
    definition = definition_of(CT)
    assert definition is not None
    assert (definition.name, definition.reference) == ("CT Image", "A.3-1")
    usage = dict(definition.modules)
    assert usage["patient"] == usage["image-plane"] == usage["ct-image"] == "M"
    assert usage["contrast-bolus"] == "C"
    assert usage["specimen"] == "U"
    assert sop_classes_of("ct-image") == [CT]


def test_attributes_have_the_types_of_the_standard() -> None:
    assert types_of("patient")["PatientName"] == "2"
    assert types_of("general-study")["StudyInstanceUID"] == "1"
    assert types_of("image-pixel")["PlanarConfiguration"] == "1C"
    assert types_of("general-study")["StudyDescription"] == "3"


def test_every_table_can_be_read_and_names_known_elements() -> None:
    tables = {one.table for one in modules().values()}
    while tables:
        below = set()
        for table in tables:
            for row in rows(table):
                assert lookup_element(row.tag) is not None, row
                assert row.type in ("1", "1C", "2", "2C", "3")
                if row.items is not None:
                    assert row.items != table
                    below.add(row.items)
        tables = below


def test_every_sop_class_of_the_tables_is_registered() -> None:
    for definition in definitions().values():
        for uid in sop_classes_of(definition.key):
            assert lookup_uid(uid) is not None, uid


def test_every_storage_sop_class_in_use_has_an_iod() -> None:
    without = {
        entry.name
        for uid in STORAGE_SOP_CLASSES
        if (entry := lookup_uid(uid)) and not entry.retired and definition_of(uid) is None
    }
    # Objects of DICONDE and DICOS are defined by those standards, not by PS3.3.
    assert {name for name in without if name} <= {
        name for name in without if name.startswith(("DICOS", "Eddy Current"))
    }


def test_a_retired_ultrasound_class_is_judged_by_its_successor() -> None:
    definition = definition_of("1.2.840.10008.5.1.4.1.1.6")
    assert definition is not None
    assert definition.key == "ultrasound-image"


def test_a_private_sop_class_has_no_iod() -> None:
    assert definition_of("1.2.3.4") is None


@pytest.mark.parametrize(
    ("keyword", "key", "type_"),
    [
        ("PatientName", "patient", "2"),
        ("PatientBirthDate", "patient", "2"),
        ("StudyDate", "general-study", "2"),
        ("Rows", "image-pixel", "1"),
    ],
)
def test_uses_name_module_and_type(keyword: str, key: str, type_: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    uses = uses_of(tag)
    assert (key, (), type_) in [(use.module.key, use.path, use.type) for use in uses]
    assert any(definition.key == "ct-image" for definition, _ in definitions_with(key))


def test_uses_inside_sequences_have_their_path() -> None:
    uses = uses_of(0x00280030)  # Pixel Spacing
    paths = {use.path[-1] for use in uses if use.path}
    assert "PixelMeasuresSequence" in paths
