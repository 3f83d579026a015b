from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.archive.index import Index, IndexUnavailable
from isocenter.archive.query import InvalidQuery
from isocenter.archive.query.model import Model
from isocenter.dictionary.elements import lookup_element
from tests.archive.index.entries import CT, an_entry, store, tag
from tests.support.identifiers import TextMatches as Matches
from tests.support.identifiers import find_texts as find


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Four patients with a study each, the first of them with two."""
    with Index.open(tmp_path_factory.mktemp("find") / "index.sqlite") as index:
        store(
            index,
            an_entry(
                1, study="1.1", series="1.1.1", PatientID="P1", PatientName="SMITH^JOHN^^^",
                PatientBirthDate="19700102", StudyDate="20240131", StudyTime="101530.500",
                AccessionNumber="A1", StudyDescription="CT CHEST", Modality="CT",
                SeriesNumber="1", InstanceNumber="1", Rows=b"\0\2",
                ReferringPhysicianName="HOUSE^GREGORY", OperatorsName="ROE^JANE\\POE^EDGAR",
            ),
            an_entry(2, study="1.1", series="1.1.1", InstanceNumber="2", NumberOfFrames="10"),
            an_entry(3, study="1.1", series="1.1.2", Modality="SR", SeriesNumber="2"),
            an_entry(
                4, study="1.2", series="1.2.1", PatientID="P1", PatientName="SMITH^JOHN",
                StudyDate="20240201", StudyTime="10", AccessionNumber="A[2]", Modality="MR",
                StudyDescription="100% *bold* _x_",
            ),
            an_entry(
                5, study="1.3", series="1.3.1", PatientID="P3", StudyDate="20230101",
                PatientName="Müller-Goldsmith^Anna=山田^花子=やまだ^はなこ".encode(),
                SpecificCharacterSet="ISO_IR 192", Modality="CT", AccessionNumber="a1",
                ReferringPhysicianName="Hôuse^Émile".encode(),
            ),
            an_entry(
                6, study="1.4", series="1.4.1", PatientID="P4", PatientName="O'NEIL^%_",
                StudyDate="junk", Modality="",
            ),
        )  # fmt: skip
        yield index


def ask(
    index: Index, model: Model, level: str, relational: bool = False, **keys: str
) -> tuple[list[dict[str, str]], Matches]:
    tags = {tag(keyword): text for keyword, text in keys.items()}
    matches = find(index, model, level, tags, relational=relational)
    return [
        {entry.keyword: text for t, text in match.items() if (entry := lookup_element(t))}
        for match in matches
    ], matches


def studies(index: Index, **keys: str) -> list[str]:
    found, _ = ask(index, "STUDY", "STUDY", **{"StudyInstanceUID": "", **keys})
    return sorted(match["StudyInstanceUID"].removeprefix("1.") for match in found)


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, "1 2 3 4"),
        ({"PatientID": "P1"}, "1 2"),
        ({"PatientID": "p1"}, ""),
        ({"PatientID": "P?"}, "1 2 3 4"),
        ({"PatientID": "P"}, ""),
        ({"AccessionNumber": "A1"}, "1"),
        ({"AccessionNumber": "A*"}, "1 2"),
        ({"AccessionNumber": "A[2]"}, "2"),
        ({"AccessionNumber": "A[12]"}, ""),
        ({"AccessionNumber": "A[*"}, "2"),
        ({"AccessionNumber": "*"}, "1 2 3 4"),
        ({"StudyDescription": "CT CHEST "}, "1"),
        ({"StudyDescription": "*chest"}, ""),
        ({"StudyDescription": "100%*"}, "2"),
        ({"StudyDescription": "%"}, ""),
        ({"StudyDescription": "*_x_"}, "2"),
        ({"StudyDescription": "CT_CHEST"}, ""),
        ({"StudyDescription": "' OR 1=1 --"}, ""),
        ({"StudyDate": "20240131"}, "1"),
        ({"StudyDate": "20240101-20240131"}, "1"),
        ({"StudyDate": "20240131-"}, "1 2"),
        ({"StudyDate": "-20240131"}, "1 3"),
        ({"StudyTime": "101530.5"}, "1"),
        ({"StudyTime": "1000-1015"}, "1 2"),
        ({"StudyTime": "1016-"}, ""),
        ({"StudyTime": "-1000"}, "2"),
        ({"StudyInstanceUID": "1.1"}, "1"),
        ({"StudyInstanceUID": "1.1\\1.4\\9.9"}, "1 4"),
        ({"StudyInstanceUID": "not a uid"}, ""),
        ({"PatientBirthDate": "19700102"}, "1 2"),
        ({"ModalitiesInStudy": "CT"}, "1 3"),
        ({"ModalitiesInStudy": "SR\\MR"}, "1 2"),
        ({"ModalitiesInStudy": "?R"}, "1 2"),
        ({"SOPClassesInStudy": CT, "StudyDate": "20240131"}, "1"),
        ({"SOPClassesInStudy": "1.9"}, ""),
        ({"ReferringPhysicianName": "house*"}, "1 3"),
        ({"ReferringPhysicianName": "HOUSE^EMILE"}, "3"),
        ({"PatientName": "SMITH^JOHN"}, "1 2"),
        ({"PatientName": "smith^john^^"}, "1 2"),
        ({"PatientName": "SMITH"}, ""),
        ({"PatientName": "JOHN^SMITH"}, ""),
        ({"PatientName": "Smith*"}, "1 2"),
        ({"PatientName": "SMITH^*"}, "1 2"),
        ({"PatientName": "SMITH^JOHN^*"}, "1 2"),
        ({"PatientName": "SMITH^JOHN*^"}, "1 2"),
        ({"PatientName": "*^"}, "1 2 3 4"),
        ({"PatientName": "^"}, ""),
        ({"PatientName": "==\\SMITH^JOHN"}, "1 2"),
        ({"ReferringPhysicianName": "^"}, ""),
        ({"ReferringPhysicianName": "house*=*"}, "1 3"),
        ({"PatientName": "*SMITH*"}, "1 2 3"),
        ({"PatientName": "*smith"}, ""),
        ({"PatientName": "*IT*"}, "1 2 3"),
        ({"PatientName": "S?ITH*"}, "1 2"),
        ({"PatientName": "*TIM*"}, ""),
        ({"PatientName": "*muller*anna"}, "3"),
        ({"PatientName": "MÜLLER*"}, "3"),
        ({"PatientName": "山田^花子"}, "3"),
        ({"PatientName": "山*"}, "3"),
        ({"PatientName": "*花子"}, "3"),
        ({"PatientName": "*やまだ^はな*"}, "3"),
        ({"PatientName": "*smith*=山田*"}, "3"),
        ({"PatientName": "*smith*=田中*"}, ""),
        ({"PatientName": "=山田*"}, "3"),
        ({"PatientName": "=*=やまだ*"}, "3"),
        ({"PatientName": "O'NEIL*"}, "4"),
        ({"PatientName": "*%*"}, "4"),
        ({"PatientName": "*_"}, "4"),
        ({"PatientName": '*"il^*'}, ""),
        ({"PatientName": "*il^%_*"}, "4"),
        ({"PatientName": "[S]MITH*"}, ""),
        ({"PatientName": "SMITH*", "StudyDate": "2024.02.01"}, "2"),
        ({"PatientName": "SMITH*", "ModalitiesInStudy": "SR"}, "1"),
        ({"PatientName": "A" * 64_000}, ""),
        ({"PatientName": "*" * 64_000 + "SMITH*"}, "1 2 3"),
        ({"PatientName": "*a" * 32_000}, ""),
        ({"StudyDescription": "?" * 64_000}, ""),
    ],
)
def test_studies_are_matched(archive: Index, keys: dict[str, str], found: str) -> None:
    assert studies(archive, **keys) == found.split()


def test_a_list_of_10_000_uids_is_matched(archive: Index) -> None:
    uids = "\\".join(f"1.{number}" for number in range(10_000))
    assert studies(archive, StudyInstanceUID=uids) == ["1", "2", "3", "4"]


def test_as_many_names_and_patterns_as_are_allowed_are_matched(archive: Index) -> None:
    hundred = [f"X{number}*^" for number in range(99)]
    assert studies(archive, PatientName="\\".join([*hundred, "O'N*"])) == ["4"]
    assert studies(archive, ReferringPhysicianName="\\".join([*hundred, "HOUSE*"])) == ["1", "3"]
    assert studies(archive, AccessionNumber="\\".join([*hundred, "A1"])) == ["1"]


def test_more_values_than_a_statement_holds_are_refused(archive: Index) -> None:
    half = "\\".join(f"1.{number}" for number in range(15_001))
    assert studies(archive, StudyInstanceUID=half) == ["1", "2", "3", "4"]
    with pytest.raises(InvalidQuery, match=r"at most 30000 values"):
        studies(archive, StudyInstanceUID=half, AccessionNumber=half)


def test_values_come_back_as_dicom_writes_them(archive: Index) -> None:
    (match,), matches = ask(
        archive, "STUDY", "STUDY", StudyInstanceUID="1.1", StudyDate="", StudyTime="",
        PatientName="", PatientBirthDate="", ReferringPhysicianName="", StudyID="",
        ModalitiesInStudy="", SOPClassesInStudy="", NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="", NumberOfPatientRelatedStudies="",
        NumberOfPatientRelatedSeries="", NumberOfPatientRelatedInstances="",
        InstanceAvailability="",
    )  # fmt: skip
    assert {**match, "ModalitiesInStudy": sorted(match["ModalitiesInStudy"].split("\\"))} == {
        "StudyInstanceUID": "1.1",
        "StudyDate": "20240131",
        "StudyTime": "101530.5",
        "PatientName": "SMITH^JOHN^^^",
        "PatientBirthDate": "19700102",
        "ReferringPhysicianName": "HOUSE^GREGORY",
        "StudyID": "",
        "ModalitiesInStudy": ["CT", "SR"],
        "SOPClassesInStudy": CT,
        "NumberOfStudyRelatedSeries": "2",
        "NumberOfStudyRelatedInstances": "3",
        "NumberOfPatientRelatedStudies": "2",
        "NumberOfPatientRelatedSeries": "3",
        "NumberOfPatientRelatedInstances": "4",
        "InstanceAvailability": "ONLINE",
    }
    assert matches.unsupported == frozenset()


def test_patients_are_found_at_their_own_level(archive: Index) -> None:
    found, _ = ask(
        archive, "PATIENT", "PATIENT", PatientID="", PatientName="smith*",
        NumberOfPatientRelatedStudies="",
    )  # fmt: skip
    assert found == [
        {"PatientID": "P1", "PatientName": "SMITH^JOHN^^^", "NumberOfPatientRelatedStudies": "2"}
    ]


def test_series_carry_keys_of_the_levels_above(archive: Index) -> None:
    found, _ = ask(
        archive, "STUDY", "SERIES", StudyInstanceUID="1.1", SeriesInstanceUID="", Modality="CT",
        NumberOfSeriesRelatedInstances="", OperatorsName="poe*", PatientID="",
        ModalitiesInStudy="", SeriesNumber="1",
    )  # fmt: skip
    assert len(found) == 1
    assert found[0]["SeriesInstanceUID"] == "1.1.1"
    assert found[0]["NumberOfSeriesRelatedInstances"] == "2"
    assert found[0]["OperatorsName"] == "ROE^JANE\\POE^EDGAR"
    assert found[0]["PatientID"] == "P1"
    assert sorted(found[0]["ModalitiesInStudy"].split("\\")) == ["CT", "SR"]


def test_instances_are_found_by_their_keys(archive: Index) -> None:
    def instances(**keys: str) -> list[dict[str, str]]:
        keys = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.1.1", **keys}
        found, _ = ask(archive, "STUDY", "IMAGE", **keys, SOPInstanceUID="")
        return found

    assert len(instances()) == 2
    (first,) = instances(InstanceNumber="1", Rows="", SOPClassUID=CT)
    assert (first["SOPInstanceUID"], first["Rows"], first["SOPClassUID"]) == ("1.2.3.1", "512", CT)
    assert [match["NumberOfFrames"] for match in instances(NumberOfFrames="10")] == ["10"]
    assert instances(SOPClassUID="1.2.3") == []


@pytest.mark.parametrize(
    ("model", "level", "keys", "offending"),
    [
        ("STUDY", "PATIENT", {}, "QueryRetrieveLevel"),
        ("STUDY", "", {}, "QueryRetrieveLevel"),
        ("PATIENT", "study", {}, "QueryRetrieveLevel"),
        ("PATIENT", "STUDY", {}, "PatientID"),
        ("PATIENT", "STUDY", {"PatientID": "P*"}, "PatientID"),
        ("PATIENT", "STUDY", {"PatientID": "P1\\P2"}, "PatientID"),
        ("STUDY", "SERIES", {"StudyInstanceUID": ""}, "StudyInstanceUID"),
        ("STUDY", "SERIES", {"StudyInstanceUID": "1.1\\1.2"}, "StudyInstanceUID"),
        ("STUDY", "IMAGE", {"StudyInstanceUID": "1.1"}, "SeriesInstanceUID"),
        ("STUDY", "STUDY", {"StudyInstanceUID": "1.2.*"}, "StudyInstanceUID"),
        ("STUDY", "STUDY", {"StudyDate": "2024"}, "StudyDate"),
    ],
)
def test_a_query_that_breaks_the_rules_is_refused_by_tag(
    archive: Index, model: Model, level: str, keys: dict[str, str], offending: str
) -> None:
    with pytest.raises(InvalidQuery) as refusal:
        ask(archive, model, level, **keys)
    assert refusal.value.offending_tag == tag(offending)


@pytest.mark.parametrize(
    ("model", "level", "keys", "count"),
    [
        ("PATIENT", "STUDY", {"PatientID": "P1"}, 2),
        ("PATIENT", "STUDY", {"StudyInstanceUID": "1.1"}, 1),
        ("PATIENT", "SERIES", {"StudyInstanceUID": "1.1"}, 2),
        ("STUDY", "SERIES", {"SeriesInstanceUID": "1.1.1\\1.2.1"}, 2),
        ("STUDY", "IMAGE", {"SeriesInstanceUID": "1.1.1"}, 2),
        ("STUDY", "IMAGE", {"SOPInstanceUID": "1.2.3.1\\1.2.3.3"}, 2),
    ],
)
def test_upper_keys_that_would_change_nothing_may_be_left_out(
    archive: Index, model: Model, level: str, keys: dict[str, str], count: int
) -> None:
    found, _ = ask(archive, model, level, **keys)
    assert len(found) == count


def test_a_relational_query_needs_no_upper_keys(archive: Index) -> None:
    found, _ = ask(archive, "STUDY", "IMAGE", relational=True, Modality="CT", PatientID="P1")
    assert len(found) == 2


def test_keys_that_are_not_supported_are_told(archive: Index) -> None:
    found, matches = ask(
        archive, "STUDY", "STUDY", StudyInstanceUID="1.1", Modality="MR", PatientComments="x",
        NumberOfStudyRelatedSeries="99", SpecificCharacterSet="ISO_IR 100",
        QueryRetrieveLevel="STUDY", RetrieveAETitle="", TimezoneOffsetFromUTC="+0100",
    )  # fmt: skip
    assert found == [
        {
            "StudyInstanceUID": "1.1",
            "NumberOfStudyRelatedSeries": "2",
            "TimezoneOffsetFromUTC": "",
        }
    ]
    assert matches.unsupported == {
        tag("Modality"), tag("PatientComments"), tag("NumberOfStudyRelatedSeries"),
    }  # fmt: skip


def test_a_query_without_keys_counts_entities(archive: Index) -> None:
    assert list(find(archive, "STUDY", "STUDY", {})) == [{}] * 4


def test_a_limit_is_kept(archive: Index) -> None:
    assert len(list(find(archive, "STUDY", "STUDY", {}, limit=3))) == 3


def test_answers_stream_while_instances_arrive(index: Index) -> None:
    store(index, *[an_entry(n, study=f"1.{n}", series=f"1.{n}.1") for n in range(600)])
    matches = find(index, "STUDY", "STUDY", {tag("StudyInstanceUID"): ""})
    taken = [next(matches)]
    store(index, *[an_entry(n, study=f"1.{n}", series=f"1.{n}.1") for n in range(600, 1200)])
    taken.extend(matches)
    assert len({match[tag("StudyInstanceUID")] for match in taken}) == 600
    assert next(matches, None) is None


def test_a_query_that_is_given_up_lets_the_log_shrink(index: Index) -> None:
    store(index, *[an_entry(n, study=f"1.{n}", series=f"1.{n}.1") for n in range(600)])
    checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)"
    connection = index.writer._connection
    matches = find(index, "STUDY", "STUDY", {tag("StudyInstanceUID"): ""})
    next(matches)
    store(index, an_entry(1000))
    connection.execute("PRAGMA busy_timeout = 0")
    assert connection.execute(checkpoint).fetchone()[0] == 1
    matches.close()
    assert connection.execute(checkpoint).fetchone() == (0, 0, 0)
    assert list(matches) == []


def test_a_database_that_is_gone_is_said_without_the_keys(index: Index, tmp_path: Path) -> None:
    with index.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    index.writer._connection.execute("DROP TABLE term")
    matches = find(index, "STUDY", "IMAGE", {tag("SOPClassUID"): "1.2.77"}, relational=True)
    with pytest.raises(IndexUnavailable) as error:
        next(matches)
    assert "1.2.77" not in f"{error.value} {error.value.__cause__}"
