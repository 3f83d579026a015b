"""What extended negotiation changes about a query of the index (PS3.4 C.5.1.1)."""

from collections.abc import Iterator
from typing import Any

import pytest

from isocenter.archive.index import Index
from isocenter.archive.query import InvalidQuery, Rules, patterns, watch
from isocenter.archive.query.model import Model
from tests.archive.index.entries import CT, an_entry, store, tag
from tests.support.identifiers import find_texts

COMBINED = Rules(combined_date_time=True)
EMPTY = Rules(empty_values=True)
FUZZY = Rules(fuzzy_names=True)
ZONED = Rules(timezone_adjustment=True)
UID, ZONE = tag("StudyInstanceUID"), tag("TimezoneOffsetFromUTC")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Four studies of four patients."""
    with Index.open(tmp_path_factory.mktemp("negotiated") / "index.sqlite") as index:
        store(
            index,
            an_entry(
                1, study="1.1", series="1.1.1", PatientID="P1", PatientName="Schmidt^Karl",
                StudyDate="20240130", StudyTime="2300", TimezoneOffsetFromUTC="+0100",
                AccessionNumber="A1", Modality="CT", ReferringPhysicianName="Meyer^Eva",
            ),
            an_entry(
                2, study="1.2", series="1.2.1", PatientID="P2", PatientName="Smith^John^Q",
                StudyDate="20240131", StudyTime="1015", Modality="MR",
                ReferringPhysicianName="Smythe^J\\Maier^E",
            ),
            an_entry(
                3, study="1.3", series="1.3.1", PatientID="P3", StudyDate="20240131",
                PatientName="Yamada^Hanako=山田^花子".encode(), SpecificCharacterSet="ISO_IR 192",
                AccessionNumber="A3", IssuerOfPatientID="X",
            ),
            an_entry(4, study="1.4", series="1.4.1", PatientID="P4", StudyTime="12"),
        )  # fmt: skip
        yield index


def studies(index: Index, rules: Rules, model: Model = "STUDY", **keys: str) -> str:
    tags: dict[int, Any] = {UID: "", **{tag(keyword): text for keyword, text in keys.items()}}
    found = find_texts(index, model, "STUDY", tags, rules=rules, relational=True)
    return " ".join(sorted(match[UID].removeprefix("1.") for match in found))


@pytest.mark.parametrize(
    ("date", "time", "apart", "combined"),
    [
        ("20240130-20240131", "2200-1100", "", "1 2 3"),
        ("20240130-20240131", "2330-1100", "", "2 3"),
        ("20240130-20240131", "0900-1100", "2", "1 2 3"),
        ("20240131-", "1000-", "2", "2 3"),
        ("20240131-", "1100-", "", "3"),
        ("-20240131", "-1000", "", "1 3"),
        ("-20240131", "1000-", "1 2", "1 2"),
        ("20240131", "1000-1100", "2", "2 3"),
        ("20240130\\20240131", "1000-", "1 2", "1 2"),
    ],
)
def test_dates_and_times_may_be_one_point(
    archive: Index, date: str, time: str, apart: str, combined: str
) -> None:
    keys = {"StudyDate": date, "StudyTime": time}
    assert studies(archive, Rules(), **keys) == apart
    assert studies(archive, COMBINED, **keys) == combined


@pytest.mark.parametrize(
    ("keyword", "value", "found"),
    [
        ("AccessionNumber", '""', "2 4"),
        ("AccessionNumber", '""\\A1', "1 2 4"),
        ("StudyDate", '""', "4"),
        ("StudyTime", '""', "3"),
        ("PatientName", '""', "4"),
        ("ReferringPhysicianName", '""', "3 4"),
        ("IssuerOfPatientID", '""', "1 2 4"),
        ("ModalitiesInStudy", '""', "3 4"),
        ("ModalitiesInStudy", '""\\CT', "1 3 4"),
        ("SOPClassesInStudy", '""', ""),
        ("StudyInstanceUID", '""', ""),
    ],
)
def test_two_quotes_find_what_has_no_value(
    archive: Index, keyword: str, value: str, found: str
) -> None:
    assert studies(archive, EMPTY, **{keyword: value}) == found


def test_two_quotes_mean_nothing_unless_negotiated(archive: Index) -> None:
    assert studies(archive, Rules(), AccessionNumber='""') == ""
    with pytest.raises(InvalidQuery):
        studies(archive, Rules(), StudyDate='""')


@pytest.mark.parametrize(
    ("keyword", "name", "found"),
    [
        ("PatientName", "Carl Schmitt", "1"),
        ("PatientName", "john smith", "2"),
        ("PatientName", "smyth", "1 2"),
        ("PatientName", "花子", "3"),
        ("PatientName", "Hanako^Yamada", "3"),
        ("PatientName", "Nobody", ""),
        ("PatientName", "^", ""),
        ("PatientName", "Nobody\\Hanako", "3"),
        ("ReferringPhysicianName", "Mayer", "1 2"),
        ("ReferringPhysicianName", "J Smith", "2"),
        ("ReferringPhysicianName", "Maier^J", ""),
    ],
)
def test_names_may_be_fuzzy(archive: Index, keyword: str, name: str, found: str) -> None:
    assert studies(archive, FUZZY, **{keyword: name}) == found


def test_more_fuzzy_names_than_can_be_compared_are_refused(archive: Index) -> None:
    names = "\\".join(f"NOBODY{number}" for number in range(8))
    assert studies(archive, FUZZY, PatientName=names) == ""
    with pytest.raises(InvalidQuery, match="too many names"):
        studies(archive, FUZZY, PatientName=names + "\\Smith")


def in_zone(index: Index, zone: str, **keys: str) -> list[tuple[str, ...]]:
    asked = {"StudyDate": "", "StudyTime": "", **keys}
    tags: dict[int, Any] = {UID: "", ZONE: zone, **{tag(k): text for k, text in asked.items()}}
    answered = (UID, tag("StudyDate"), tag("StudyTime"), ZONE)
    matches = find_texts(index, "STUDY", "STUDY", tags, rules=ZONED)
    return sorted(tuple(match[each] for each in answered) for match in matches)


def test_times_are_answered_in_the_zone_of_the_asker(archive: Index) -> None:
    """The other studies' zone is not known, so nothing is claimed about it."""
    assert in_zone(archive, "+0300", StudyDate="20240131") == [
        ("1.1", "20240131", "010000", "+0300"),
        ("1.2", "20240131", "101500", ""),
        ("1.3", "20240131", "", ""),
    ]


