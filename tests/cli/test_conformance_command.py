"""`isocenter conformance`: files that come out and go in, and what is said of bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.conformance.documents import from_json, to_json
from tests.cli.helpers import Run
from tests.conformance.nodes import CT, EXPLICIT, JPEG_LOSSLESS, MR, node
from tests.conformance.test_annex_h import DEVICE
from tests.conformance.test_plain_text import CONTEXTS, UIDS


@pytest.mark.parametrize(
    ("name", "begins"),
    [("s.html", "<!DOCTYPE html>"), ("s.md", "# DICOM Conformance"), ("s.json", "{"), ("s", "#")],
)
def test_a_statement_is_written_as_its_file_ends(run: Run, place: Path, name: str, begins: str):
    assert run("conformance", "statement", "-o", name).exit_code == 0
    assert (place / name).read_text().startswith(begins)


def test_a_statement_is_that_of_the_configuration(run: Run, place: Path):
    (place / "isocenter.toml").write_text('[node]\nae_title = "ARCHIVE"\n')
    done = run("conformance", "statement", "-f", "json")
    assert from_json(done.stdout).entities[0].ae_title == "ARCHIVE"


def test_a_place_that_cannot_be_written_is_told(run: Run):
    done = run("conformance", "statement", "-o", "nowhere/s.md")
    assert done.exit_code == 40
    assert "nowhere/s.md cannot be written" in done.stderr


def test_two_files_are_compared(run: Run, place: Path):
    (place / "a.json").write_text(to_json(node(sends={CT: [EXPLICIT], MR: [JPEG_LOSSLESS]})))
    (place / "b.json").write_text(to_json(node(stores={CT: [EXPLICIT], MR: [EXPLICIT]})))
    shown = run("conformance", "compare", "a.json", "b.json")
    assert shown.exit_code == 0
    assert "CT Image Storage  yes" in shown.stdout
    assert "MR Image Storage  no" in shown.stdout
    document = json.loads(run("conformance", "compare", "a.json", "b.json", "--json").stdout)
    assert [row["verdict"] for row in document["storage"]] == ["yes", "no"]


def test_a_probe_is_held_against_the_statement_of_the_same_node(run: Run, place: Path):
    (place / "claim.json").write_text(to_json(node(stores={CT: [EXPLICIT], MR: [EXPLICIT]})))
    found = node(stores={CT: [EXPLICIT]}, kind="probe", tried=[CT, MR])
    (place / "found.json").write_text(to_json(found))
    for files in (("claim.json", "found.json"), ("found.json", "claim.json")):
        shown = run("conformance", "compare", *files)
        assert "claimed, not done" in shown.stdout
        assert "1 difference" in shown.stdout
    assert "From NODE to NODE" in run("conformance", "compare", *files, "--sending").stdout
    assert "differences" in run("conformance", "compare", *files, "--json").stdout


def test_this_node_can_be_compared_as_self(run: Run, place: Path):
    (place / "b.json").write_text(to_json(node(stores={CT: [EXPLICIT]})))
    shown = run("conformance", "compare", "self", "b.json", "--all")
    assert shown.exit_code == 0
    assert "CT Image Storage " in shown.stdout


def test_a_directory_is_imported_and_exported_again(run: Run, place: Path):
    (place / "devices.ldif").write_text(DEVICE)
    assert run("conformance", "import", "devices.ldif", "-o", "ct1.json").exit_code == 0
    exported = run("conformance", "export", "ct1.json", "-f", "json")
    fields = json.loads(exported.stdout)
    assert fields["dicomNetworkAE"][0]["dicomAETitle"] == "CT1"
    (place / "again.json").write_text(exported.stdout)
    again = run("conformance", "import", "again.json")
    assert from_json(again.stdout).entities == from_json((place / "ct1.json").read_text()).entities


def test_one_of_several_devices_is_chosen_by_its_name(run: Run, place: Path):
    (place / "devices.ldif").write_text(DEVICE + "\n" + DEVICE.replace("ct1", "ct2"))
    several = run("conformance", "import", "devices.ldif")
    assert several.exit_code == 22
    assert "ct1, ct2" in several.stderr
    chosen = run("conformance", "import", "devices.ldif", "--device", "ct2")
    assert from_json(chosen.stdout).product.name == "ct2"


def test_text_is_imported_and_what_it_does_not_tell_is_said(run: Run, place: Path):
    (place / "statement.txt").write_text(UIDS + "\n\n" + CONTEXTS)
    cautious = run("conformance", "import", "--text", "statement.txt", "--ae-title", "CT1")
    assert cautious.exit_code == 0
    assert "no transfer syntax was found" in cautious.stderr
    assert from_json(cautious.stdout).entities[0].ae_title == "CT1"
    trusting = run("conformance", "import", "--text", "statement.txt", "--assume-syntaxes")
    assert "no transfer syntax was found" not in trusting.stderr


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (b"%PDF-1.7", ("import", "--text"), "pdftotext"),
        (b"%PDF-1.7", ("import",), "pdftotext"),
        (b"hello", ("import", "--text"), "No table"),
        (b"{", ("import",), "no JSON"),
        (b"\xff\xfe", ("import",), "LDIF"),
        (b"{}", ("compare", "self"), "no description of a node"),
        (b"\xff", ("export",), "no JSON"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(
    run: Run, place: Path, content: bytes, arguments: tuple[str, ...], words: str
):
    (place / "file").write_bytes(content)
    done = run("conformance", *arguments, "file")
    assert done.exit_code == 22
    assert words in done.stderr


def test_a_peer_that_is_not_there_is_a_finding_and_an_exit_code(run: Run, free_port: int):
    done = run("conformance", "probe", f"127.0.0.1:{free_port}", "--json")
    assert done.exit_code == 60
    document = from_json(done.stdout)
    assert [one.id for one in document.findings] == ["no-connection"]


@pytest.mark.parametrize(
    ("option", "words"),
    [(("--sop-class", "CT"), "no UID"), (("--transfer-syntax", "JPEG 3000"), "of PS3.6")],
)
def test_a_wrong_wish_is_refused_before_anybody_is_asked(run: Run, option, words: str):
    done = run("conformance", "probe", "127.0.0.1:1", *option)
    assert done.exit_code in (1, 2)
    assert words in done.stderr


def test_the_schema_is_printed(run: Run):
    described = json.loads(run("conformance", "schema").stdout)
    assert described["title"] == "Capabilities"
