"""echo, store and find against a real node, and against what is no node."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from tests.cli.helpers import ISOCENTER, Run, write_object
from tests.support.node import Node

DICOM_CONTEXT_REJECTED = bytes.fromhex("03000000000400010107")  # A-ASSOCIATE-RJ: called AE unknown
ABORTED = bytes.fromhex("07000000000400000000")  # A-ABORT, PS3.8 9.3.8


@pytest.fixture(scope="module")
def stored(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """The node, holding three patients."""
    from click.testing import CliRunner

    from isocenter.cli.main import cli

    folder = tmp_path_factory.mktemp("objects")
    for number, name in ((1, "DOE^JOHN"), (2, "DOE^JANE"), (3, "Müller^Дмитрий=山田")):
        write_object(folder / "deep" / f"{number}.dcm", number, PatientName=name)
    result = CliRunner().invoke(cli, ["store", node.address, str(folder)])
    assert result.exit_code == 0, result.output
    return node


@contextmanager
def peer_that_answers(answer: bytes) -> Iterator[str]:
    """Something on a port that answers the first bytes of every connection with these."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_echo_says_who_answered(run: Run, node: Node) -> None:
    result = run("echo", node.address)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"ANY-SCP@{node.address} answers: C-ECHO 0000H Success, ")
    assert result.stderr == ""


@pytest.mark.parametrize("form", ["{host} {port}", "{host}:{port}", "ARCHIVE@{host}:{port}"])
def test_a_peer_can_be_written_in_every_form(run: Run, node: Node, form: str) -> None:
    address = form.format(host="127.0.0.1", port=node.port)
    assert run("echo", *address.split(), "-aet", "ME").exit_code == 0


def test_a_peer_can_be_named(run: Run, node: Node) -> None:
    Path("isocenter.toml").write_text(f'[peers.near]\nhost = "127.0.0.1"\nport = {node.port}\n')
    assert "ANY-SCP@127.0.0.1" in run("echo", "near").stdout


def test_echo_can_be_quiet_verbose_and_machine_readable(run: Run, node: Node) -> None:
    assert run("echo", "-q", node.address).output == ""
    verbose = run("echo", "-v", "-aec", "THEM", node.address).stderr
    assert f"ISOCENTER calls THEM@{node.address}." in verbose
    assert "1 of 1 presentation contexts" in verbose
    assert "Verification SOP Class in" in run("echo", "-d", node.address).stderr
    document = json.loads(run("echo", "--json", "--repeat", "3", node.address).stdout)
    assert (document["status"], document["requests"]) == ("0x0000", 3)


def test_nobody_there_is_60_in_one_sentence(run: Run, free_port: int) -> None:
    for command in (("echo",), ("find",), ("find", "--json")):
        result = run(*command, f"127.0.0.1:{free_port}")
        assert result.exit_code == exit_codes.NO_CONNECTION
        assert result.stderr.startswith("isocenter: 127.0.0.1:")
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""


def test_d_adds_the_traceback(run: Run, free_port: int) -> None:
    assert "Traceback" in run("echo", "-d", f"127.0.0.1:{free_port}").stderr
    assert run("echo", "-q", f"127.0.0.1:{free_port}").output == ""


