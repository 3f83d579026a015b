"""Storage Commitment both ways, its reports on the same association and on a new one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.interop.matrix.cells import COMMITMENT, ROLES, answers, asks
from tests.interop.matrix.subjects import CT, FILES, INSTANCES, MR, Archive
from tests.server.support_nodes import configured, eventually
from tests.support import dcmjs_dimse
from tests.support.node import AE_TITLE, Node, isocenter, isocenter_json
from tests.support.orthanc import AE_TITLE as ORTHANC
from tests.support.orthanc import Orthanc
from tests.support.processes import free_port

pytestmark = pytest.mark.interop

PUSH_MODEL_INSTANCE = "1.2.840.10008.1.20.1.1"
ABSENT = (str(CT.SOPClassUID), "1.2.826.0.1.3680043.9.9999.404")
PRESENT = [(str(each.SOPClassUID), str(each.SOPInstanceUID)) for each in (CT, MR)]
ALL_COMMITTED, SOME_FAILED = 1, 2  # event types, PS3.4 J.3.3


def transaction(*references: tuple[str, str]) -> Dataset:
    """The data set of a request (PS3.4 Table J.3-1)."""
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for sop_class_uid, sop_instance_uid in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        request.ReferencedSOPSequence.append(item)
    return request


@contextmanager
def node_that_reports_to(folder: Path, ae_title: str, port: int, delivery: str) -> Iterator[Node]:
    """A node that holds both objects, and how it delivers its reports to one peer."""
    peer = f'[peers.asking]\nae_title = "{ae_title}"\nhost = "127.0.0.1"\nport = {port}\n'
    folder.mkdir(exist_ok=True)
    options = configured(folder, f'{peer}commitment_delivery = "{delivery}"\n')
    with Node(folder / "data", *options) as node:
        stored = isocenter("store", node.address, *FILES)
        assert stored.returncode == 0, stored.stdout
        yield node


# Peers ask


@asks("dcmjs-dimse", COMMITMENT, by="Client")
@pytest.mark.parametrize(
    ("references", "event_type"),
    [(PRESENT, ALL_COMMITTED), ([*PRESENT, ABSENT], SOME_FAILED)],
    ids=["present", "one absent"],
)
def test_dcmjs_dimse_is_told_on_its_own_association(
    archive: Archive, references: list[tuple[str, str]], event_type: int
):
    uid = str(generate_uid())
    told = dcmjs_dimse.ask(
        archive.node.port, "commit", transaction=uid, instances=references, linger=20_000
    )
    assert told["statuses"] == [0]
    (event,) = told["events"]
    assert (event["type"], event["TransactionUID"]) == (event_type, uid)
    committed = {item["ReferencedSOPInstanceUID"] for item in event["ReferencedSOPSequence"]}
    assert committed == INSTANCES
    failed = [item["ReferencedSOPInstanceUID"] for item in event.get("FailedSOPSequence", [])]
    assert failed == [uid for _, uid in references if uid not in INSTANCES]


def reports_in(queue: "Queue[tuple[int, Dataset]]"):
    """A handler of pynetdicom's that keeps what is reported."""

    def on_report(event: Any) -> tuple[int, None]:
        queue.put((event.event_type, event.event_information))
        return 0, None

    return on_report


def pynetdicom_asks(port: int, request: Dataset, *, handlers: list[Any]) -> Any:
    """pynetdicom sends a request; its association, still open."""
    from pynetdicom import AE
    from pynetdicom.sop_class import StorageCommitmentPushModel as PushModel

    ae = AE("ASKING")
    ae.add_requested_context(PushModel)
    association = ae.associate("127.0.0.1", port, evt_handlers=handlers)
    assert association.is_established
    status, _ = association.send_n_action(request, 1, PushModel, PUSH_MODEL_INSTANCE)
    assert status.Status == 0
    return association


@asks("pynetdicom", COMMITMENT, by="AE")
def test_pynetdicom_is_told_on_its_own_association(archive: Archive):
    from pynetdicom import evt

    reports: Queue[tuple[int, Dataset]] = Queue()
    request = transaction(*PRESENT)
    handlers = [(evt.EVT_N_EVENT_REPORT, reports_in(reports))]
    association = pynetdicom_asks(archive.node.port, request, handlers=handlers)
    event_type, report = reports.get(timeout=20)
    association.release()
    assert (event_type, report.TransactionUID) == (ALL_COMMITTED, request.TransactionUID)
    assert {item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence} == INSTANCES


