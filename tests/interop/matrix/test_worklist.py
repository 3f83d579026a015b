"""Modality Worklist both ways, with one item as a worklist file that every archive here reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from tests.interop.matrix.cells import WORKLIST, answers, asks
from tests.services.scu.pynetdicom_scp import scp
from tests.support import dcmjs_dimse, peers
from tests.support.modality import ACCESSION, STATION, worklist_item, write_worklist_file
from tests.support.node import AE_TITLE, Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import Server, free_port, require

pytestmark = pytest.mark.interop


ITEM = worklist_item()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with the item on its worklist."""
    folder = tmp_path_factory.mktemp("worklist")
    write_worklist_file(folder / "item.wl", ITEM)
    with Node(folder / "data") as running:
        done = isocenter("worklist", "import", "--data", running.data, folder / "item.wl")
        assert done.returncode == 0, done.stdout
        yield running


# Peers ask


STEP = "ScheduledProcedureStepSequence[0]"
KEYS = (
    "-k", "AccessionNumber", "-k", "PatientName", "-k", f"{STEP}.ScheduledProcedureStepID",
)  # fmt: skip


@asks("DCMTK", WORKLIST, by="findscu")
@pytest.mark.parametrize(("station", "count"), [(STATION, 1), ("OTHER", 0)])
def test_findscu_finds(node: Node, received: Path, station: str, count: int):
    key = ("-k", f"{STEP}.ScheduledStationAETitle={station}")
    where = ("127.0.0.1", str(node.port))
    asked = peers.dcmtk("findscu", "-W", "-X", "-od", received, *KEYS, *key, *where)
    assert asked.returncode == 0, asked.stdout
    found = [pydicom.dcmread(path, force=True) for path in received.iterdir()]
    assert [str(match.AccessionNumber) for match in found] == [ACCESSION] * count


@asks("pynetdicom", WORKLIST, by="findscu")
def test_pynetdicom_finds(node: Node):
    keys = ("-k", "AccessionNumber=", "-k", "PatientID=WL1")
    asked = peers.pynetdicom("findscu", "127.0.0.1", str(node.port), "-W", *keys)
    assert asked.returncode == 0, asked.stdout
    assert ACCESSION in asked.stdout


@asks("dcmjs-dimse", WORKLIST, by="Client")
@pytest.mark.parametrize(("modality", "count"), [("CT", 1), ("MR", 0)])
def test_dcmjs_dimse_finds(node: Node, modality: str, count: int):
    step = {"Modality": modality, "ScheduledProcedureStepID": ""}
    keys = {"AccessionNumber": "", "ScheduledProcedureStepSequence": [step]}
    found = dcmjs_dimse.ask(node.port, "worklist", keys=keys)
    assert found["statuses"][-1] == 0
    assert [match["AccessionNumber"] for match in found["matches"]] == [ACCESSION] * count


@asks("Orthanc", WORKLIST, by="/modalities/{id}/find-worklist")
def test_orthanc_finds(node: Node, orthanc: Orthanc):
    orthanc.introduce("isocenter", AE_TITLE, node.port)
    for station, count in ((STATION, 1), ("OTHER", 0)):
        step = {"ScheduledStationAETitle": station, "ScheduledProcedureStepID": ""}
        keys = {"AccessionNumber": "", "ScheduledProcedureStepSequence": [step]}
        found = orthanc.rest("/modalities/isocenter/find-worklist", keys)
        assert [match["AccessionNumber"] for match in found] == [ACCESSION] * count


# Isocenter asks


def assert_isocenter_finds(server: Server, ae_title: str) -> None:
    """`isocenter find -W` gets the item from a foreign worklist."""
    address = f"{ae_title}@{server.address}"
    (match,) = isocenter_json("find", "-W", address, *KEYS)
    assert match["00080050"]["Value"] == [ACCESSION]
    (step,) = match["00400100"]["Value"]
    assert step["00400009"]["Value"] == ["SPS1"]


@answers("DCMTK", WORKLIST, by="wlmscpfs")
def test_isocenter_finds_in_wlmscpfs(tmp_path: Path):
    program = require("wlmscpfs", "dcmtk")
    write_worklist_file(tmp_path / "files" / "WORKLIST" / "item.wl", ITEM)
    (tmp_path / "files" / "WORKLIST" / "lockfile").touch()
    port = free_port()
    command = [program, "-v", "-dfp", tmp_path / "files", str(port)]
    with Server(command, port, tmp_path / "wlmscpfs.log") as server:
        assert_isocenter_finds(server, "WORKLIST")


@answers("pynetdicom", WORKLIST, by="AE")
def test_isocenter_finds_in_pynetdicom():
    from pynetdicom.sop_class import ModalityWorklistInformationFind

    def on_find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, ITEM
        yield 0, None

    def configure(ae: Any) -> None:
        ae.add_supported_context(ModalityWorklistInformationFind)

    with scp(on_find=on_find, configure=configure) as there:
        (match,) = isocenter_json("find", "-W", f"PEER@127.0.0.1:{there.port}", *KEYS)
    assert match["00080050"]["Value"] == [ACCESSION]


@answers("dcmjs-dimse", WORKLIST, by="Server")
def test_isocenter_finds_in_dcmjs_dimse(tmp_path: Path):
    step = {"Modality": "CT", "ScheduledProcedureStepID": "SPS1"}
    item = {"AccessionNumber": ACCESSION, "ScheduledProcedureStepSequence": [step]}
    (tmp_path / "worklist.json").write_text(json.dumps([item]))
    with dcmjs_dimse.serve(tmp_path) as server:
        assert_isocenter_finds(server, dcmjs_dimse.AE_TITLE)


@answers("Orthanc", WORKLIST, by="ModalityWorklists")
def test_isocenter_finds_in_orthanc(orthanc: Orthanc):
    orthanc.introduce("isocenter", AE_TITLE, 104)
    write_worklist_file(orthanc.worklists / "item.wl", ITEM)
    assert_isocenter_finds(orthanc, ORTHANC)