def test_a_peer_that_says_nothing_is_60(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = run("echo", "127.0.0.1", server.getsockname()[1], "-ta", "0.2")
    assert result.exit_code == exit_codes.NO_CONNECTION


def test_a_rejection_is_61_and_an_abort_70(run: Run) -> None:
    with peer_that_answers(DICOM_CONTEXT_REJECTED) as address:
        rejected = run("echo", address)
    assert rejected.exit_code == exit_codes.REJECTED
    assert "called AE title" in rejected.stderr
    with peer_that_answers(ABORTED) as address:
        assert run("echo", address).exit_code == exit_codes.ABORTED
    with peer_that_answers(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        assert run("echo", address).exit_code == exit_codes.ABORTED


def test_the_preflight_of_store_ends_as_the_echo_would(run: Run, free_port: int) -> None:
    write_object(Path("a.dcm"), 1)
    assert run("store", f"127.0.0.1:{free_port}", "a.dcm").exit_code == exit_codes.NO_CONNECTION
    with peer_that_answers(DICOM_CONTEXT_REJECTED) as address:
        assert run("store", address, "a.dcm").exit_code == exit_codes.REJECTED


@pytest.mark.parametrize("options", [("-U",), ("--ups",)])
def test_what_is_not_there_yet_is_said(run: Run, options: tuple[str, ...]) -> None:
    result = run("find", "localhost", *options)
    assert result.exit_code == exit_codes.SYNTAX
    assert f"{options[0].replace('--ups', '-U')} is not in this " in result.stderr


def test_a_wished_transfer_syntax_is_answered_with_what_happens_instead(run: Run) -> None:
    result = run("store", "localhost", "-xs", ".")
    assert result.exit_code == exit_codes.SYNTAX
    assert "each object is sent in the one it is stored in" in result.stderr


def test_store_sends_directories_and_ends_with_a_table(run: Run, node: Node) -> None:
    for number in (11, 12):
        write_object(Path(f"d/deep/{number}.dcm"), number)
    Path("d/notes.txt").write_text("not DICOM at all")
    result = run("store", node.address, "d")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "SOP Class         Accepted  Warned  Refused",
        "CT Image Storage         2       0        0",
    ]
    assert "Skipped 1 file: not a DICOM file\n  d/notes.txt\n" in result.stderr
    assert "2 instances, " in result.stderr


def test_store_takes_dcmtks_switches_and_port(run: Run, node: Node) -> None:
    write_object(Path("d/21.dcm"), 21)
    result = run(
        *("store", "+sd", "+r", "-R", "-nh", "-aet", "A", "-aec", "B", "-to", 5, "-ts", 5),
        *("-ta", 5, "-td", 0, "-pdu", 16384, "127.0.0.1", node.port, "d"),
    )
    assert result.exit_code == 0, result.output


def test_store_can_be_machine_readable(run: Run, node: Node) -> None:
    files = [write_object(Path(f"d/{number}.dcm"), number) for number in (31, 32, 33)]
    Path("d/x").write_bytes(b"x")
    result = run("store", "--json", "-j", 2, "--repeat", 2, "--no-echo", node.address, "d")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert (document["accepted"], document["warned"], document["refused"]) == (6, 0, 0)
    assert {entry["path"] for entry in document["files"]} == set(map(str, files))
    assert document["files"][0]["status"] == "0x0000"
    assert document["skipped"] == [{"path": "d/x", "reason": "not a DICOM file"}]


def test_store_selects_by_pattern_and_depth(run: Run, node: Node) -> None:
    for name in ("d/1.dcm", "d/2.ima", "d/deep/3.dcm"):
        write_object(Path(name), 40 + int(Path(name).stem))
    result = run("store", "--json", "--no-recurse", "+sp", "*.dcm", node.address, "d")
    assert [entry["path"] for entry in json.loads(result.stdout)["files"]] == ["d/1.dcm"]


def test_a_file_name_that_is_no_text_is_sent_and_shown_all_the_same(node: Node) -> None:
    name = b"d/\xff\n.dcm"
    write_object(Path(os.fsdecode(name)), 71)
    command = [*ISOCENTER, "store", "--json", node.address, "d"]
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, capture_output=True, timeout=60, env=environment, text=True)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["files"]
    assert os.fsencode(entry["path"]) == name


def test_a_terminal_that_lacks_a_letter_gets_an_escape(stored: Node) -> None:
    command = [*ISOCENTER, "find", stored.address, "-k", "PatientID=3", "-k", "PatientName"]
    environment = os.environ | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"M\xfcller^\\u0414" in done.stdout


def test_store_without_anything_to_send_says_so(run: Run, node: Node) -> None:
    Path("empty").mkdir()
    Path("text.dcm").write_text("no")
    assert run("store", node.address, "empty").exit_code == exit_codes.NO_INPUT
    wrong = run("store", node.address, "text.dcm")
    assert wrong.exit_code == exit_codes.NO_VALID_INPUT
    assert "not a DICOM file" in wrong.stderr
    assert run("store", node.address, "absent.dcm").exit_code == exit_codes.NO_VALID_INPUT
    assert run("store", node.address).exit_code == exit_codes.SYNTAX
    assert run("store", "127.0.0.1", node.port).exit_code == exit_codes.SYNTAX


def test_a_named_file_that_is_no_dicom_shows_in_the_exit_code(run: Run, node: Node) -> None:
    write_object(Path("a.dcm"), 51)
    assert run("store", node.address, "a.dcm", "absent").exit_code == exit_codes.INVALID_INPUT


def test_a_conflicting_object_is_found_in_quarantine(run: Run, node: Node) -> None:
    write_object(Path("a.dcm"), 61)
    write_object(Path("b.dcm"), 61, PatientID="another")
    run("store", node.address, "a.dcm")
    assert run("store", node.address, "b.dcm").exit_code == 0
    listed = json.loads(run("quarantine", "list", "--data", node.data, "--json").stdout)
    assert "1.2.3.61" in {entry["sop_instance_uid"] for entry in listed}
    assert "1.2.3.61" in run("quarantine", "list", "--data", node.data).stdout


def test_find_shows_a_table_of_what_was_asked_for(run: Run, stored: Node) -> None:
    result = run(
        *("find", stored.address, "-k", "PatientName=DOE^J*", "-k", "StudyInstanceUID=1.2.3.1.1"),
        *("-k", "0010,0020"),
    )
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "PatientName  StudyInstanceUID  PatientID",
        "DOE^JOHN     1.2.3.1.1                 1",
    ]
    assert result.stderr == "1 match\n"


def test_find_without_keys_asks_for_the_usual(run: Run, stored: Node) -> None:
    heading, *rows = run("find", stored.address).stdout.splitlines()
    assert heading.split()[:3] == ["PatientName", "PatientID", "StudyDate"]
    assert len(rows) >= 3