def test_dates_are_matched_in_the_zone_of_the_asker(archive: Index) -> None:
    assert in_zone(archive, "+0300", StudyDate="20240130") == []
    assert [match[0] for match in in_zone(archive, "+0000", StudyDate="20240130")] == ["1.1"]
    assert [match[0] for match in in_zone(archive, "+0300", StudyTime="0100")] == ["1.1"]


def test_only_what_was_asked_for_is_answered_in_another_zone(archive: Index) -> None:
    keys: dict[int, Any] = {UID: "", ZONE: "+0300", tag("StudyDate"): "20240131"}
    matches = list(find_texts(archive, "STUDY", "STUDY", keys, rules=ZONED))
    assert all(match.keys() == {UID, ZONE, tag("StudyDate")} for match in matches)
    assert len(matches) == 3


def test_without_negotiation_no_zone_changes_anything(archive: Index) -> None:
    keys: dict[int, Any] = {UID: "1.1", ZONE: "+0300", tag("StudyDate"): ""}
    (match,) = find_texts(archive, "STUDY", "STUDY", keys)
    assert match[tag("StudyDate")] == "20240130"
    assert match[ZONE] == "+0100"


def test_patient_study_only_has_two_levels(archive: Index) -> None:
    """PS3.4 C.6.3, retired: for old peers."""
    assert studies(archive, Rules(), "PATIENT_STUDY", PatientID="P1") == "1"
    patients = find_texts(archive, "PATIENT_STUDY", "PATIENT", {tag("PatientID"): ""})
    assert len(list(patients)) == 4
    for level in ("SERIES", "IMAGE"):
        with pytest.raises(InvalidQuery, match=r"PATIENT, STUDY in the Patient/Study Only"):
            find_texts(archive, "PATIENT_STUDY", level, {})


def test_classes_of_a_study_are_matched(archive: Index) -> None:
    assert studies(archive, EMPTY, SOPClassesInStudy=f'""\\{CT}') == "1 2 3 4"


def test_giving_up_ends_a_search_that_finds_nothing(
    archive: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_STEPS_AT_ONCE", 1)
    compared = []

    def resembles(_key: str, names: str) -> bool:
        compared.append(names)
        search.matches.give_up()
        return False

    monkeypatch.setattr(patterns, "resembles_search_text", resembles)
    keys = {UID: "", tag("PatientName"): "nobody"}
    search = find_texts(archive, "STUDY", "STUDY", keys, rules=FUZZY)
    assert list(search) == []
    assert len(compared) == 1
    monkeypatch.undo()
    assert studies(archive, FUZZY, PatientName="smith") != "", "its connection is like new"