@asks("pynetdicom", COMMITMENT, ROLES, by="AE")
def test_pynetdicom_is_told_on_a_new_association(tmp_path: Path):
    """On which Isocenter, as the requestor, has to claim the provider's role."""
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import StorageCommitmentPushModel as PushModel

    reports: Queue[tuple[int, Dataset]] = Queue()
    asking = AE("ASKING")
    asking.add_supported_context(PushModel, scu_role=False, scp_role=True)
    port = free_port()
    handlers = [(evt.EVT_N_EVENT_REPORT, reports_in(reports))]
    listener = asking.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        with node_that_reports_to(tmp_path / "node", "ASKING", port, "new") as node:
            request = transaction(*PRESENT, ABSENT)
            pynetdicom_asks(node.port, request, handlers=[]).release()
            event_type, report = reports.get(timeout=20)
    finally:
        listener.shutdown()
    assert (event_type, report.TransactionUID) == (SOME_FAILED, request.TransactionUID)
    (failed,) = report.FailedSOPSequence
    assert failed.ReferencedSOPInstanceUID == ABSENT[1]


@asks("Orthanc", COMMITMENT, by="/modalities/{id}/storage-commitment")
def test_orthanc_is_told(orthanc: Orthanc, archive: Archive):
    """On a new association; it has released its own by then."""
    orthanc.introduce("isocenter", AE_TITLE, archive.node.port)
    body = {"DicomInstances": [list(each) for each in (*PRESENT, ABSENT)]}
    path = orthanc.rest("/modalities/isocenter/storage-commitment", body)["Path"]
    report = eventually(lambda: has_ended(orthanc.rest(path)))
    assert {item["SOPInstanceUID"] for item in report["Success"]} == INSTANCES
    assert [item["SOPInstanceUID"] for item in report["Failures"]] == [ABSENT[1]]


def has_ended(report: dict[str, Any]) -> dict[str, Any] | None:
    """Orthanc's report, unless it waits for ours."""
    return None if report["Status"] == "Pending" else report


# Isocenter asks


def assert_committed(outcome: dict[str, Any]) -> None:
    """`isocenter commit` was told of both objects that they are safe."""
    assert outcome["complete"], outcome
    committed = {one["sop_instance_uid"] for one in outcome["instances"] if one["committed"]}
    assert committed == INSTANCES


@answers("dcmjs-dimse", COMMITMENT, by="Server")
def test_dcmjs_dimse_tells_on_our_own_association(tmp_path: Path):
    with dcmjs_dimse.serve(tmp_path) as server:
        assert_committed(isocenter_json("commit", server.address, *FILES))


@answers("pynetdicom", COMMITMENT, ROLES, by="AE")
def test_pynetdicom_tells_on_a_new_association():
    from pynetdicom import AE, build_role, evt
    from pynetdicom.sop_class import StorageCommitmentPushModel as PushModel

    port, listening = free_port(), free_port()
    reporters: list[threading.Thread] = []

    def report(request: Dataset) -> None:
        ae = AE("PROVIDER")
        ae.add_requested_context(PushModel)
        role = build_role(PushModel, scp_role=True)
        association = ae.associate("127.0.0.1", listening, ext_neg=[role])
        association.send_n_event_report(request, ALL_COMMITTED, PushModel, PUSH_MODEL_INSTANCE)
        association.release()

    def on_action(event: Any) -> tuple[int, None]:
        reporters.append(threading.Thread(target=report, args=(event.action_information,)))
        reporters[-1].start()
        return 0, None

    provider = AE("PROVIDER")
    provider.add_supported_context(PushModel)
    handlers = [(evt.EVT_N_ACTION, on_action)]
    server = provider.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        listen = ("--listen", str(listening))
        outcome = isocenter_json("commit", f"PROVIDER@127.0.0.1:{port}", *listen, *FILES)
    finally:
        for reporter in reporters:
            reporter.join()
        server.shutdown()
    assert_committed(outcome)


@answers("Orthanc", COMMITMENT, ROLES, by="Orthanc")
def test_orthanc_tells_on_a_new_association(orthanc: Orthanc):
    listening = free_port()
    orthanc.introduce("isocenter", AE_TITLE, listening)
    orthanc.upload(*FILES)
    listen = ("--listen", str(listening))
    outcome = isocenter_json("commit", f"{ORTHANC}@{orthanc.address}", *listen, *FILES)
    assert_committed(outcome)