@pytest.mark.parametrize(
    ("flags", "column", "value"),
    [
        (("-P", "-k", "PatientID=2"), "PatientName", "DOE^JANE"),
        (("-S", "-L", "SERIES", "-k", "StudyInstanceUID=1.2.3.2.1"), "Modality", "CT"),
        (
            (
                *("-S", "-k", "QueryRetrieveLevel=IMAGE", "-k", "StudyInstanceUID=1.2.3.2.1"),
                *("-k", "SeriesInstanceUID=1.2.3.2.2"),
            ),
            "SOPInstanceUID",
            "1.2.3.2",
        ),
    ],
)
def test_find_asks_at_every_level(
    run: Run, stored: Node, flags: tuple[str, ...], column: str, value: str
) -> None:
    result = run("find", stored.address, *flags)
    assert result.exit_code == 0, result.stderr
    heading, row = result.stdout.splitlines()
    assert column in heading.split()
    assert value in row.split()


def test_find_decodes_names_in_any_script(run: Run, stored: Node) -> None:
    result = run("find", stored.address, "-k", "PatientName=Müller*", "-k", "PatientID")
    assert "Müller^Дмитрий=山田" in result.stdout
    (match,) = json.loads(run("find", stored.address, "-k", "PatientID=3", "--json").stdout)
    name = match["00100010"]["Value"][0]
    assert name == {"Alphabetic": "Müller^Дмитрий", "Ideographic": "山田"}


def test_find_json_is_one_array_however_many_match(run: Run, stored: Node) -> None:
    assert json.loads(run("find", stored.address, "--json", "-k", "PatientID=nobody").stdout) == []
    several = json.loads(run("find", stored.address, "--json", "-k", "PatientName=DOE*").stdout)
    assert len(several) >= 2


def test_find_can_cancel_and_repeat(run: Run, stored: Node) -> None:
    result = run("find", stored.address, "--cancel", 1, "--repeat", 3, "-k", "PatientName=DOE*")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2


def test_a_query_that_the_peer_refuses_is_62(run: Run, stored: Node) -> None:
    result = run("find", stored.address, "-k", "StudyInstanceUID=not*a*uid")
    assert result.exit_code == exit_codes.FAILED_STATUS
    assert "answered C-FIND with " in result.stderr


def test_a_key_that_is_none_is_a_syntax_error(run: Run) -> None:
    result = run("find", "localhost", "-k", "PatienName=X")
    assert result.exit_code == exit_codes.SYNTAX
    assert "neither a tag nor a keyword" in result.stderr


def test_the_banner_of_a_real_node_tells_where_it_is(node: Node) -> None:
    assert f"listening as ISOCENTER on 127.0.0.1:{node.port}" in node.log()
    assert str(node.data) in node.log()
    assert f"isocenter echo localhost:{node.port}" in node.log()


def test_find_writes_matches_to_files(run: Run, stored: Node) -> None:
    result = run("find", stored.address, "-X", "-od", "out", "-k", "PatientName=DOE*")
    assert result.exit_code == 0, result.stderr
    files = sorted(path.name for path in Path("out").iterdir())
    assert files[:2] == ["rsp0001.dcm", "rsp0002.dcm"]
    assert f"{len(files)} files written to out." in result.stderr
    again = run("find", stored.address, "out/rsp0001.dcm", "--json")
    assert len(json.loads(again.stdout)) == 1


def test_what_the_peer_did_not_agree_to_is_said(run: Run, stored: Node) -> None:
    everything = [f"--{name}" for name in ("relational", "datetime", "fuzzy", "timezone")]
    plain = run("find", stored.address, "-k", "PatientID=1")
    asked = run("find", stored.address, "-k", "PatientID=1", *everything)
    assert asked.exit_code == 0
    assert asked.stdout == plain.stdout
    assert ("did not agree to" in asked.stderr) is (asked.stderr != plain.stderr)


def test_get_takes_a_list_of_any_length(run: Run, stored: Node) -> None:
    uids = [f"1.2.3.{number}.1" for number in range(1, 1100)]
    Path("studies").write_text("".join(f"{uid} and what else is known of it\n" for uid in uids))
    result = run("get", stored.address, "--from", "studies", "-od", "got", "--by-study", "--json")
    assert result.exit_code == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["requests"] == 3
    assert outcome["status"] == "0x0000"
    assert set(map(Path, outcome["files"])) == set(Path("got").rglob("*.dcm"))
    assert Path("got/1.2.3.2.1/1.2.3.2.2/1.2.3.2.dcm").is_file()


def test_a_move_that_fails_names_the_peer_and_the_reason(run: Run, stored: Node) -> None:
    keys = ("-k", "StudyInstanceUID=1.2.3.1.1")
    result = run("move", stored.address, *keys, "-aem", "NOWHERE", "--json")
    assert result.exit_code == exit_codes.FAILED_STATUS
    assert json.loads(result.stdout)["status"] == "0xA801"
    assert "answered C-MOVE with A801H" in result.stderr
