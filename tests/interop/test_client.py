"""Our user side, command line and Python API, against DCMTK's and pynetdicom's providers."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    ModalityWorklistInformationFind,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

import isocenter
from isocenter.cli import exit_codes
from tests.services.scu.pynetdicom_scp import scp
from tests.support import peers
from tests.support.corpus import bundled
from tests.support.node import ISOCENTER, isocenter_json
from tests.support.node import isocenter as run_isocenter
from tests.support.processes import Server, run

pytestmark = pytest.mark.interop

STEP = "ScheduledProcedureStepSequence[0]"


def worklist_item(number: int, modality: str) -> Dataset:
    step = Dataset()
    step.Modality = modality
    step.ScheduledStationAETitle = f"{modality}1"
    step.ScheduledProcedureStepStartDate = "20240229"
    step.ScheduledProcedureStepStartTime = "0800"
    step.ScheduledPerformingPhysicianName = "DOE^DOC"
    step.ScheduledProcedureStepDescription = "HEAD"
    step.ScheduledProcedureStepID = f"S{number}"
    item = Dataset()
    item.SpecificCharacterSet = "ISO_IR 100"
    item.PatientName = f"Müller^{number}"
    item.PatientID = f"W{number}"
    item.PatientBirthDate = "19700101"
    item.PatientSex = "F"
    item.AccessionNumber = f"A{number}"
    item.StudyInstanceUID = f"1.2.3.{number}"
    item.RequestedProcedureID = f"R{number}"
    item.RequestedProcedureDescription = "HEAD"
    item.ScheduledProcedureStepSequence = [step]
    return item


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """DCMTK's worklist provider with two CTs and an MR."""
    items = [worklist_item(1, "CT"), worklist_item(2, "MR"), worklist_item(3, "CT")]
    with peers.dcmtk_wlmscpfs(tmp_path_factory.mktemp("worklist"), *items) as server:
        yield server


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ((), {"W1", "W2", "W3"}),
        (("-k", f"{STEP}.Modality=CT"), {"W1", "W3"}),
        (("-k", "(0040,0100).(0008,0060)=MR"), {"W2"}),
        (("-k", f"{STEP}.ScheduledProcedureStepStartDate=20240301-"), set()),
        (("-k", "PatientName=Müller^1", "-k", "SpecificCharacterSet=ISO_IR 100"), {"W1"}),
    ],
)
def test_a_worklist_is_queried_by_paths(worklist: Server, keys, found: set[str]) -> None:
    matches = isocenter_json("find", f"WORKLIST@{worklist.address}", "-W", *keys)
    assert {match["00100020"]["Value"][0] for match in matches} == found


def test_a_worklist_has_columns_of_its_own(worklist: Server) -> None:
    shown = run_isocenter("find", f"WORKLIST@{worklist.address}", "-W", "-k", "PatientID=W2")
    heading, row, *_ = shown.stdout.splitlines()
    assert {"PatientName", "Modality", "ScheduledStationAETitle"} <= set(heading.split())
    assert {"Müller^2", "MR", "MR1"} <= set(row.split())


def test_a_worklist_query_may_be_a_file(worklist: Server, tmp_path: Path) -> None:
    query = {"00400100": {"vr": "SQ", "Value": [{"00080060": {"vr": "CS", "Value": ["MR"]}}]}}
    path = tmp_path / "query.json"
    path.write_text(json.dumps(query | {"00100020": {"vr": "LO"}}))
    where = (f"WORKLIST@{worklist.address}", "-W")
    (match,) = isocenter_json("find", *where, path)
    assert match["00100020"]["Value"] == ["W2"]
    overridden = isocenter_json("find", *where, path, "-k", f"{STEP}.Modality=CT")
    assert {match["00100020"]["Value"][0] for match in overridden} == {"W1", "W3"}


def test_extracted_matches_are_what_findscu_extracts(worklist: Server, tmp_path: Path) -> None:
    keys = ("-W", "-k", "PatientName", "-k", "PatientID=W1", "-k", f"{STEP}.Modality")
    there = ("-aec", "WORKLIST", "127.0.0.1", str(worklist.port))
    for folder, ask in (("theirs", peers.dcmtk), ("ours", None)):
        (tmp_path / folder).mkdir()
        options = ("-X", "-od", tmp_path / folder, *keys, *there)
        done = ask("findscu", *options) if ask else run_isocenter("find", *options)
        assert done.returncode == 0, done.stdout
    theirs, ours = (
        pydicom.dcmread(tmp_path / folder / "rsp0001.dcm", force=True)
        for folder in ("theirs", "ours")
    )
    assert ours.PatientName == theirs.PatientName
    assert ours.ScheduledProcedureStepSequence == theirs.ScheduledProcedureStepSequence


