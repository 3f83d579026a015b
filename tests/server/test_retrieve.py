"""What a node tells the one who retrieves, whatever the receiver of the objects does."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, ExplicitVRLittleEndian
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET
from isocenter.dimse.messages import CCancelRQ, CEchoRQ, CEchoRSP
from isocenter.encoding.elements import RawElement
from isocenter.services.association import Destination
from isocenter.upperlayer.errors import UpperLayerError
from tests.server.support_instances import CT, PATIENT, Instance, instance, packs
from tests.server.support_nodes import configured, eventually, log_lines, memory
from tests.services.scu.pynetdicom_scp import scp
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


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[..., Node]:
    """Starts a node that holds COUNT instances and may send to a port."""

    def started(port: int = 1, **retrieve: float) -> Node:
        node = start_node(None, *configured(tmp_path, settings(port, **retrieve)))
        fill(node, *(instance(f"1.2.3.4.{number}") for number in range(COUNT)))
        return node

    return started


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


def test_get_counts_every_object(start):
    with requesting(start()) as association:
        *pending, (final, identifier) = get(association)
    assert [counters(status) for status, _ in pending] == [
        (4, 1, 0, 0), (3, 2, 0, 0), (2, 3, 0, 0), (1, 4, 0, 0)
    ]  # fmt: skip
    assert {status.Status for status, _ in pending} == {0xFF00}
    assert (final.Status, counters(final), identifier) == (0, (None, 5, 0, 0), None)


def test_get_of_nothing_succeeds(start):
    with requesting(start()) as association:
        ((final, _),) = get(association, wanted("9.9"))
    assert (final.Status, counters(final)) == (0, (None, 0, 0, 0))


def test_get_names_the_objects_that_failed(start):
    with requesting(start(), on_store=answers(0, 0xA700, 0xB006, 0xC000)) as association:
        *_, (final, identifier) = get(association)
    assert (final.Status, counters(final)) == (0xB000, (None, 2, 2, 1))
    assert failed_uids(identifier) == uids(1, 3)
    assert "A700H" in final.ErrorComment


def test_get_fails_where_nothing_could_be_sent(start):
    with requesting(start(), on_store=answers(*[0xA700] * COUNT)) as association:
        *_, (final, identifier) = get(association)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))


@pytest.mark.parametrize(
    ("options", "comment"),
    [
        ({"syntax": JPEG2000}, "Transfer syntax not accepted: 1.2.840.10008.1.2.1"),
        ({"role": False}, f"SOP class not accepted: {CT}"),
    ],
    ids=["transfer syntax", "no SCP role"],
)
def test_what_the_peer_did_not_accept_fails_with_the_reason(start, options, comment):
    with requesting(start(), **options) as association:
        *_, (final, identifier) = get(association)
        assert association.send_c_echo().Status == 0
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))
    assert final.ErrorComment == comment


def test_a_cancel_is_honoured_within_one_object(start):
    with requesting(start()) as association:
        model = StudyRootQueryRetrieveInformationModelGet
        context_id = association._get_valid_context(model, "", "scu").context_id

        def store(event) -> int:
            if event.request.AffectedSOPInstanceUID == "1.2.3.4.1":
                association.send_c_cancel(7, context_id)
            return 0

        association.bind(evt.EVT_C_STORE, store)
        *_, (final, _) = get(association, msg_id=7)
        assert association.send_c_echo().Status == 0
    remaining, completed, failed, _ = counters(final)
    assert (final.Status, failed) == (0xFE00, 0)
    assert completed in (2, 3)
    assert remaining == COUNT - completed


@pytest.mark.parametrize(
    ("identifier", "offending"), [(wanted(""), 0x0020000D), (wanted(level="FRAME"), 0x00080052)]
)
def test_a_wrong_identifier_is_refused(start, identifier, offending):
    with requesting(start()) as association:
        ((final, _),) = get(association, identifier)
    assert (final.Status, final.OffendingElement) == (0xA900, offending)


class Leaving:
    """A receiver that breaks off with the first object, or never answers it."""

    def __init__(self, reaction: Callable[[], None]) -> None:
        self._reaction = reaction

    def begin(self, request, context):
        self._reaction()
        return 0


def leave() -> None:
    raise UpperLayerError("The test has seen enough.")


def test_who_leaves_in_the_middle_disturbs_nobody(start):
    node = start()
    with requesting(node) as other:
        for _ in range(3):
            with pytest.raises(UpperLayerError, match="seen enough"):
                own_get(node, Leaving(leave))
        *_, (final, _) = get(other)
    assert counters(final) == (None, COUNT, 0, 0)


def test_a_requestor_that_answers_no_object_is_left(start):
    node = start()

    def wait_until_left() -> None:
        eventually(lambda: log_lines(node, "aborted the association", "did not answer a C-STORE"))

    with pytest.raises(UpperLayerError):
        own_get(node, Leaving(wait_until_left))


def test_other_messages_wait_for_an_object_in_pieces(start):
    """Echoes are asked for all the time while objects of several pieces come: none gets between."""
    node = start()
    fill(node, *(instance(f"1.2.3.5.{n}", study="5.5", pixels=5_000_000) for n in range(3)))
    echo = "1.2.840.10008.1.1"
    with own_association(node, (echo, ["1.2.840.10008.1.2"])) as association:

        class Echoing:
            received: ClassVar[list[int]] = []

            def begin(self, request, context):
                self.size = 0
                return self

            def write(self, fragment: memoryview) -> None:
                self.size += len(fragment)

            def finish(self) -> int:
                self.received.append(self.size)
                return 0

            def abort(self) -> None:
                pass

        request = CEchoRQ(message_id=900, affected_sop_class_uid=echo)
        answered = []
        receive = association.receive_events

        def receive_events():
            if len(answered) < 20 and len(Echoing.received) < 3 and not request_out:
                request_out.append(
                    association.send(association.context_for(echo).context_id, request)
                )
            events = receive()
            echoed = [e for e in events if isinstance(getattr(e, "message", None), CEchoRSP)]
            if echoed:
                answered.extend(echoed)
                request_out.clear()
            return tuple(e for e in events if e not in echoed)

        request_out: list = []
        association.receive_events = receive_events
        identifier = {0x00080052: RawElement("CS", b"STUDY"), 0x0020000D: RawElement("UI", b"5.5")}
        *_, last = association.get(STUDY_ROOT_GET, identifier, Echoing())
    assert last.status.is_success
    assert [size > 5_000_000 for size in Echoing.received] == [True] * 3
    assert answered


def test_a_large_object_takes_little_memory(start):
    node = start()
    size = 200 * 1024 * 1024
    fill(node, instance("1.2.3.6.1", study="6.6", pixels=size))
    before = memory(node)
    peaks = []

    class Slow:
        def begin(self, request, context):
            return self

        def write(self, fragment: memoryview) -> None:
            if len(peaks) < 50:
                peaks.append(memory(node))

        def finish(self) -> int:
            return 0

        def abort(self) -> None:
            pass

    own_get(node, Slow(), "6.6")
    assert max(peaks) - before < 40 * 1024 * 1024


def own_association(node: Node, *more):
    """An association of ours for C-GET of CT images."""
    contexts = [(STUDY_ROOT_GET, ["1.2.840.10008.1.2.1"]), (CT, ["1.2.840.10008.1.2.1"]), *more]
    return Destination("127.0.0.1", node.port).connect(contexts, receiving=[CT])


def own_get(node: Node, receiver, study: str = STUDY) -> None:
    identifier = {
        0x00080052: RawElement("CS", b"STUDY"),
        0x0020000D: RawElement("UI", study.encode()),
    }
    with own_association(node) as association:
        *_, last = association.get(STUDY_ROOT_GET, identifier, receiver)
        assert last.status.is_success


def test_moved_objects_tell_who_moved_them(start):
    seen = []

    def store(event) -> int:
        request = event.request
        seen.append((
            request.MoveOriginatorApplicationEntityTitle,
            request.MoveOriginatorMessageID,
            event.assoc.requestor.ae_title,
        ))  # fmt: skip
        return 0

    with scp(on_store=store) as there, requesting(start(there.port)) as association:
        *pending, (final, _) = move(association, msg_id=9)
    assert seen == [("REQUESTOR", 9, "ISOCENTER")] * COUNT
    assert [counters(status) for status, _ in pending][-1] == (1, 4, 0, 0)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_an_unknown_destination_is_refused(start):
    with requesting(start()) as association:
        ((final, _),) = move(association, "ELSEWHERE")
    assert final.Status == 0xA801
    assert "[peers]" in final.ErrorComment
    assert len(final.ErrorComment) <= 64


def test_a_destination_that_takes_nothing(start):
    def take_nothing(ae: AE) -> None:
        ae.remove_supported_context(CTImageStorage)

    with scp(configure=take_nothing) as there, requesting(start(there.port)) as association:
        ((final, identifier),) = move(association)[-1:]
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))


def test_a_destination_that_is_not_there(start, free_port: int):
    with requesting(start(free_port)) as association:
        *_, (final, identifier) = move(association)
        assert association.send_c_echo().Status == 0
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert failed_uids(identifier) == uids(*range(COUNT))
    assert "cannot be reached" in final.ErrorComment


def test_a_destination_that_accepts_and_says_nothing(start):
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        requesting(start(silent.getsockname()[1])) as association,
    ):
        *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, COUNT, 0))
    assert "did not answer" in final.ErrorComment


def test_a_destination_that_hangs_in_the_middle(start):
    released = threading.Event()

    def hang(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.2":
            released.wait(20)
        return 0

    with scp(on_store=hang) as there:
        node = start(there.port)
        try:
            with requesting(node) as association, requesting(node) as other:
                *_, (final, identifier) = move(association)
                assert other.send_c_echo().Status == 0
        finally:
            released.set()
    assert (final.Status, counters(final)) == (0xB000, (None, 4, 1, 0))
    assert failed_uids(identifier) == uids(2)


def test_a_destination_that_aborts_half_way(start):
    def abort(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.3":
            event.assoc.abort()
        return 0

    with scp(on_store=abort) as there, requesting(start(there.port)) as association:
        *_, (final, identifier) = move(association)
    assert (final.Status, counters(final)) == (0xB000, (None, 4, 1, 0))
    assert failed_uids(identifier) == uids(3)


def test_a_connection_lost_inside_an_object_is_one_failure(start):
    received = []

    def cut(event) -> None:
        received.append(len(event.data))
        if sum(received) > 4_000_000:
            event.assoc.dul.socket.close()

    def configure(ae: AE) -> None:
        ae.maximum_pdu_size = 0

    with scp(configure=configure, on_data=cut) as there:
        node = start(there.port)
        fill(node, *(instance(f"1.2.3.9.{n}", study="9.9", pixels=9_000_000) for n in range(3)))
        with requesting(node) as association:
            model = StudyRootQueryRetrieveInformationModelMove
            *_, (final, identifier) = association.send_c_move(wanted("9.9"), "DEST", model)
    assert (final.Status, counters(final)) == (0xA702, (None, 0, 3, 0))
    assert failed_uids(identifier) == {f"1.2.3.9.{number}" for number in range(3)}


def test_a_move_to_oneself_ends(start, free_port: int, monkeypatch: pytest.MonkeyPatch):
    """The node sends to itself what it has already, and takes it for the duplicates they are."""
    monkeypatch.setattr("tests.support.node.free_port", lambda: free_port)
    node = start(free_port)
    with requesting(node) as association:
        *_, (final, _) = move(association)
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_a_move_is_cancelled_within_one_object(start):
    model = StudyRootQueryRetrieveInformationModelMove
    reached, cancelled = threading.Event(), threading.Event()

    def store(event) -> int:
        if event.request.AffectedSOPInstanceUID == "1.2.3.4.1":
            reached.set()
            cancelled.wait(20)
        return 0

    with scp(on_store=store) as there:
        node = start(there.port, response_timeout=20)
        with requesting(node) as association:
            responses = association.send_c_move(wanted(), "DEST", model, msg_id=7)
            next(responses)
            assert reached.wait(20)
            context_id = association._get_valid_context(model, "", "scu").context_id
            association.send_c_cancel(7, context_id)
            eventually_echo(node)
            cancelled.set()
            *_, (final, _) = responses
    remaining, completed, failed, _ = counters(final)
    assert (final.Status, failed, remaining + completed) == (0xFE00, 0, COUNT)
    assert completed in (2, 3)


def test_a_flood_of_cancels_disturbs_nobody(start):
    node = start()
    echo = "1.2.840.10008.1.1"
    with own_association(node, (echo, ["1.2.840.10008.1.2"])) as association:
        context = association.context_for(STUDY_ROOT_GET)
        for number in range(5000):
            cancel = CCancelRQ(message_id_being_responded_to=number)
            association.send(context.context_id, cancel)
        assert association.echo().is_success
    own_get(node, Leaving(lambda: None))


def test_a_damaged_pack_fails_what_it_held(start):
    node = start()
    fill(node, instance("1.2.3.8.1", study="8.8"))
    (pack,) = [path for path in packs(node.data) if path.parent.name == "8.8"]
    with pack.open("r+b") as file:
        file.truncate(600)
    with requesting(node) as association:
        *_, (final, identifier) = get(association, wanted("8.8"))
        assert association.send_c_echo().Status == 0
    assert (final.Status, counters(final)) == (0xA702, (None, 0, 1, 0))
    assert failed_uids(identifier) == {"1.2.3.8.1"}
    assert final.ErrorComment.startswith("Not readable")
    node.stop(trouble_expected=True)


def test_any_worker_sends_what_another_one_stored(start_node, tmp_path: Path):
    node = start_node(None, *configured(tmp_path, "[workers]\ncount = 2\n"))
    fill(node, *(instance(f"1.2.3.4.{number}") for number in range(COUNT)))
    with requesting(node) as one, requesting(node) as other:
        for association in (one, other):
            *_, (final, _) = get(association)
            assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def eventually_echo(node: Node) -> None:
    """Another association is served meanwhile."""
    echo = "1.2.840.10008.1.1"
    with own_association(node, (echo, ["1.2.840.10008.1.2"])) as association:
        assert association.echo().is_success


def test_reports_come_while_one_object_takes_long(start):
    """With an interval, whoever waits hears of a move though its first object is not through."""
    enough = threading.Event()
    with scp(on_store=lambda event: 0 if enough.wait(20) else 0xC000) as there:
        node = start(there.port, pending_interval=0.05, response_timeout=20)
        with requesting(node) as association:
            responses = association.send_c_move(
                wanted(), "DEST", StudyRootQueryRetrieveInformationModelMove
            )
            for _ in range(3):
                status, _ = next(responses)
                assert (status.Status, counters(status)) == (0xFF00, (COUNT, 0, 0, 0))
            enough.set()
            *_, (final, _) = responses
    assert (final.Status, counters(final)) == (0, (None, COUNT, 0, 0))


def test_no_patient_is_named_in_the_log(start, free_port: int):
    node = start(free_port)
    with requesting(node) as association:
        move(association)
        get(association)
    assert PATIENT not in node.log()
    assert "withheld" not in node.log()
