"""C-CANCEL of a query between Isocenter and DCMTK or pynetdicom, both ways.

A cancel may cross the last response on its way, so a test either sends it right behind the request
or has a provider that waits for it.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from isocenter.dictionary.sop_classes import STUDY_ROOT_FIND
from isocenter.encoding.elements import RawElement
from isocenter.services.association import Destination
from isocenter.services.query_retrieve_scu import find_context
from tests.interop.matrix.cells import CANCEL, answers, asks
from tests.interop.matrix.subjects import CANCELED, FILES, Archive, find_and_cancel_at_once
from tests.services.scu.pynetdicom_scp import scp
from tests.support import peers
from tests.support.node import isocenter

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


@answers("DCMTK", CANCEL, by="dcmqrscp")
def test_isocenter_cancels_a_query_of_dcmqrscp(tmp_path: Path):
    with peers.dcmtk_dcmqrscp(tmp_path) as server:
        stored = isocenter("store", f"DCMQRSCP@{server.address}", *FILES)
        assert stored.returncode == 0, stored.stdout + server.log()
        there = Destination("127.0.0.1", server.port, called_ae="DCMQRSCP")
        assert find_and_cancel_at_once(there) == CANCELED


@answers("pynetdicom", CANCEL, by="AE")
def test_isocenter_cancels_a_query_of_pynetdicom():
    """After a match: a C-CANCEL that comes before its handler runs, pynetdicom forgets."""

    def on_find(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, event.identifier
        end = time.monotonic() + PATIENCE
        while not (canceled := event.is_cancelled) and time.monotonic() < end:
            time.sleep(0.01)  # only the pause between two looks
        yield (CANCELED if canceled else 0), None

    identifier = {0x00080052: RawElement("CS", b"STUDY"), 0x0020000D: RawElement("UI", b"")}
    with (
        scp(on_find=on_find) as there,
        there.connect([find_context(STUDY_ROOT_FIND)]) as association,
    ):
        *_, final = association.find(STUDY_ROOT_FIND, identifier, cancel_after=1)
    assert final.status.code == CANCELED