def test_the_extracted_file_is_a_query_file_again(worklist: Server, tmp_path: Path) -> None:
    where = (f"WORKLIST@{worklist.address}", "-W")
    keys = ("-k", "PatientID=W2", "-k", "PatientSex", "-k", f"{STEP}.Modality")
    done = run_isocenter("find", *where, *keys, "-od", tmp_path)
    assert done.returncode == 0, done.stdout
    (match,) = isocenter_json("find", *where, tmp_path / "rsp0001.dcm", "-k", "AccessionNumber")
    assert match["00080050"]["Value"] == ["A2"]


def test_a_program_queries_a_worklist(worklist: Server) -> None:
    with isocenter.connect(f"WORKLIST@{worklist.address}") as assoc:
        step = {"Modality": "CT", "ScheduledProcedureStepStartDate": "20240101-"}
        items = list(assoc.find_worklist(ScheduledProcedureStepSequence=step))
        assert {item.PatientID for item in items} == {"W1", "W3"}
        assert {str(item.PatientName) for item in items} == {"Müller^1", "Müller^3"}
        with pytest.raises(isocenter.errors.IsocenterError, match="no presentation context"):
            list(assoc.find(PatientID="W1"))


def test_the_retired_model_is_asked_for_where_a_peer_still_has_it() -> None:
    asked: list[Dataset] = []

    def answer(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        assert event.request.AffectedSOPClassUID == (
            PatientStudyOnlyQueryRetrieveInformationModelFind
        )
        asked.append(event.identifier)
        match = Dataset()
        match.PatientID = "OLD"
        yield 0xFF01, match

    def old(ae: AE) -> None:
        ae.add_supported_context(PatientStudyOnlyQueryRetrieveInformationModelFind)

    with scp(on_find=answer, configure=old) as peer:
        shown = run_isocenter("find", str(peer), "-O", "-L", "STUDY")
        with isocenter.connect(str(peer)) as assoc, pytest.warns(isocenter.KeysNotSupported):
            (match,) = assoc.find(model="PATIENT/STUDY", level="PATIENT")
    assert "OLD" in shown.stdout
    assert "does not support all of these keys" in shown.stdout
    assert match.PatientID == "OLD"
    assert [identifier.QueryRetrieveLevel for identifier in asked] == ["STUDY", "PATIENT"]


@pytest.mark.parametrize("options", [("find", "-W"), ("find", "-O"), ("get", "-k", "PatientID=1")])
def test_a_peer_without_the_model_is_66(options: tuple[str, ...]) -> None:
    with scp() as peer:
        command, *rest = options
        extra = ["-P"] if command == "get" else []
        done = run_isocenter(command, str(peer), *rest, *extra)
    assert done.returncode == exit_codes.NO_PRESENTATION_CONTEXT
    assert "no presentation context" in done.stdout


def test_leaving_the_loop_cancels_an_endless_query() -> None:
    canceled: list[bool] = []

    def endless(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        match = Dataset()
        match.PatientID = "7"
        patience = time.monotonic() + 20
        while not (told := event.is_cancelled) and time.monotonic() < patience:
            time.sleep(0.01)  # only to let the thread that reads the C-CANCEL have its turn
            yield 0xFF00, match
        canceled.append(told)
        yield 0xFE00, None

    def worklists(ae: AE) -> None:
        ae.add_supported_context(ModalityWorklistInformationFind)

    with scp(on_find=endless, configure=worklists) as peer, isocenter.connect(str(peer)) as assoc:
        for match in assoc.find(PatientID="7"):
            assert match.PatientID == "7"
            break
        gc.collect()
        assert len(list(assoc.find_worklist(limit=5))) == 5
        assert assoc.echo().is_success
    assert canceled == [True, True]


def ct(number: int) -> Dataset:
    image = pydicom.dcmread(bundled("CT_small.dcm"))
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    return image


@pytest.fixture
def getting_scp():
    """Starts a pynetdicom peer that answers each C-GET with these images."""

    def start(*images: Dataset):
        def answer(event: Any) -> Iterator[Any]:
            yield len(images)
            for image in images:
                if event.is_cancelled:
                    yield 0xFE00, None
                    return
                yield 0xFF00, image

        def configure(ae: AE) -> None:
            ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
            ae.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
            ae.add_supported_context(
                CTImageStorage, AllTransferSyntaxes, scu_role=True, scp_role=True
            )

        return scp(configure=configure, handlers=[(evt.EVT_C_GET, answer)])

    return start


def test_a_program_gets_data_sets_from_a_foreign_peer(getting_scp) -> None:
    with getting_scp(ct(1), ct(2), ct(3)) as peer, isocenter.connect(str(peer)) as assoc:
        assert [image.SOPInstanceUID for image in assoc.get(StudyInstanceUID="1.2")] == [
            "1.2.3.1",
            "1.2.3.2",
            "1.2.3.3",
        ]
        for image in assoc.get(StudyInstanceUID="1.2"):
            assert image.pixel_array.shape == (128, 128)
            break
        gc.collect()
        assert len(list(assoc.get(StudyInstanceUID="1.2"))) == 3


def test_an_instance_that_comes_twice_is_one_file(getting_scp, tmp_path: Path) -> None:
    with getting_scp(ct(1), ct(1)) as peer:
        outcome = isocenter_json(
            "get", str(peer), "-k", "StudyInstanceUID=1.2", "-od", tmp_path, "--by-study"
        )
    (path,) = outcome["files"]
    assert (outcome["completed"], outcome["unchanged"]) == (2, [path])
    image = ct(1)
    assert Path(path).parts[-3:] == (image.StudyInstanceUID, image.SeriesInstanceUID, "1.2.3.1.dcm")


def test_a_list_of_studies_is_retrieved_from_dcmqrscp(tmp_path: Path) -> None:
    names = ("CT_small.dcm", "MR_small.dcm")
    studies = [str(pydicom.dcmread(bundled(name)).StudyInstanceUID) for name in names]
    listed = tmp_path / "studies.txt"
    listed.write_text("# two studies\n" + "\n".join(studies) + "\n")
    with peers.dcmtk_dcmqrscp(tmp_path / "archive") as server:
        there = f"DCMQRSCP@{server.address}"
        stored = run_isocenter("store", there, *map(bundled, names))
        assert stored.returncode == 0, stored.stdout + server.log()
        outcome = isocenter_json("get", there, "--from", listed, "-od", tmp_path / "got")
    assert outcome["completed"] == 2, server.log()
    assert len(list((tmp_path / "got").iterdir())) == 2


def test_failed_objects_are_named_by_a_foreign_peer_and_by_us() -> None:
    def answer(event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, ct(1)
        broken = Dataset()
        broken.FailedSOPInstanceUIDList = ["1.2.3.2"]
        yield 0xA702, broken

    def configure(ae: AE) -> None:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
        ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)

    handlers = [(evt.EVT_C_GET, answer)]
    with (
        scp(configure=configure, handlers=handlers) as peer,
        isocenter.connect(str(peer)) as assoc,
    ):
        got = []
        with pytest.raises(isocenter.RequestFailed) as failed:
            got.extend(assoc.get(StudyInstanceUID="1.2"))
    assert len(got) <= 1
    assert failed.value.status.code == 0xA702
    assert failed.value.outcome is not None
    assert "1.2.3.2" in failed.value.outcome.failed_uids


def test_what_came_before_an_association_broke_off_is_told(tmp_path: Path) -> None:
    def answer(event: Any) -> Iterator[Any]:
        yield 2
        yield 0xFF00, ct(1)
        event.assoc.abort()

    def configure(ae: AE) -> None:
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
        ae.add_supported_context(CTImageStorage, scu_role=True, scp_role=True)

    with scp(configure=configure, handlers=[(evt.EVT_C_GET, answer)]) as peer:
        where = ("get", str(peer), "-k", "StudyInstanceUID=1.2", "-od", tmp_path, "--json")
        done = run([ISOCENTER, *where], merge=False)
    assert done.returncode == exit_codes.ABORTED
    outcome = json.loads(done.stdout)
    assert (outcome["status"], len(outcome["files"])) == (None, 1)
