"""Which instances a retrieve is about, and in which order they come."""

import tracemalloc

import pytest

from isocenter.archive.index import Index
from isocenter.archive.query import InvalidQuery
from isocenter.archive.retrieve import StoredInstance, select_instances
from isocenter.archive.study_counts import count_instances
from isocenter.security.access import ALL_STUDIES
from tests.archive.index.entries import CT, EXPLICIT_BE, EXPLICIT_LE, an_entry, store, tag

PATIENT_ID = tag("PatientID")
ISSUER = tag("IssuerOfPatientID")
STUDY, SERIES, IMAGE = tag("StudyInstanceUID"), tag("SeriesInstanceUID"), tag("SOPInstanceUID")


@pytest.fixture
def filled(index: Index) -> Index:
    """Two patients, three studies, five instances in two packs."""
    store(
        index,
        an_entry(1, pack="b.tar", offset=2000),
        an_entry(2, pack="a.tar", offset=5000, syntax=EXPLICIT_BE),
        an_entry(3, pack="b.tar", offset=1000, series="1.2.100.2"),
        an_entry(4, study="1.2.200", series="1.2.200.1", IssuerOfPatientID="HERE"),
        an_entry(5, study="1.2.300", series="1.2.300.1", PatientID="P2"),
    )
    return index


def numbers(index: Index, level: str, keys: dict[int, str], model: str = "STUDY") -> list[int]:
    selection = select_instances(index, model, level, keys, scope=ALL_STUDIES)
    found = [int(each.sop_instance_uid.rpartition(".")[2]) for each in selection]
    assert len(selection) == len(found)
    return found


@pytest.mark.parametrize(
    ("model", "level", "keys", "expected"),
    [
        ("PATIENT", "PATIENT", {PATIENT_ID: "P1"}, {1, 2, 3, 4}),
        ("PATIENT", "PATIENT", {PATIENT_ID: "P1 "}, {1, 2, 3, 4}),
        ("PATIENT", "PATIENT", {PATIENT_ID: "P1", ISSUER: "HERE"}, {4}),
        ("PATIENT", "STUDY", {PATIENT_ID: "P1", STUDY: "1.2.100"}, {1, 2, 3}),
        ("PATIENT", "STUDY", {PATIENT_ID: "P2", STUDY: "1.2.100"}, set()),
        ("STUDY", "STUDY", {STUDY: "1.2.100"}, {1, 2, 3}),
        ("STUDY", "STUDY", {STUDY: "1.2.100\\1.2.300"}, {1, 2, 3, 5}),
        ("STUDY", "STUDY", {STUDY: "1.2.9"}, set()),
        ("STUDY", "SERIES", {SERIES: "1.2.100.1\\1.2.100.2"}, {1, 2, 3}),
        ("STUDY", "SERIES", {STUDY: "1.2.300", SERIES: "1.2.100.1"}, set()),
        ("STUDY", "IMAGE", {IMAGE: "1.2.3.3"}, {3}),
        ("STUDY", "IMAGE", {STUDY: "1.2.100", SERIES: "1.2.100.1", IMAGE: "1.2.3.2"}, {2}),
        ("STUDY", "IMAGE", {STUDY: "", IMAGE: "1.2.3.1\\1.2.3.5\\1.2.3.99"}, {1, 5}),
    ],
)
def test_unique_keys_name_instances(filled: Index, model, level, keys, expected):
    assert set(numbers(filled, level, keys, model)) == expected


