from isocenter.archive.index import Index
from isocenter.archive.index.recent import RecentIds
from tests.archive.index.entries import an_entry, store, tag
from tests.support.identifiers import find_texts as find


def studies(index: Index, **keys: str) -> list[dict[str, str]]:
    """The studies that match, as keyword to text."""
    wanted = {"StudyInstanceUID": "", "PatientID": "", **keys}
    tags = {tag(keyword): keyword for keyword in wanted}
    found = find(index, "STUDY", "STUDY", {t: wanted[k] for t, k in tags.items()})
    return [{tags[t]: text for t, text in match.items()} for match in found]


def test_one_patient_id_at_two_issuers_is_two_patients(index: Index) -> None:
    store(
        index,
        an_entry(1, study="1.1", IssuerOfPatientID="NORTH", PatientName="A"),
        an_entry(2, study="1.2", IssuerOfPatientID="SOUTH", PatientName="B"),
        an_entry(3, study="1.3", IssuerOfPatientID="NORTH", PatientName="A"),
    )
    assert index.statistics().patients == 2
    assert [s["StudyInstanceUID"] for s in studies(index, PatientName="B")] == ["1.2"]


def test_patients_without_an_id_are_not_one_patient(index: Index) -> None:
    store(
        index,
        an_entry(1, study="1.1", PatientID="", PatientName="A"),
        an_entry(2, study="1.1", PatientID="", PatientName="A"),
        an_entry(3, study="1.2", PatientID="  ", PatientName="B"),
    )
    assert index.statistics().patients == 2
    assert len(studies(index, PatientName="A")) == 1


def test_a_study_stays_with_its_first_patient(index: Index) -> None:
    store(index, an_entry(1, PatientID="P1"), an_entry(2, PatientID="P2", series="1.2.100.2"))
    assert studies(index) == [{"StudyInstanceUID": "1.2.100", "PatientID": "P1"}]
    assert index.statistics().instances == 2


def test_a_series_uid_in_two_studies_is_two_series(index: Index) -> None:
    store(index, an_entry(1, study="1.1", series="1.9"), an_entry(2, study="1.2", series="1.9"))
    assert index.statistics().series == 2


def test_uids_with_and_without_padding_are_the_same(index: Index) -> None:
    store(
        index,
        an_entry(1, StudyInstanceUID=b"1.1\0", SeriesInstanceUID=b"1.9"),
        an_entry(2, StudyInstanceUID=b"1.1", SeriesInstanceUID=b"1.9\0"),
        an_entry(3, StudyInstanceUID=b"1.1 ", SeriesInstanceUID=b"1.9 "),
    )
    counted = index.statistics()
    assert (counted.studies, counted.series, counted.instances) == (1, 1, 3)


def test_the_first_instance_names_the_study_and_a_new_series_may_complete_it(index: Index) -> None:
    store(
        index,
        an_entry(1, StudyDescription="FIRST"),
        an_entry(2, StudyDescription="SECOND", StudyDate="20240131", series="1.2.100.2"),
    )
    keys = {"StudyDescription": "", "StudyDate": "20240101-"}
    assert studies(index, **keys) == [
        {
            "StudyInstanceUID": "1.2.100",
            "PatientID": "P1",
            "StudyDescription": "FIRST",
            "StudyDate": "20240131",
        }
    ]


def test_removing_records_removes_what_is_empty_then(index: Index) -> None:
    store(
        index,
        an_entry(1, study="1.1", series="1.1.1", PatientName="STAYS"),
        an_entry(2, study="1.1", series="1.1.2", offset=10),
        an_entry(3, study="1.2", series="1.2.1", offset=20, PatientID="P2", PatientName="LEAVES=x"),
        an_entry(4, study="1.2", series="1.2.1", offset=30, pack="2024/b.tar", PatientID="P2"),
        an_entry(5, study="1.3", series="1.3.1", offset=40, PatientID="P3", PatientName="LEAVES=x"),
    )
    index.forget_records("2024/a.tar", 10)
    assert [index.locate(f"1.2.3.{number}") is not None for number in range(1, 6)] == [
        False, False, False, True, False,
    ]  # fmt: skip
    counted = index.statistics()
    assert (counted.patients, counted.studies, counted.series) == (1, 1, 1)
    assert len(studies(index, PatientName="*LEAV*")) == 1
    assert len(studies(index, PatientName="X")) == 1
    # What was removed may come again, with ids that nobody remembers wrongly.
    store(index, an_entry(5, study="1.3", series="1.3.1", PatientID="P3", PatientName="RETURNS"))
    assert len(studies(index, PatientName="*ETURN*")) == 1


def test_records_before_the_offset_stay(index: Index) -> None:
    store(index, an_entry(1, offset=10), an_entry(2, offset=20))
    index.forget_records("2024/a.tar", 20)
    assert index.locate("1.2.3.1") is not None
    assert index.locate("1.2.3.2") is None
    index.forget_records("2024/unknown.tar", 0)
    assert index.statistics().instances == 1


def test_recent_ids_are_bounded_and_keep_what_is_used() -> None:
    recent: RecentIds[int] = RecentIds(10)
    for key in range(1000):
        recent.put(key, -key)
        assert recent.get(0) == 0
    assert recent.get(999) == -999
    assert recent.get(500) is None
    recent.clear()
    assert recent.get(0) is None
