"""Storage Commitment both ways with pynetdicom, role selection included."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytest.importorskip("pynetdicom")

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StorageCommitmentPushModel

from tests.server.support_nodes import configured, eventually
from tests.services.scu.pynetdicom_scp import scp
from tests.support.corpus import bundled
from tests.support.node import Node, isocenter, isocenter_json
from tests.support.processes import free_port as find_free_port

pytestmark = pytest.mark.interop

FILES = ("CT_small.dcm", "MR_small.dcm", "waveform_ecg.dcm", "test-SR.dcm")
WELL_KNOWN = "1.2.840.10008.1.20.1.1"
TRANSACTION = "1.2.826.0.1.3680043.8.498.1"


class Modality:
    """pynetdicom as SCU: asks, and takes reports on any association."""

    def __init__(self) -> None:
        self.ae = AE("MODALITY")
        self.ae.add_requested_context(StorageCommitmentPushModel)
        # The one who reports is the SCP on an association that it makes (PS3.7 D.3.3.4).
        self.ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
        self.handlers = [(evt.EVT_N_EVENT_REPORT, self._take)]
        self.reports: list[tuple[int, Dataset]] = []
        self.roles: list[Any] = []

    def _take(self, event: Any) -> tuple[int, None]:
        context = event.context
        self.roles.append(context.context_id)
        self.reports.append((event.event_type, event.event_information))
        return 0x0000, None

    def associate(self, node: Node) -> Any:
        association = self.ae.associate("127.0.0.1", node.port, evt_handlers=self.handlers)
        assert association.is_established
        return association

    def ask(self, association: Any, references: list[tuple[str, str]]) -> int:
        request = Dataset()
        request.TransactionUID = TRANSACTION
        request.ReferencedSOPSequence = [Dataset() for _ in references]
        for item, (sop_class, uid) in zip(request.ReferencedSOPSequence, references, strict=True):
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
        status, _ = association.send_n_action(request, 1, StorageCommitmentPushModel, WELL_KNOWN)
        return status.Status

    def committed(self) -> list[str]:
        """The instances of the one report there is."""
        ((_, report),) = eventually(lambda: self.reports)
        assert report.TransactionUID == TRANSACTION
        return [str(one.ReferencedSOPInstanceUID) for one in report.ReferencedSOPSequence]


def references() -> list[tuple[str, str]]:
    files = [pydicom.dcmread(bundled(name)) for name in FILES]
    return [(str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in files]


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[[int, str], Node]:
    """Starts a node with the four instances and one peer, MODALITY."""

    def started(port: int, delivery: str) -> Node:
        config = (
            f'[peers.modality]\nae_title = "MODALITY"\nhost = "127.0.0.1"\nport = {port}\n'
            f'commitment_delivery = ["{delivery}"]\n[commitment]\nfirst_retry = 0.05\n'
        )
        node = start_node(None, *configured(tmp_path, config))
        stored = isocenter("store", node.address, *map(bundled, FILES))
        assert stored.returncode == 0, stored.stdout
        return node

    return started


@pytest.fixture
def modality() -> Iterator[Modality]:
    requester = Modality()
    yield requester
    requester.ae.shutdown()


def test_pynetdicom_is_reported_to_on_the_same_association(start, modality: Modality):
    node = start(1, "same")
    association = modality.associate(node)
    assert modality.ask(association, references()) == 0x0000
    assert modality.committed() == [uid for _, uid in references()]
    association.release()


def test_pynetdicom_is_told_what_is_not_committed(start, modality: Modality):
    node = start(1, "same")
    association = modality.associate(node)
    wanted = [references()[0], (references()[1][0], references()[2][1]), ("1.2.3", "1.2.4")]
    assert modality.ask(association, wanted) == 0x0000
    ((event_type, report),) = eventually(lambda: modality.reports)
    assert event_type == 2
    failed = {
        str(one.ReferencedSOPInstanceUID): one.FailureReason for one in report.FailedSOPSequence
    }
    assert failed == {wanted[1][1]: 0x0119, "1.2.4": 0x0112}
    association.release()


@pytest.mark.parametrize("answers", [True, False], ids=["role granted", "role not answered"])
def test_pynetdicom_is_reported_to_on_a_new_association(start, modality: Modality, answers: bool):
    if not answers:
        modality.ae.remove_supported_context(StorageCommitmentPushModel)
        modality.ae.add_supported_context(StorageCommitmentPushModel)
    port = find_free_port()
    roles: list[tuple[bool, bool]] = []

    def on_requested(event: Any) -> None:
        for role in event.assoc.requestor.role_selection.values():
            roles.append((role.scu_role, role.scp_role))

    modality.ae.start_server(
        ("127.0.0.1", port),
        block=False,
        evt_handlers=[*modality.handlers, (evt.EVT_REQUESTED, on_requested)],
    )
    node = start(port, "new")
    association = modality.associate(node)
    assert modality.ask(association, references()) == 0x0000
    association.release()
    assert modality.committed() == [uid for _, uid in references()]
    assert roles == [(False, True)]


def test_pynetdicom_is_reported_to_on_its_next_association(start, modality: Modality):
    node = start(1, "next")
    association = modality.associate(node)
    assert modality.ask(association, references()) == 0x0000
    association.release()

    def checked() -> bool:
        (only,) = isocenter_json("commit", "list", "--data", node.data)
        return only["state"] == "checked"

    eventually(checked)
    association = modality.associate(node)
    assert modality.committed() == [uid for _, uid in references()]
    association.release()


def test_isocenter_asks_pynetdicom_which_reports_on_a_new_association(tmp_path: Path):
    port = find_free_port()
    statuses: list[int] = []

    def report(request: Dataset) -> None:
        from pynetdicom import build_role

        information = Dataset()
        information.TransactionUID = request.TransactionUID
        information.ReferencedSOPSequence = request.ReferencedSOPSequence
        ae = AE("ARCHIVE")
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scp_role=True)
        association = ae.associate("127.0.0.1", port, ext_neg=[role])
        assert association.accepted_contexts[0].as_scp
        status, _ = association.send_n_event_report(
            information, 1, StorageCommitmentPushModel, WELL_KNOWN
        )
        statuses.append(status.Status)
        association.release()

    def on_action(event: Any) -> tuple[int, None]:
        threading.Timer(0.01, report, (event.action_information,)).start()
        return 0x0000, None

    with scp(
        on_action=on_action,
        configure=lambda ae: ae.add_supported_context(StorageCommitmentPushModel),
    ) as archive:
        told = isocenter_json(
            "commit", f"127.0.0.1:{archive.port}", *map(bundled, FILES), "--listen", str(port)
        )
    assert told["complete"]
    assert told["committed"] == len(FILES)
    assert statuses == [0x0000]
