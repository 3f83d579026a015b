"""Modality Performed Procedure Step both ways: a step begins, ends, and then changes no more."""

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from isocenter.services.association import Destination
from isocenter.services.performed_procedure_step_scu import (
    PROCEDURE_STEP_CONTEXTS,
    create_step,
    set_step,
)
from tests.interop.matrix.cells import MPPS, answers, asks
from tests.interop.matrix.subjects import Archive
from tests.services.scu.pynetdicom_scp import scp
from tests.support import dcmjs_dimse
from tests.support.modality import beginning, data_set, elements_of, end

pytestmark = pytest.mark.interop

SUCCESS, PROCESSING_FAILURE = 0x0000, 0x0110


# Peers tell a node; that it knows the state is seen by its refusal to change what has ended.


@asks("dcmjs-dimse", MPPS, by="Client")
def test_dcmjs_dimse_tells_of_a_step(archive: Archive):
    told = dcmjs_dimse.ask(
        archive.node.port, "mpps", uid=str(generate_uid()), create=beginning(), sets=[end(), end()]
    )
    assert told["statuses"] == [SUCCESS, SUCCESS, PROCESSING_FAILURE]


@asks("pynetdicom", MPPS, by="AE")
def test_pynetdicom_tells_of_a_step(archive: Archive):
    from pynetdicom import AE
    from pynetdicom.sop_class import ModalityPerformedProcedureStep as Step

    ae = AE("SCANNER")
    ae.add_requested_context(Step)
    association = ae.associate("127.0.0.1", archive.node.port)
    assert association.is_established
    uid = generate_uid()
    created, _ = association.send_n_create(data_set(beginning()), Step, uid)
    ended, _ = association.send_n_set(data_set(end()), Step, uid)
    changed, _ = association.send_n_set(data_set(end()), Step, uid)
    association.release()
    statuses = [created.Status, ended.Status, changed.Status]
    assert statuses == [SUCCESS, SUCCESS, PROCESSING_FAILURE]


# Isocenter tells peers


def tell(there: Destination, uid: str) -> list[int]:
    """A step begins and ends; the statuses of the answers."""
    with there.connect(PROCEDURE_STEP_CONTEXTS) as association:
        begun = create_step(association, uid, elements_of(beginning()))
        ended = set_step(association, uid, elements_of(end()))
    return [begun.status.code, ended.status.code]


@answers("dcmjs-dimse", MPPS, by="Server")
def test_isocenter_tells_dcmjs_dimse_of_a_step(tmp_path: Path):
    uid = str(generate_uid())
    with dcmjs_dimse.serve(tmp_path) as server:
        assert tell(Destination("127.0.0.1", server.port), uid) == [SUCCESS, SUCCESS]
    kept = (tmp_path / "steps.txt").read_text().splitlines()
    assert kept == [f"{uid} IN PROGRESS", f"{uid} COMPLETED"]


@answers("pynetdicom", MPPS, by="AE")
def test_isocenter_tells_pynetdicom_of_a_step():
    from pynetdicom import evt
    from pynetdicom.sop_class import ModalityPerformedProcedureStep

    kept: list[str] = []

    def on_create(event: Any) -> tuple[int, Dataset]:
        kept.append(event.attribute_list.PerformedProcedureStepStatus)
        return SUCCESS, Dataset()

    def on_set(event: Any) -> tuple[int, Dataset]:
        kept.append(event.modification_list.PerformedProcedureStepStatus)
        return SUCCESS, Dataset()

    with scp(
        configure=lambda ae: ae.add_supported_context(ModalityPerformedProcedureStep),
        handlers=[(evt.EVT_N_CREATE, on_create), (evt.EVT_N_SET, on_set)],
    ) as there:
        assert tell(there, str(generate_uid())) == [SUCCESS, SUCCESS]
    assert kept == ["IN PROGRESS", "COMPLETED"]