@pytest.mark.parametrize(
    ("model", "level", "keys", "offending"),
    [
        ("STUDY", "STUDY", {}, STUDY),
        ("STUDY", "STUDY", {STUDY: ""}, STUDY),
        ("STUDY", "STUDY", {STUDY: "*"}, STUDY),
        ("STUDY", "STUDY", {STUDY: "1.2.*"}, STUDY),
        ("STUDY", "STUDY", {STUDY: "1.2.100", SERIES: "1.2.100.1"}, SERIES),
        ("STUDY", "SERIES", {STUDY: "1.2.100\\1.2.200", SERIES: "1.2.100.1"}, STUDY),
        ("STUDY", "IMAGE", {STUDY: "1.2.100"}, IMAGE),
        ("PATIENT", "PATIENT", {PATIENT_ID: "P1\\P2"}, PATIENT_ID),
        ("PATIENT", "PATIENT", {PATIENT_ID: "P?"}, PATIENT_ID),
        ("STUDY", "PATIENT", {PATIENT_ID: "P1"}, 0x00080052),
        ("STUDY", "", {STUDY: "1.2.100"}, 0x00080052),
        ("STUDY", "FRAME", {STUDY: "1.2.100"}, 0x00080052),
        ("STUDY", "IMAGE", {IMAGE: "\\".join(map(str, range(40_000)))}, IMAGE),
    ],
)
def test_a_broken_identifier_names_its_element(filled: Index, model, level, keys, offending):
    with pytest.raises(InvalidQuery) as caught:
        select_instances(filled, model, level, keys, scope=ALL_STUDIES)
    assert caught.value.offending_tag == offending


def test_ten_thousand_uids_are_no_trouble(filled: Index):
    uids = "\\".join(f"1.2.3.{number}" for number in range(10_000))
    assert set(numbers(filled, "IMAGE", {IMAGE: uids})) == {1, 2, 3, 4, 5}


def test_instances_come_in_the_order_of_the_packs(filled: Index):
    places = [
        (one.pack, one.offset)
        for one in select_instances(filled, "STUDY", "STUDY", {STUDY: "1.2.100"}, scope=ALL_STUDIES)
    ]
    assert places == [("b.tar", 1000), ("b.tar", 2000), ("a.tar", 5000)]


def test_a_place_is_what_the_index_was_told(filled: Index):
    (place,) = select_instances(filled, "STUDY", "IMAGE", {IMAGE: "1.2.3.3"}, scope=ALL_STUDIES)
    assert place == StoredInstance(CT, "1.2.3.3", EXPLICIT_LE, "b.tar", 1000, 132, 900, place.study)
    assert place.dataset_length == 768


def test_the_kinds_are_known_before_anything_is_sent(filled: Index):
    selection = select_instances(filled, "STUDY", "STUDY", {STUDY: "1.2.100"}, scope=ALL_STUDIES)
    assert set(selection.kinds) == {(CT, EXPLICIT_LE), (CT, EXPLICIT_BE)}


def test_what_is_selected_is_counted_by_study_with_its_patient(filled: Index):
    selection = select_instances(
        filled, "PATIENT", "PATIENT", {PATIENT_ID: "P1"}, scope=ALL_STUDIES
    )
    counted = {one.study_instance_uid: one for one in selection.studies}
    assert {uid: dict(one.instances) for uid, one in counted.items()} == {
        "1.2.100": {CT: 3},
        "1.2.200": {CT: 1},
    }
    assert {one.patient_id for one in counted.values()} == {"P1"}
    assert counted["1.2.200"].issuer_of_patient_id == "HERE"
    numbers_of = {one.number for one in selection.studies}
    assert {place.study for place in selection} == numbers_of


def test_instances_are_counted_by_their_uids(filled: Index):
    uids = ["1.2.3.1", "1.2.3.3", "1.2.3.5", "1.2.3.99", *(f"1.9.{n}" for n in range(600))]
    counted = {one.study_instance_uid: one.instances for one in count_instances(filled, uids)}
    assert counted == {"1.2.100": {CT: 2}, "1.2.300": {CT: 1}}


def test_an_instance_that_is_gone_by_then_is_left_out(filled: Index):
    selection = select_instances(filled, "STUDY", "STUDY", {STUDY: "1.2.100"}, scope=ALL_STUDIES)
    filled.forget_records("b.tar", 1500)
    assert [one.sop_instance_uid for one in selection] == ["1.2.3.3", "1.2.3.2"]
    assert len(selection) == 3


def test_a_large_selection_takes_little_memory(index: Index):
    count = 20_000
    for number in range(count):
        index.submit(an_entry(number))
    index.flush()
    tracemalloc.start()
    try:
        selection = select_instances(index, "STUDY", "STUDY", {STUDY: "1.2.100"}, scope=ALL_STUDIES)
        seen = sum(1 for _ in selection)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == count
    assert peak < 3_000_000 + 16 * count  # a place alone takes some 500 bytes
