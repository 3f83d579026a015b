"""Conditions: the language, its predicates, and those that the standard states."""

import pytest
from pydicom import Dataset

from isocenter.dictionary.elements import tag_for_keyword
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.objects.conditions import MODULE_CONDITIONS, PREDICATES, RULES
from isocenter.objects.file_meta import read_meta
from isocenter.objects.findings import Findings, Severity
from isocenter.objects.instance import Scope
from isocenter.objects.reading import read_elements
from isocenter.objects.rules import parse_rule
from isocenter.objects.tables import module, modules, rows
from tests.objects.samples import checks, code, ct, encode, judge, of_check, report_document


def scope_of(data_set: Dataset) -> Scope:
    content = encode(data_set)
    meta = read_meta(content, Findings())
    assert meta is not None
    body = content[meta.data_set :]
    return Scope(read_elements(body, EXPLICIT_VR_LITTLE_ENDIAN, Findings()).elements)


def met(rule: str, **values: object) -> bool | None:
    data_set = Dataset()
    data_set.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    for keyword, value in values.items():
        setattr(data_set, keyword, value)
    condition = parse_rule(rule, frozenset({0x00280002, 0x00080008, 0x00100040, 0x00080060}))
    assert condition is not None
    return condition.met(scope_of(data_set))


@pytest.mark.parametrize(
    ("rule", "values", "expected"),
    [
        ("present PatientSex", {"PatientSex": "M"}, True),
        ("present PatientSex", {"PatientSex": ""}, True),
        ("value PatientSex", {"PatientSex": ""}, False),
        ("present PatientSex", {}, False),
        ("absent PatientSex", {}, True),
        ("Modality = CT|MR", {"Modality": "MR"}, True),
        ("Modality = CT|MR", {"Modality": "US"}, False),
        ("Modality = CT", {}, False),
        ("Modality != CT", {"Modality": "MR"}, True),
        ("Modality != CT", {}, None),
        ("unless Modality = CT", {}, True),
        ("unless Modality = CT", {"Modality": "CT"}, False),
        ("ImageType#1 = ORIGINAL", {"ImageType": ["ORIGINAL", "PRIMARY"]}, True),
        ("ImageType#1 = ORIGINAL", {"ImageType": ["DERIVED", "ORIGINAL"]}, False),
        ("SamplesPerPixel > 1", {"SamplesPerPixel": 3}, True),
        ("SamplesPerPixel > 1", {"SamplesPerPixel": 1}, False),
        ("SamplesPerPixel > 1", {}, None),
        ("present PatientSex and Modality = CT", {"PatientSex": "", "Modality": "CT"}, True),
        ("present PatientSex and Modality != CT", {"PatientSex": ""}, None),
        ("present PatientSex or Modality != CT", {"PatientSex": ""}, True),
        ("sop CTImageStorage", {}, True),
        ("sop MRImageStorage", {}, False),
        ("never ?", {}, None),
    ],
)
def test_rules_mean_what_they_say(rule: str, values: dict, expected: bool | None) -> None:
    assert met(rule, **values) is expected


def test_a_rule_says_what_holds_otherwise() -> None:
    for ending, otherwise in (("", "unsaid"), (" ?", "allowed"), (" !", "forbidden")):
        condition = parse_rule("present PatientSex" + ending)
        assert condition is not None
        assert condition.otherwise == otherwise


def test_every_rule_of_ours_is_understood() -> None:
    assert all(parse_rule(rule) is not None for rule in RULES.values())


def test_a_rule_about_what_does_not_exist_is_no_rule() -> None:
    assert parse_rule("present NoSuchAttribute") is None


def test_every_rule_of_the_tables_is_understood() -> None:
    seen, todo = set(), [one.table for one in modules().values()]
    while todo:
        table = todo.pop()
        if table in seen:
            continue
        seen.add(table)
        for row in rows(table):
            assert not row.rule or parse_rule(row.rule) is not None, row
            if row.items is not None:
                todo.append(row.items)
    assert len(seen) > 1000


def test_our_conditions_are_about_modules_and_attributes_that_exist() -> None:
    for place in (*RULES, *PREDICATES):
        owner, _, keyword = place.partition("/")
        assert tag_for_keyword(keyword) is not None, place
        if owner != "*" and owner[0].islower() and owner != "multi-frame-functional-groups":
            found = module(owner)
            assert found is not None, owner
            assert keyword in {row.keyword for row in rows(found.table)}, place
    for _, key in MODULE_CONDITIONS:
        assert module(key) is not None


def test_laterality_is_asked_for_of_a_paired_part_of_the_body() -> None:
    data_set = ct()
    data_set.BodyPartExamined = "KNEE"
    (finding,) = of_check(data_set, "type2c-missing")
    assert finding.severity is Severity.ERROR
    del data_set.BodyPartExamined
    (finding,) = of_check(data_set, "type2c-missing")
    assert finding.severity is Severity.WARNING
    assert "may be met" in finding.text


def test_laterality_must_not_be_there_where_there_is_no_side() -> None:
    data_set = ct()
    data_set.Laterality = "L"
    assert checks(data_set, "Laterality") == {"condition-unmet"}


def test_deidentified_objects_say_how() -> None:
    data_set = ct()
    data_set.PatientIdentityRemoved = "YES"
    assert checks(data_set) == {"type1c-missing"}
    data_set.DeidentificationMethod = "by hand"
    assert checks(data_set) == set()


def test_planar_configuration_belongs_to_several_samples() -> None:
    data_set = ct()
    data_set.PlanarConfiguration = 0
    assert "condition-unmet" in checks(data_set, "PlanarConfiguration")


def test_a_code_has_one_of_three_values() -> None:
    data_set = ct()
    data_set.AnatomicRegionSequence = [code("T-A0100", "SRT", "Brain")]
    assert checks(data_set) == set()
    del data_set.AnatomicRegionSequence[0].CodeValue
    assert "type1c-missing" in checks(data_set, "CodeValue")


def test_content_items_need_what_their_value_type_says() -> None:
    data_set = report_document()
    data_set.ContentSequence[0].ValueType = "CODE"
    assert checks(data_set, "ConceptCodeSequence") == {"type1c-missing"}
    assert checks(data_set, "TextValue") == {"condition-unmet"}


def test_content_items_are_judged_at_any_depth() -> None:
    data_set = report_document()
    item = data_set.ContentSequence[0]
    for _ in range(20):
        deeper = Dataset()
        deeper.RelationshipType, deeper.ValueType = "HAS PROPERTIES", "TEXT"
        deeper.ConceptNameCodeSequence = [code("121071", "DCM", "Finding")]
        item.ContentSequence = [deeper]
        item = deeper
    found = of_check(data_set, "type1c-missing")
    assert len(found) == 20
    assert judge(data_set).errors == 20
