"""Matches: from an identifier back to text, JSON and files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.match_files import MatchFiles
from isocenter.cli.matches import headings, table_row, to_json
from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.encoding.elements import Elements, RawElement
from isocenter.services.query_identifier import build_identifier
from isocenter.services.query_keys import Key, parse_key
from tests.cli.helpers import text_elements

NAME, ROWS = 0x00100010, 0x00280010


def test_a_row_has_the_keys_in_their_order_and_nothing_for_what_is_absent() -> None:
    match = text_elements(PatientName="Дмитрий", PatientID="7 ")
    keys = [parse_key("PatientID"), parse_key("StudyDate"), parse_key("PatientName")]
    assert table_row(match, keys) == ["7", "", "Дмитрий"]


def test_a_row_reaches_into_sequences() -> None:
    key = parse_key("ScheduledProcedureStepSequence[0].Modality=CT")
    assert table_row(build_identifier([key]), [key]) == ["CT"]
    assert table_row({key.within[0].sequence: RawElement("SQ", [])}, [key]) == [""]


def test_headings_are_names_and_paths_only_where_two_are_the_same() -> None:
    step = "ScheduledProcedureStepSequence[0]"
    keys = [parse_key(text) for text in ("PatientName", f"{step}.Modality", "Modality")]
    assert headings(keys) == ["PatientName", f"{step}.Modality", "Modality"]
    assert headings(keys[:2]) == ["PatientName", "Modality"]


def test_values_that_are_no_text_are_shown_all_the_same() -> None:
    match: Elements = {
        ROWS: RawElement("US", struct.pack("<HH", 512, 7)),
        0x00189318: RawElement("FD", struct.pack("<d", 1.5) + b"odd"),
        0x00280009: RawElement("AT", b"\x18\x00\x63\x10"),
        0x00081110: RawElement("SQ", [{}, {}]),
        0x7FE00010: RawElement("OW", b"1234"),
    }
    keys = [Key(tag, "UN", "") for tag in match]
    assert table_row(match, keys) == ["512\\7", "1.5", "(0018,1063)", "(2 items)", "(4 bytes)"]


def test_json_is_the_dicom_json_model_in_unicode() -> None:
    match = build_identifier(
        [
            parse_key("SpecificCharacterSet=ISO_IR 100"),
            parse_key("PatientName=Bük^A"),
            parse_key("ReferencedStudySequence[0].StudyDescription=Köln"),
        ]
    )
    match[ROWS] = RawElement("US", struct.pack("<H", 512))
    assert to_json(match) == {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00081110": {"vr": "SQ", "Value": [{"00081030": {"vr": "LO", "Value": ["Köln"]}}]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Bük^A"}]},
        "00280010": {"vr": "US", "Value": [512]},
    }


@given(
    st.dictionaries(
        st.sampled_from([NAME, ROWS, 0x00081110, 0x00080020, 0x00201208, 0x00189318, 0x00280009]),
        st.binary(max_size=40),
        max_size=4,
    )
)
def test_whatever_a_peer_puts_into_a_match_is_shown(values: dict[int, bytes]) -> None:
    match: Elements = {
        tag: RawElement(implicit_vr(tag), [] if implicit_vr(tag) == "SQ" else value)
        for tag, value in values.items()
    }
    row = table_row(match, [Key(tag, "UN", "") for tag in values])
    assert len(row) == len(values)
    json.dumps(to_json(match))


def test_a_match_becomes_a_part_10_file(tmp_path: Path) -> None:
    files = MatchFiles(tmp_path / "new" / "folder", STUDY_ROOT_FIND)
    path = files.write(7, text_elements(PatientName="Müller^Дмитрий"))
    assert path.name == "rsp0007.dcm"
    read = pydicom.dcmread(path)
    assert read.PatientName == "Müller^Дмитрий"
    assert read.file_meta.MediaStorageSOPClassUID == STUDY_ROOT_FIND


def test_a_folder_that_cannot_be_made_is_40(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailed) as failed:
        MatchFiles(tmp_path / "file" / "x", STUDY_ROOT_FIND)
    assert failed.value.code == exit_codes.UNWRITABLE_OUTPUT
