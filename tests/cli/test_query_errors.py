"""Queries and retrievals that are wrong before anything is sent: one sentence, the right code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from isocenter.cli.failures import CommandFailed
from isocenter.cli.matches import to_json
from isocenter.cli.query_file import LARGEST, read_query_file
from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import encode_elements
from isocenter.services.query_identifier import build_identifier
from isocenter.services.query_keys import parse_key
from tests.cli.helpers import Run, text_elements, write_object

STEP = "ScheduledProcedureStepSequence[0].Modality=CT"


@pytest.mark.parametrize(
    "arguments",
    [
        ("find", "-k", "PatienName=X"),
        ("find", "-k", "PatientName.Modality=CT"),
        ("find", "-O", "-L", "SERIES"),
        ("find", "-S", "-L", "PATIENT"),
        ("find", "-W", "-L", "STUDY"),
        ("find", "-k", "QueryRetrieveLevel=BANANA"),
        ("find", "-L", "BANANA"),
        ("find", "--json", "-X"),
        ("find", "one.dcm", "two.dcm"),
        ("get",),
        ("get", "-k", "PatientID=7"),
        ("get", "-O", "-k", "SOPInstanceUID=1.2"),
        ("move", "-k", "PatientName=DOE"),
        ("move", "-k", "StudyInstanceUID=1.2", "-aem", "far too long for a title"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_is_a_syntax_error(run: Run, arguments: tuple[str, ...]) -> None:
    command, *options = arguments
    result = run(command, "localhost:1", *options)
    assert result.exit_code == exit_codes.SYNTAX
    assert result.stderr.splitlines()[-1].endswith((".", "?"))
    assert "Traceback" not in result.output


def test_a_list_of_uids_is_checked_before_anything_is_sent(run: Run) -> None:
    Path("empty").write_text("# nothing yet\n\n")
    assert run("get", "localhost:1", "--from", "empty").exit_code == exit_codes.NO_INPUT
    Path("wrong").write_text("1.2.3\nbanana\n")
    wrong = run("move", "localhost:1", "--from", "wrong")
    assert wrong.exit_code == exit_codes.SYNTAX
    assert "'banana'" in wrong.stderr
    assert run("get", "localhost:1", "--from", "absent").exit_code == exit_codes.UNREADABLE_INPUT


@pytest.mark.parametrize("command", ["find", "get", "move"])
def test_a_query_file_that_is_none_is_an_input_error(run: Run, command: str) -> None:
    for name, content in {
        "text": b"hello, this is no query at all",
        "list": b"[1, 2]",
        "model": b'{"00100010": {"vr": "PN", "Value": [{"Alphabetic": [[]]}]}, "x": 1}',
        "deep": b"[" * 200_000,
        "large": bytes(LARGEST + 1),
        "empty": b"",
    }.items():
        Path(name).write_bytes(content)
        result = run(command, "localhost:1", name)
        assert result.exit_code == exit_codes.INVALID_INPUT, (name, result.output)
    assert run(command, "localhost:1", "absent").exit_code == exit_codes.UNREADABLE_INPUT
    assert run(command, "localhost:1", ".").exit_code == exit_codes.UNREADABLE_INPUT


def test_a_query_file_may_be_dicom_json_or_a_bare_data_set(place: Path) -> None:
    keys = [parse_key("PatientName=Müller*"), parse_key(STEP), parse_key("StudyDate")]
    identifier = build_identifier(keys)
    explicit = encode_elements(identifier, EXPLICIT_VR_LITTLE_ENDIAN)
    implicit = encode_elements(identifier, IMPLICIT_VR_LITTLE_ENDIAN)
    for name, content in {
        "explicit": explicit,
        "implicit": implicit,
        "json": json.dumps(to_json(identifier)).encode(),
        "array": json.dumps([to_json(identifier)], indent=1).encode(),
    }.items():
        Path(name).write_bytes(content)
        read = read_query_file(Path(name))
        # Whatever the form: the same values, even or padded.
        assert to_json(read) == to_json(identifier), name


def test_a_query_file_loses_its_file_meta(place: Path) -> None:
    elements = read_query_file(write_object(Path("a.dcm"), 1))
    assert set(elements) == set(
        text_elements(
            SOPClassUID="",
            SOPInstanceUID="",
            StudyInstanceUID="",
            SeriesInstanceUID="",
            PatientName="",
            PatientID="",
            StudyDate="",
            Modality="",
        )
    )


def test_a_query_file_in_a_syntax_of_other_times_is_refused(place: Path) -> None:
    path = write_object(Path("a.dcm"), 1)
    little, big = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"
    path.write_bytes(path.read_bytes().replace(little, big))
    with pytest.raises(CommandFailed, match="Big Endian"):
        read_query_file(path)


@pytest.mark.parametrize("command", [("get",), ("move", "-aem", "WS")])
def test_a_list_of_uids_that_is_not_there_is_20(run: Run, command: tuple[str, ...]) -> None:
    verb, *rest = command
    result = run(verb, "localhost", "1", *rest, "--from", "missing.txt")
    assert result.exit_code == 20
    assert "missing.txt: No such file or directory" in result.stderr


def test_an_id_that_is_no_number_is_told_of_in_plain_words(run: Run) -> None:
    result = run("explain", "abc")
    assert result.exit_code == 1
    assert "'abc' is not a valid number of a failure" in result.stderr
