"""What a retrieve asks for: its level, and long lists of UIDs in several requests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import encode_elements
from isocenter.services.information_models import PATIENT_ROOT, PATIENT_STUDY_ONLY, STUDY_ROOT
from isocenter.services.query_keys import Key, QueryKeyError, parse_key
from isocenter.services.retrieve_identifier import (
    UIDS_PER_REQUEST,
    read_uids,
    retrieve_identifiers,
    uid_list,
)

LEVEL, STUDY = 0x00080052, 0x0020000D


def keys(*texts: str) -> list[Key]:
    return [parse_key(text) for text in texts]


@pytest.mark.parametrize(
    ("model", "texts", "level"),
    [
        (STUDY_ROOT, ("StudyInstanceUID=1.2",), b"STUDY"),
        (STUDY_ROOT, ("StudyInstanceUID=1.2", "SeriesInstanceUID=1.3"), b"SERIES"),
        (STUDY_ROOT, ("SOPInstanceUID=1.4", "StudyInstanceUID=1.2"), b"IMAGE"),
        (STUDY_ROOT, ("StudyInstanceUID=1.2", "SOPInstanceUID="), b"STUDY"),
        (STUDY_ROOT, ("StudyInstanceUID=1.2", "QueryRetrieveLevel=image"), b"IMAGE"),
        (PATIENT_ROOT, ("PatientID=7",), b"PATIENT"),
        (PATIENT_STUDY_ONLY, ("PatientID=7",), b"PATIENT"),
        (PATIENT_STUDY_ONLY, ("PatientID=7", "StudyInstanceUID=1.2"), b"STUDY"),
    ],
)
def test_the_level_is_that_of_the_lowest_unique_key(model, texts, level: bytes) -> None:
    (identifier,) = retrieve_identifiers(model, keys(*texts))
    assert identifier[LEVEL].value == level


@pytest.mark.parametrize(
    ("model", "texts"),
    [
        (STUDY_ROOT, ()),
        (STUDY_ROOT, ("PatientID=7",)),
        (STUDY_ROOT, ("PatientName=DOE", "StudyInstanceUID=")),
        (PATIENT_STUDY_ONLY, ("SeriesInstanceUID=1.3",)),
        (STUDY_ROOT, ("StudyInstanceUID=1.2", "QueryRetrieveLevel=PATIENT")),
    ],
)
def test_what_names_nothing_in_the_model_is_refused(model, texts) -> None:
    with pytest.raises(QueryKeyError, match=r"\.$"):
        retrieve_identifiers(model, keys(*texts))


@given(st.integers(1, 3 * UIDS_PER_REQUEST))
def test_a_list_of_uids_is_shared_out_without_loss(count: int) -> None:
    uids = [f"{'1.' * 25}{number:014}" for number in range(count)]
    requests = retrieve_identifiers(STUDY_ROOT, [uid_list([*uids, *uids])])
    listed = [request[STUDY].value.decode().split("\\") for request in requests]
    assert [uid for part in listed for uid in part] == uids
    assert max(map(len, listed)) <= UIDS_PER_REQUEST
    for request in requests:
        assert encode_elements(request, EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_list_is_of_the_level_that_is_named() -> None:
    above = keys("StudyInstanceUID=1.2", "SeriesInstanceUID=1.3")
    listed = uid_list(["1.4", "1.5"], "IMAGE")
    (identifier,) = retrieve_identifiers(STUDY_ROOT, [*above, listed], level="IMAGE")
    assert identifier[0x00080018].value == b"1.4\\1.5"
    assert identifier[STUDY].value == b"1.2"
    with pytest.raises(QueryKeyError, match="no UID"):
        uid_list(["1.2", "x"])
    with pytest.raises(QueryKeyError, match="A patient has no UID"):
        uid_list(["1.2"], "PATIENT")


def test_a_file_of_uids_may_have_comments_and_more_columns() -> None:
    lines = ["# studies", "", "1.2.3", " 1.2.4 DOE^JOHN\n", "1.2.5,DOE # x", "   "]
    assert list(read_uids(lines)) == ["1.2.3", "1.2.4", "1.2.5"]
