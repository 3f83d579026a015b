"""`isocenter audit` on an archive of this machine, and what `isocenter import` tells the trail."""

from __future__ import annotations

import getpass
import json
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest

from isocenter.archive.layout import AUDIT_FILE
from isocenter.cli import exit_codes
from isocenter.security.audit.trail import AuditTrail
from tests.cli.helpers import Run, write_object
from tests.security.audit.schema_check import check

DATA = Path("isocenter-data")


@pytest.fixture
def imported(run: Run) -> Run:
    """Two patients' objects in the archive, by `isocenter import`."""
    for number, patient in ((1, "P1"), (2, "P1"), (3, "P2")):
        write_object(Path(f"files/{number}.dcm"), number, PatientID=patient)
    result = run("import", "files")
    assert result.exit_code == 0, result.output
    return run


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    result = run("audit", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_an_import_is_told_for_each_patient(imported: Run) -> None:
    found = [one for one in listed(imported, "list") if one["what"] == "Import"]
    assert sorted((sorted(one["studies"]), one["instances"]) for one in found) == [
        (["1.2.3.1.1", "1.2.3.2.1"], 2),
        (["1.2.3.3.1"], 1),
    ]
    (person,) = [actor for actor in found[0]["actors"] if actor["is_requestor"]]
    assert person["user_id"].startswith(f"{getpass.getuser()}@")
    media = [a["user_id"] for a in found[0]["actors"] if a["roles"] == ["Source Media"]]
    assert media == [Path("files").absolute().as_uri()]


def test_an_import_without_a_trail_tells_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_AUDIT__ENABLED", "false")
    write_object(Path("files/1.dcm"), 1)
    assert run("import", "files").exit_code == 0
    assert not (DATA / AUDIT_FILE).exists()


def test_who_saw_a_patient_is_a_table(imported: Run) -> None:
    result = imported("audit", "who-saw", "P1")
    assert result.exit_code == 0
    heading, row, *more = result.stdout.splitlines()
    assert more == []
    assert heading.split()[:3] == ["No.", "When", "What"]
    assert "Import" in row
    assert imported("audit", "who-saw", "nobody").stdout == ""


def test_who_saw_can_be_asked_of_one_institution(run: Run) -> None:
    for number, issuer in ((1, "HERE"), (2, "THERE")):
        write_object(Path(f"files/{number}.dcm"), number, PatientID="P1", IssuerOfPatientID=issuer)
    run("import", "files")
    assert len(listed(run, "who-saw", "P1")) == 2
    (one,) = listed(run, "who-saw", "P1", "--issuer", "HERE")
    assert one["studies"] == ["1.2.3.1.1"]


@pytest.mark.parametrize(
    "use",
    [("who-saw", "P9"), ("list",), ("show", "1"), ("verify",), ("export-status",)],
    ids=lambda use: use[0],
)
def test_every_use_of_the_trail_is_in_it(imported: Run, use: tuple[str, ...]) -> None:
    before = len(listed(imported, "list"))
    assert imported("audit", *use).exit_code == 0
    after = listed(imported, "list")
    assert len(after) == before + 2
    assert after[1]["what"] == "Audit Log Used"
    assert after[1]["description"] == " ".join(("isocenter audit", *use))


def test_a_message_is_shown_as_it_is(imported: Run) -> None:
    shown = imported("audit", "show", "1").stdout
    check(shown.encode())
    assert fromstring(shown).find(".//EventID").get("originalText") == "Import"  # type: ignore[union-attr]
    missing = imported("audit", "show", "999")
    assert missing.exit_code == exit_codes.UNREADABLE_INPUT
    assert "has no message 999" in missing.stderr


def test_a_whole_trail_verifies_and_tells_its_end(imported: Run) -> None:
    first = imported("audit", "verify")
    assert first.exit_code == 0
    head = first.stdout.split()[-1].rstrip(".")
    assert imported("audit", "verify", "--expect", head).exit_code == 0
    wrong = imported("audit", "verify", "--expect", "nonsense")
    assert wrong.exit_code == exit_codes.SYNTAX


def test_a_changed_trail_is_told_with_the_message(imported: Run) -> None:
    with closing(connect(DATA / AUDIT_FILE)) as connection:
        connection.execute("UPDATE message SET outcome = 4 WHERE id = 1")
        connection.commit()
    result = imported("audit", "verify")
    assert result.exit_code == exit_codes.DAMAGED_ARCHIVE
    assert "message 1 was changed" in result.stderr
    told = json.loads(imported("audit", "verify", "--json").stdout)
    assert told["fault"] == {"number": 1, "sentence": "message 1 was changed"}


def test_a_trail_that_was_made_anew_is_not_the_expected_one(imported: Run) -> None:
    head = imported("audit", "verify").stdout.split()[-1].rstrip(".")
    for file in DATA.glob("audit.*"):
        file.unlink()
    write_object(Path("more/9.dcm"), 9)
    imported("import", "more")
    for _ in range(5):
        imported("audit", "list")
    assert imported("audit", "verify").exit_code == 0
    result = imported("audit", "verify", "--expect", head)
    assert result.exit_code == exit_codes.DAMAGED_ARCHIVE
    assert "is not the one that was noted" in result.stderr


def test_the_state_of_an_export_is_shown(imported: Run) -> None:
    assert "No message has been sent" in imported("audit", "export-status").stderr
    with AuditTrail(DATA / AUDIT_FILE) as trail:
        trail.note_export("log.example:6514", 1, 0.0, "The syslog server broke off.")
    (state,) = listed(imported, "export-status")
    assert (state["through"], state["waiting"] > 2) == (1, True)
    row = imported("audit", "export-status").stdout.splitlines()[1]
    assert "log.example:6514" in row
    assert "broke off" in row


def test_an_archive_without_a_trail_is_told(run: Run) -> None:
    DATA.mkdir()
    result = run("audit", "list")
    assert result.exit_code == exit_codes.UNREADABLE_INPUT
    assert "holds no audit trail" in result.stderr
    assert not (DATA / AUDIT_FILE).exists()


def test_a_file_that_is_no_trail_is_told(run: Run) -> None:
    DATA.mkdir()
    (DATA / AUDIT_FILE).write_text("nonsense" * 100)
    result = run("audit", "verify")
    assert result.exit_code == exit_codes.DAMAGED_ARCHIVE
    assert "audit.sqlite" in result.stderr
