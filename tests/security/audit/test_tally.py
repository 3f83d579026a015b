"""What is counted until it is told of, and whom a query is about."""

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import RawElement, encode_elements
from isocenter.security.audit.events import Patient, Query, Study
from isocenter.security.audit.query_subjects import MOST_STUDIES, make_query
from isocenter.security.audit.tally import STUDIES_TOGETHER, StudyTally, told

STUDY, PATIENT_ID, ISSUER, NAME = 0x0020000D, 0x00100020, 0x00100021, 0x00100010
ACCESSION, CHARACTER_SET = 0x00080050, 0x00080005
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
SYNTAXES = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
)


def test_studies_are_grouped_by_patient_and_fate_with_their_texts_decoded() -> None:
    tally = StudyTally()
    header = {
        STUDY: b"1.2.3\0",
        PATIENT_ID: b"4711 ",
        ISSUER: b"HERE",
        NAME: "DOE^JÜRGEN".encode("latin-1"),
        ACCESSION: b"A1",
        CHARACTER_SET: b"ISO_IR 100",
    }
    for sop_class in ("1.1", "1.1", "1.2"):
        tally.add(header, sop_class, "new")
    tally.add({**header, STUDY: b"1.2.4"}, "1.1", "new")
    tally.add(header, "1.1", "known")
    assert len(tally) == 3
    patient = Patient("4711", "HERE", "DOE^JÜRGEN")
    assert {(one.fate, one.patient, one.studies) for one in told(tally.take())} == {
        (
            "new",
            patient,
            (Study("1.2.3", (("1.1", 2), ("1.2", 1)), "A1"), Study("1.2.4", (("1.1", 1),), "A1")),
        ),
        ("known", patient, (Study("1.2.3", (("1.1", 1),), "A1"),)),
    }
    assert list(told(tally.take())) == []


def test_a_patient_with_many_studies_gets_several_messages() -> None:
    tally = StudyTally()
    for number in range(2 * STUDIES_TOGETHER + 1):
        tally.add({STUDY: f"1.2.{number}".encode()}, "1.1", "new")
    sizes = [len(one.studies) for one in told(tally.take())]
    assert sizes == [STUDIES_TOGETHER, STUDIES_TOGETHER, 1]


@given(st.dictionaries(st.sampled_from((STUDY, PATIENT_ID, NAME, CHARACTER_SET)), st.binary()))
def test_any_header_can_be_told(header: dict[int, bytes]) -> None:
    tally = StudyTally()
    tally.add(header, "1.1", "new")
    (one,) = told(tally.take())
    assert one.studies[0].sop_classes == (("1.1", 1),)


def query(**keys: bytes) -> Query:
    tags = {"study": STUDY, "patient": PATIENT_ID, "issuer": ISSUER}
    vrs = {STUDY: "UI", PATIENT_ID: "LO", ISSUER: "LO"}
    elements = {tags[key]: RawElement(vrs[tags[key]], value) for key, value in keys.items()}
    syntax = IMPLICIT_VR_LITTLE_ENDIAN
    return make_query(FIND, encode_elements(elements, syntax), syntax.uid, 0)


def test_a_query_is_about_the_single_values_in_it() -> None:
    found = query(study=b"1.2.3\\1.2.4", patient=b"4711", issuer=b"HERE")
    assert found.patient_ids == (("4711", "HERE"),)
    assert found.study_uids == ("1.2.3", "1.2.4")
    for keys in ({"patient": b"47*", "study": b""}, {"patient": b"4?"}, {}):
        found = query(**keys)
        assert (found.patient_ids, found.study_uids) == ((), ())


def test_a_query_is_found_by_so_many_studies() -> None:
    uids = "\\".join(f"1.{number}" for number in range(2 * MOST_STUDIES)).encode()
    assert len(query(study=uids).study_uids) == MOST_STUDIES


@given(st.binary(max_size=200), st.sampled_from((*SYNTAXES, DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)))
def test_no_identifier_raises(identifier: bytes, syntax) -> None:
    found = make_query(FIND, identifier, syntax.uid, len(identifier))
    assert found.identifier == identifier


@given(st.data())
def test_no_damaged_identifier_raises(data: st.DataObject) -> None:
    syntax = data.draw(st.sampled_from(SYNTAXES))
    elements = {STUDY: RawElement("UI", b"1.2.3"), PATIENT_ID: RawElement("LO", b"4711")}
    whole = bytearray(encode_elements(elements, syntax))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    make_query(FIND, bytes(whole[: data.draw(st.integers(0, len(whole)))]), syntax.uid, 0)
