"""C-CANCEL of a query, both ways.

A cancel may cross the last response on its way, and both ends of the race are right. So a test
either has a provider that waits for it, or gives it several chances.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from isocenter.services.association import Destination
from tests.interop.matrix.cells import CANCEL, answers, asks
from tests.interop.matrix.subjects import CANCELED, Archive, cancels, write_studies
from tests.services.scu.pynetdicom_scp import scp
from tests.support import dcmjs_dimse, peers
from tests.support.node import AE_TITLE, isocenter
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc

pytestmark = pytest.mark.interop

PATIENCE = 20.0


@asks("DCMTK", CANCEL, by="findscu")
def test_findscu_cancels_after_a_match(archive: Archive):
    asked = peers.dcmtk(
        "findscu", "-v", "--cancel", "1", "-S", "-k", "QueryRetrieveLevel=STUDY",
        "-k", "StudyInstanceUID", "127.0.0.1", str(archive.node.port),
    )  # fmt: skip
    assert asked.returncode == 0, asked.stdout
    assert "Sending Cancel Request (MsgID 1, PresID 1)" in asked.stdout
    assert "Releasing Association" in asked.stdout


@asks("pynetdicom", CANCEL, by="AE")
def test_pynetdicom_cancels_at_once(archive: Archive):
    from pynetdicom import AE
    from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as StudyRoot

    ae = AE("PEER")
    ae.add_requested_context(StudyRoot)
    association = ae.associate("127.0.0.1", archive.node.port)
    assert association.is_established
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = ""
    responses = association.send_c_find(identifier, StudyRoot, msg_id=7)
    association.send_c_cancel(7, query_model=StudyRoot)
    final = [status.Status for status, _ in responses][-1]
    association.release()
    assert association.is_released
    assert final in (CANCELED, 0)


@asks("dcmjs-dimse", CANCEL, by="Client")
def test_dcmjs_dimse_cancels_at_once(archive: Archive):
    keys = {"PatientID": "*", "StudyInstanceUID": ""}
    found = dcmjs_dimse.ask(archive.node.port, "find", keys=keys, cancel=True)
    assert found["statuses"][-1] in (CANCELED, 0)


MANY, TRIES = 60, 10  # so many studies, and so many chances for a cancel to come in time


@answers("DCMTK", CANCEL, by="dcmqrscp")
def test_isocenter_cancels_a_query_of_dcmqrscp(tmp_path: Path):
    with peers.dcmtk_dcmqrscp(tmp_path) as server:
        there = Destination("127.0.0.1", server.port, called_ae="DCMQRSCP")
        stored = isocenter("store", str(there), write_studies(tmp_path / "studies", MANY))
        assert stored.returncode == 0, stored.stdout + server.log()
        assert any(cancels(there) for _ in range(TRIES))


@answers("Orthanc", CANCEL, by="Orthanc")
def test_isocenter_cancels_a_query_of_orthanc(orthanc: Orthanc, tmp_path: Path):
    orthanc.introduce("isocenter", AE_TITLE, 104)
    there = Destination("127.0.0.1", orthanc.port, called_ae=ORTHANC)
    stored = isocenter("store", str(there), write_studies(tmp_path / "studies", MANY))
    assert stored.returncode == 0, stored.stdout + orthanc.log()
    assert any(cancels(there) for _ in range(TRIES))


@answers("dcmjs-dimse", CANCEL, by="Server")
def test_isocenter_cancels_a_query_of_dcmjs_dimse(tmp_path: Path):
    """Its server, made for the test, sends one match and waits."""
    with dcmjs_dimse.serve(tmp_path) as server:
        assert cancels(Destination("127.0.0.1", server.port), "WAIT-FOR-CANCEL")


@answers("pynetdicom", CANCEL, by="AE")
def test_isocenter_cancels_a_query_of_pynetdicom():
    """Its server sends one match and waits."""

    def on_find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.PatientID == "WAIT-FOR-CANCEL":
            yield 0xFF00, event.identifier
            end = time.monotonic() + PATIENCE
            while not (canceled := event.is_cancelled) and time.monotonic() < end:
                time.sleep(0.01)  # only the pause between two looks
            yield (CANCELED if canceled else 0), None

    with scp(on_find=on_find) as there:
        assert cancels(there, "WAIT-FOR-CANCEL")
