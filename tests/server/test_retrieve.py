"""What a node tells the one who retrieves, whatever the receiver of the objects does."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000
from pynetdicom import evt
from pynetdicom.sop_class import (
    PatientStudyOnlyQueryRetrieveInformationModelGet,
    PatientStudyOnlyQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from isocenter.dictionary.sop_classes import STUDY_ROOT_GET
from isocenter.dimse.messages import CCancelRQ, CEchoRQ, CEchoRSP
from isocenter.encoding.elements import RawElement
from isocenter.services.association import Destination
from isocenter.upperlayer.errors import UpperLayerError
from tests.server.support_instances import CT, PATIENT, instance, packs
from tests.server.support_nodes import configured, eventually, log_lines, memory
from tests.server.support_retrieve import (
    COUNT,
    STUDY,
    answers,
    counters,
    failed_uids,
    fill,
    filled,
    get,
    move,
    requesting,
    uids,
    wanted,
)
from tests.services.scu.pynetdicom_scp import scp
from tests.support.node import Node


@pytest.fixture
def start(start_node, tmp_path: Path) -> Callable[..., Node]:
    """Starts a node that holds COUNT instances and may send to a port."""
    return partial(filled, start_node, tmp_path)


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
        *_, last = association.get(STUDY_ROOT_GET, identifier_of("5.5"), Echoing())
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
    with own_association(node) as association:
        *_, last = association.get(STUDY_ROOT_GET, identifier_of(study), receiver)
        assert last.status.is_success


def identifier_of(study: str) -> dict[int, RawElement]:
    return {
        0x00080052: RawElement("CS", b"STUDY"),
        0x0020000D: RawElement("UI", study.encode()),
    }


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


def test_a_flood_of_cancels_disturbs_nobody(start):
    """Of operations that never were, and of the one that is under way."""
    node = start()
    fill(node, *(instance(f"1.2.3.5.{number}", study="5.5") for number in range(200)))
    echo = "1.2.840.10008.1.1"
    with own_association(node, (echo, ["1.2.840.10008.1.2"])) as association:
        context = association.context_for(STUDY_ROOT_GET)

        def flood() -> None:
            for number in range(1, 3001):
                cancel = CCancelRQ(message_id_being_responded_to=number)
                association.send(context.context_id, cancel)

        flood()
        assert association.echo().is_success
        *_, last = association.get(STUDY_ROOT_GET, identifier_of("5.5"), Leaving(flood_once(flood)))
        assert last.status.code == 0xFE00
        assert association.echo().is_success


def flood_once(flood: Callable[[], None]) -> Callable[[], None]:
    """Floods when it is called first."""
    calls = iter([flood])
    return lambda: next(calls, lambda: None)()


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


@pytest.mark.parametrize(
    ("level", "key", "expected"),
    [
        ("PATIENT", {"PatientID": "4711"}, 0),
        ("STUDY", {"StudyInstanceUID": STUDY}, 0),
        ("SERIES", {"SeriesInstanceUID": f"{STUDY}.1"}, 0xA900),
    ],
)
def test_the_retired_model_has_two_levels(start, level, key, expected):
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword, value in key.items():
        setattr(identifier, keyword, value)
    node = start()
    with requesting(node) as association:
        *_, (final, _) = association.send_c_get(
            identifier, PatientStudyOnlyQueryRetrieveInformationModelGet
        )
        ((moved, _),) = association.send_c_move(
            identifier, "NOWHERE", PatientStudyOnlyQueryRetrieveInformationModelMove
        )
    assert (final.Status, moved.Status) == (expected, 0xA801)


def test_no_patient_is_named_in_the_log(start, free_port: int):
    node = start(free_port)
    with requesting(node) as association:
        move(association)
        get(association)
    assert PATIENT not in node.log()
    assert "withheld" not in node.log()
