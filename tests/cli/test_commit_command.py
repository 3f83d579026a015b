"""`isocenter commit`, and `isocenter store --commit`: what is asked, told, and deleted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.sop_class import StorageCommitmentPushModel

from isocenter.archive.workflow import Workflow
from isocenter.archive.workflow.commitments import Commitments
from isocenter.archive.workflow.jobs import Jobs
from isocenter.security.access import ALL_STUDIES
from tests.cli.helpers import CT_IMAGE, Run, write_object
from tests.services.scu.pynetdicom_scp import scp

WELL_KNOWN = "1.2.840.10008.1.20.1.1"


class Archive:
    """pynetdicom as an archive that commits to the instances in `good` only."""

    def __init__(self) -> None:
        self.good: set[str] = set()
        self.asked: list[list[str]] = []
        self.refusal = 0x0000
        self.reports = True
        self.answer = self.on_action
        self.storing: dict[str, int] = {}
        self.refuse_again = False
        self.stored: set[str] = set()

    def on_store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        if self.refuse_again and uid in self.stored:
            return 0x0110
        self.stored.add(uid)
        return self.storing.get(uid, 0x0000)

    def on_action(self, event: Any) -> tuple[int, None]:
        items = list(event.action_information.ReferencedSOPSequence)
        self.asked.append([str(item.ReferencedSOPInstanceUID) for item in items])
        if self.reports and not self.refusal:
            report = self._report(event.action_information, items)
            threading.Timer(0.01, self._send, (event.assoc, report)).start()
        return self.refusal, None

    def _report(self, request: Dataset, items: list[Dataset]) -> Dataset:
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        report.ReferencedSOPSequence = [
            one for one in items if one.ReferencedSOPInstanceUID in self.good
        ]
        failed = [one for one in items if one.ReferencedSOPInstanceUID not in self.good]
        if failed:
            report.FailedSOPSequence = failed
            for one in failed:
                one.FailureReason = 0x0110
        return report

    def _send(self, association: Any, report: Dataset) -> None:
        event_type = 2 if "FailedSOPSequence" in report else 1
        association.send_n_event_report(report, event_type, StorageCommitmentPushModel, WELL_KNOWN)


@pytest.fixture
def archive() -> Archive:
    return Archive()


@pytest.fixture
def peer(archive: Archive) -> Iterator[str]:
    """Where the archive listens."""
    with scp(
        on_store=archive.on_store,
        on_action=lambda event: archive.answer(event),
        configure=lambda ae: ae.add_supported_context(StorageCommitmentPushModel),
    ) as destination:
        yield f"{destination.host}:{destination.port}"


@pytest.fixture
def files(place: Path) -> list[Path]:
    return [write_object(place / "files" / f"{number}.dcm", number) for number in range(1, 5)]


UIDS = [f"1.2.3.{number}" for number in range(1, 5)]


def test_commit_asks_about_files(run: Run, archive: Archive, peer: str, files: list[Path]) -> None:
    archive.good = set(UIDS)
    done = run("commit", peer, "files")
    assert done.exit_code == 0, done.output
    assert "committed" in done.stdout
    assert archive.asked == [UIDS]


def test_commit_tells_of_each_instance_and_by_its_exit_code(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.good = {UIDS[0]}
    done = run("commit", peer, "files", "--json")
    assert done.exit_code == 62
    told = json.loads(done.stdout)
    assert (told["committed"], told["complete"]) == (1, False)
    assert [one["failure_reason"] for one in told["instances"]] == [None] + ["0x0110"] * 3
    shown = run("commit", peer, "files")
    assert "1.2.3.2  not committed: 0110H processing failure" in shown.stderr


def test_commit_says_when_no_report_came(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.reports = False
    done = run("commit", peer, "files", "--wait", "0.1", "--transaction", "1.2.77")
    assert done.exit_code == 60
    assert "No report about transaction 1.2.77" in done.stderr


def test_commit_passes_on_that_the_peer_refuses(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.refusal = 0x0213
    done = run("commit", peer, "files")
    assert done.exit_code == 62
    assert "0213H" in done.stderr


def test_commit_needs_something_to_ask_about(run: Run, place: Path) -> None:
    (place / "empty").mkdir()
    assert run("commit", "localhost", "empty").exit_code == 21
    assert run("commit", "localhost").exit_code == 21


@pytest.mark.parametrize("arguments", [("--help",), ("-h",)])
def test_commit_explains_all_its_forms(run: Run, arguments: tuple[str, ...]) -> None:
    shown = run("commit", *arguments)
    assert shown.exit_code == 0
    for form in ("commit pacs dir/", "commit pacs --study", "commit list", "retry"):
        assert form in shown.stdout


def test_commit_asks_about_a_study_of_the_local_archive(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    assert run("import", "files", "--data", "data").exit_code == 0
    archive.good = set(UIDS)
    done = run("commit", peer, "--study", "1.2.3.2.1", "--data", "data")
    assert done.exit_code == 0, done.output
    assert archive.asked == [["1.2.3.2"]]
    absent = run("commit", peer, "--study", "1.2.3.99", "--data", "data")
    assert absent.exit_code == 21
    assert "no study 1.2.3.99" in absent.stderr


def test_store_deletes_only_what_is_committed(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.good = {UIDS[0], UIDS[2]}
    done = run("store", peer, "files", "--commit", "--delete", "--json")
    assert done.exit_code == 62, done.output
    told = json.loads(done.stdout)
    assert told["commitment"]["committed"] == 2
    assert sorted(Path(path).name for path in told["deleted"]) == ["1.dcm", "3.dcm"]
    assert [path.exists() for path in files] == [False, True, False, True]


@pytest.mark.parametrize("trouble", ["refused", "silent"])
def test_store_deletes_nothing_without_a_commitment(
    run: Run, archive: Archive, peer: str, files: list[Path], trouble: str
) -> None:
    archive.good = set(UIDS)
    archive.refusal = 0x0110 if trouble == "refused" else 0x0000
    archive.reports = False
    done = run("store", peer, "files", "--commit", "--delete", "--wait", "0.1")
    assert done.exit_code == (62 if trouble == "refused" else 60)
    assert all(path.exists() for path in files)


def test_store_tells_what_it_stored_although_commitment_is_refused(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.refusal = 0x0213
    done = run("store", peer, "files", "--commit", "--json")
    assert done.exit_code == 62
    told = json.loads(done.stdout)
    assert told["accepted"] == 4
    assert "0213H" in told["commitment"]["error"]


def test_store_does_not_delete_two_files_with_one_uid(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    twin = write_object(files[0].with_name("twin.dcm"), 1, PatientName="ROE^JANE")
    archive.good = set(UIDS)
    done = run("store", peer, "files", "--commit", "--delete")
    assert done.exit_code == 40
    assert "another file has the same SOP Instance UID" in done.stderr
    assert twin.exists()
    assert files[0].exists()
    assert not files[1].exists()


def test_store_does_not_delete_what_was_changed_while_it_waited(
    run: Run, archive: Archive, peer: str, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.good = set(UIDS)
    answer = archive.on_action

    def edited_meanwhile(event: Any) -> tuple[int, None]:
        content = files[0].read_bytes()
        files[0].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))  # of the same length
        return answer(event)

    monkeypatch.setattr(archive, "answer", edited_meanwhile)
    done = run("store", peer, "files", "--commit", "--delete")
    assert done.exit_code == 40
    assert "it has changed since it was sent" in done.stderr
    assert [path.exists() for path in files] == [True, False, False, False]


def test_store_does_not_delete_what_the_peer_altered(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.good = set(UIDS)
    archive.storing[UIDS[1]] = 0xB006  # Elements Discarded
    done = run("store", peer, "files", "--commit", "--delete")
    assert done.exit_code == 40
    assert "the peer stored it with a warning" in done.stderr
    assert [path.exists() for path in files] == [False, True, False, False]


def test_store_does_not_delete_a_file_whose_twin_was_refused(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    write_object(files[0].with_name("twin.dcm"), 1, PatientName="ROE^JANE")
    archive.good = set(UIDS)
    archive.refuse_again = True
    run("store", peer, "files", "--commit", "--delete", "--retries", "0")
    assert [path.exists() for path in files] == [True, False, False, False]


def test_store_leaves_links_and_what_they_lead_to(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    link = files[0].with_name("link.dcm")
    behind = files[0].rename(files[0].parent.parent / "elsewhere.dcm")
    link.symlink_to(behind)
    archive.good = set(UIDS)
    done = run("store", peer, "files", "--commit", "--delete")
    assert "it is a symbolic link" in done.stderr
    assert link.is_symlink()
    assert behind.exists()


def test_store_deletes_nothing_unasked(
    run: Run, archive: Archive, peer: str, files: list[Path]
) -> None:
    archive.good = set(UIDS)
    assert run("store", peer, "files", "--commit").exit_code == 0
    assert run("store", peer, "files", "--delete").exit_code == 1
    assert all(path.exists() for path in files)


def test_list_shows_what_this_node_was_asked(run: Run, place: Path) -> None:
    (place / "data").mkdir()
    assert "Nobody has asked" in run("commit", "list", "--data", "data").stderr
    assert list((place / "data").iterdir()) == []
    with Workflow(place / "data" / "workflow.sqlite") as workflow:
        commitments = Commitments(workflow, Jobs(workflow))
        made = commitments.register(
            "MODALITY",
            "ISOCENTER",
            "1.2.9",
            [(CT_IMAGE, "1.2.3")],
            scope=ALL_STUDIES,
            seconds=100,
            limit=10,
        )
        commitments.checked(made.number, {0: 0x0112})
        commitments.jobs.retry_at(made.job, made.job.expires_at, "The port is closed.")
    (listed,) = json.loads(run("commit", "list", "--data", "data", "--json").stdout)
    assert (listed["requester_ae"], listed["transaction_uid"]) == ("MODALITY", "1.2.9")
    assert (listed["state"], listed["instances"], listed["failed"]) == ("checked", 1, 1)
    assert (listed["attempts"], listed["last_error"]) == (1, "The port is closed.")
    assert "MODALITY" in run("commit", "list", "--data", "data", "--open").stdout


def test_retry_makes_a_report_due(run: Run, place: Path) -> None:
    test_list_shows_what_this_node_was_asked(run, place)
    assert run("commit", "retry", "1.2.9", "--data", "data").exit_code == 0
    with Workflow(place / "data" / "workflow.sqlite") as workflow:
        assert len(Jobs(workflow).claim("commitment", 5)) == 1
    unknown = run("commit", "retry", "1.2.10", "--data", "data")
    assert unknown.exit_code == 20
    assert "commit list" in unknown.stderr
