"""Retrieves from a running node, as pynetdicom asks for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientStudyOnlyQueryRetrieveInformationModelGet,
    PatientStudyOnlyQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from isocenter.services.association import Destination
from tests.server.support_instances import CT, Instance, instance
from tests.server.support_nodes import configured
from tests.support.node import Node

COUNT = 5
STUDY = "1.2.3"


def fill(node: Node, *instances: Instance) -> None:
    """Store instances in a node."""
    with Destination("127.0.0.1", node.port).connect(
        [(CT, ["1.2.840.10008.1.2.1"])]
    ) as association:
        for one in instances:
            association.store(CT, one.uid, "1.2.840.10008.1.2.1", one.data_set)


def settings(port: int, **retrieve: float) -> str:
    """A configuration with one destination, DEST, and a report after every object."""
    keys = {"pending_interval": 0, "response_timeout": 1, "association_timeout": 1}
    keys |= {"associations": 1, "attempts": 1, "retry_delay": 0.05} | retrieve
    return f'[peers.dest]\nae_title = "DEST"\nhost = "127.0.0.1"\nport = {port}\n[retrieve]\n' + (
        "".join(f"{key} = {value}\n" for key, value in keys.items())
    )


def filled(start_node, tmp_path: Path, port: int = 1, **retrieve: float) -> Node:
    """A node that holds COUNT instances and may send to a port."""
    node = start_node(None, *configured(tmp_path, settings(port, **retrieve)))
    fill(node, *(instance(f"1.2.3.4.{number}") for number in range(COUNT)))
    return node


def wanted(study: str = STUDY, level: str = "STUDY") -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    identifier.StudyInstanceUID = study
    return identifier


@contextmanager
def requesting(
    node: Node, *, on_store=None, syntax: str = ExplicitVRLittleEndian, role: bool = True
) -> Iterator:
    """pynetdicom's association with the node for C-GET and C-MOVE."""
    ae = AE("REQUESTOR")
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 20
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    ae.add_requested_context(PatientStudyOnlyQueryRetrieveInformationModelGet)
    ae.add_requested_context(PatientStudyOnlyQueryRetrieveInformationModelMove)
    ae.add_requested_context(Verification)
    ae.add_requested_context(CTImageStorage, syntax)
    association = ae.associate(
        "127.0.0.1",
        node.port,
        ext_neg=[build_role(CTImageStorage, scp_role=True)] if role else [],
        evt_handlers=[(evt.EVT_C_STORE, on_store or (lambda event: 0))],
    )
    assert association.is_established
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def get(association, identifier: Dataset | None = None, **options) -> list[tuple]:
    model = StudyRootQueryRetrieveInformationModelGet
    return list(association.send_c_get(identifier or wanted(), model, **options))


def move(association, destination: str = "DEST", **options) -> list[tuple]:
    model = StudyRootQueryRetrieveInformationModelMove
    return list(association.send_c_move(wanted(), destination, model, **options))


def counters(status: Dataset) -> tuple[int | None, ...]:
    """Remaining, completed, failed, warning."""
    return tuple(
        status.get(f"NumberOf{name}Suboperations")
        for name in ("Remaining", "Completed", "Failed", "Warning")
    )


def failed_uids(identifier: Dataset | None) -> set[str]:
    found = identifier.FailedSOPInstanceUIDList if identifier else []
    return {found} if isinstance(found, str) else set(found)


def uids(*numbers: int) -> set[str]:
    return {f"1.2.3.4.{number}" for number in numbers}


def answers(*codes: int):
    """A C-STORE handler that answers with these statuses in turn, then with success."""
    left = list(codes)
    return lambda event: left.pop(0) if left else 0
