"""import, status, verify, reindex and quarantine on an archive of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.cli import exit_codes
from tests.cli.helpers import Run, write_object

DATA = Path("isocenter-data")


@pytest.fixture
def imported(run: Run) -> Path:
    """An archive of three instances."""
    for number in (1, 2, 3):
        write_object(Path(f"in/{number}.dcm"), number)
    assert run("import", "in").exit_code == 0
    return DATA


def test_import_counts_what_is_new_and_what_is_there_already(run: Run, imported: Path) -> None:
    write_object(Path("in/4.dcm"), 4)
    result = run("import", "in")
    assert result.exit_code == 0
    assert result.stdout == "1 instance stored, 3 already there, 0 quarantined, 0 refused.\n"


def test_import_names_what_it_refuses(run: Run) -> None:
    write_object(Path("in/1.dcm"), 1)
    Path("in/notes.txt").write_text("not DICOM")
    assert run("import", "in/notes.txt", "in").exit_code == exit_codes.INVALID_INPUT
    result = run("import", "in")
    assert result.exit_code == 0
    assert "Refused 1 file: " in result.stderr
    assert "in/notes.txt" in result.stderr
    document = json.loads(run("import", "--json", "in").stdout)
    assert (document["stored"], document["duplicate"]) == (0, 1)
    assert [entry["path"] for entry in document["refused"]] == ["in/notes.txt"]


def test_import_of_nothing_usable_fails(run: Run) -> None:
    Path("in").mkdir()
    assert run("import", "in").exit_code == exit_codes.NO_INPUT
    assert run("import", "absent").exit_code == exit_codes.NO_VALID_INPUT


def test_import_sets_a_conflicting_object_aside(run: Run, imported: Path) -> None:
    write_object(Path("other/1.dcm"), 1, PatientID="another")
    assert "1 quarantined" in run("import", "other").stdout
    assert "1.2.3.1" in run("quarantine", "list").stdout


def test_the_log_of_an_import_is_no_part_of_its_result(run: Run, imported: Path) -> None:
    write_object(Path("other/1.dcm"), 1, PatientID="another")
    result = run("import", "other")
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
    write_object(Path("other/1.dcm"), 1, PatientID="a third")
    verbose = run("import", "-v", "other")
    assert verbose.stdout.count("\n") == 1
    assert "quarantined" in verbose.stderr


def test_status_counts_what_is_there(run: Run, imported: Path) -> None:
    counts = json.loads(run("status", "--json").stdout)
    assert (counts["patients"], counts["studies"], counts["instances"]) == (3, 3, 3)
    assert counts["data_directory"] == str(imported.absolute())
    assert "instances               3" in run("status").stdout


def test_verify_reads_everything_back_and_finds_what_rotted(run: Run, imported: Path) -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert result.stdout.startswith("3 instances, ")
    pack = max(imported.rglob("*.tar"), key=lambda path: path.stat().st_size)
    content = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(content.replace(b"DOE^JOHN", b"DOE^JOAN"))
    rotten = run("verify")
    assert rotten.exit_code == exit_codes.DAMAGED_ARCHIVE
    assert pack.name in rotten.stderr
    assert json.loads(run("verify", "--json").stdout)["problems"]


def test_reindex_rebuilds_the_index_from_packs_alone(run: Run, imported: Path) -> None:
    before = run("status", "--json").stdout
    (imported / "index.sqlite").unlink()
    lost = run("status")
    assert lost.exit_code == exit_codes.DAMAGED_ARCHIVE
    assert "isocenter reindex" in lost.stderr
    assert run("reindex").stdout.startswith("3 instances from 3 records in ")
    after, earlier = json.loads(run("status", "--json").stdout), json.loads(before)
    for count in ("patients", "studies", "series", "instances"):
        assert after[count] == earlier[count]


def test_an_empty_quarantine_is_said_to_be_empty(run: Run, imported: Path) -> None:
    result = run("quarantine", "list")
    assert (result.stdout, result.stderr) == ("", "Nothing is in quarantine.\n")
    assert json.loads(run("quarantine", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    "command", [("status",), ("verify",), ("reindex",), ("quarantine", "list")]
)
def test_an_archive_that_is_not_there_is_one_sentence(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, "--data", "nowhere")
    assert result.exit_code == exit_codes.UNREADABLE_INPUT
    assert result.stderr.startswith("isocenter: There is no archive in nowhere; ")
    assert not Path("nowhere").exists()


def test_a_data_folder_that_cannot_be_made_is_an_output_error(run: Run) -> None:
    write_object(Path("in/1.dcm"), 1)
    Path("file").write_text("in the way")
    result = run("import", "in", "--data", "file/data")
    assert result.exit_code == exit_codes.UNWRITABLE_OUTPUT
    assert "cannot be used as a data folder" in result.stderr


def test_the_data_folder_can_come_from_a_file_or_a_variable(
    run: Run, imported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absolute = imported.absolute()
    Path("etc").mkdir()
    Path("etc/node.toml").write_text('[node]\ndata_directory = "../isocenter-data"\n')
    assert json.loads(run("status", "--json", "-c", "etc/node.toml").stdout)["instances"] == 3
    monkeypatch.chdir(absolute.parent / "etc")
    monkeypatch.setenv("ISOCENTER_NODE__DATA_DIRECTORY", str(absolute))
    assert json.loads(run("status", "--json").stdout)["instances"] == 3
