"""Several C-STOREs under way at a time: as many as the peer allows, answered in any order."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.messages import CEchoRSP, CStoreRQ, CStoreRSP, Message
from isocenter.services.association import ClientAssociation, Destination
from isocenter.services.pipelining import StorePipeline
from isocenter.services.storage_scu import RetryPolicy, send_files
from isocenter.upperlayer.contexts import AcceptedContext
from isocenter.upperlayer.user_information import UserInformation
from tests.services.scu.instances import write_instances
from tests.services.scu.pynetdicom_scp import scp
from tests.services.scu.scripted_transport import ScriptedTransport

CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"

Answers = list[tuple[Message, bytes | None]]


def response_to(request: CStoreRQ, status: int = 0) -> CStoreRSP:
    return CStoreRSP(message_id_being_responded_to=request.message_id, status=status)


class Hoarder:
    """A peer that answers `window` requests at once, in the order that `shuffle` makes of them."""

    def __init__(self, window: int, shuffle: Callable[[list[Any]], list[Any]]) -> None:
        self.held: list[CStoreRQ] = []
        self.most = 0
        self._window = window
        self._shuffle = shuffle

    def __call__(self, message: Message) -> Sequence[tuple[Message, bytes | None]]:
        assert isinstance(message, CStoreRQ)
        self.held.append(message)
        self.most = max(self.most, len(self.held))
        return self.let_go() if len(self.held) == self._window else []

    def let_go(self) -> Answers:
        held, self.held = self.held, []
        return [(response_to(request), None) for request in self._shuffle(held)]


def association_with(reaction: Any, window: int) -> ClientAssociation:
    transport: Any = ScriptedTransport(reaction, (CT, EXPLICIT))
    return ClientAssociation(transport, window=window)


def run(pipeline: StorePipeline[str], jobs: list[str]) -> list[tuple[str, CStoreRSP]]:
    answered = []
    waiting = list(jobs)
    while waiting or pipeline.outstanding:
        if waiting and pipeline.has_room:
            pipeline.send(waiting[0], CT, waiting.pop(0), EXPLICIT, b"\0\0")
        else:
            answered.append(pipeline.receive())
    return answered


@given(st.randoms(use_true_random=False))
def test_answers_in_any_order_find_their_requests(random: Any) -> None:
    jobs = [f"1.2.{number}" for number in range(8)]
    sent: dict[int, str] = {}

    def remember(message: Message) -> Sequence[tuple[Message, bytes | None]]:
        assert isinstance(message, CStoreRQ)
        sent[message.message_id] = message.affected_sop_instance_uid
        return hoarder(message)

    hoarder = Hoarder(4, lambda held: random.sample(held, len(held)))
    answered = run(StorePipeline(association_with(remember, 4), 4), jobs)
    assert sorted(job for job, _ in answered) == jobs
    assert all(sent[one.message_id_being_responded_to] == job for job, one in answered)
    assert hoarder.most == 4


@pytest.mark.parametrize(("granted", "wanted", "most"), [(3, 8, 3), (8, 3, 3), (1, 8, 1)])
def test_neither_our_window_nor_the_peers_is_overstepped(
    granted: int, wanted: int, most: int
) -> None:
    hoarder = Hoarder(most, list)
    jobs = [f"1.2.{number}" for number in range(most * 3)]
    run(StorePipeline(association_with(hoarder, granted), wanted), jobs)
    assert hoarder.most == most


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: CStoreRSP(message_id_being_responded_to=77, status=0),
        lambda request: CEchoRSP(message_id_being_responded_to=request.message_id, status=0),
    ],
)
def test_an_answer_to_nothing_of_ours_ends_the_association(answer: Any) -> None:
    association = association_with(lambda request: [(answer(request), None)], 4)
    pipeline: StorePipeline[str] = StorePipeline(association, 4)
    pipeline.send("job", CT, "1.2.3", EXPLICIT, b"\0\0")
    with pytest.raises(DimseProtocolError):
        pipeline.receive()
    assert pipeline.outstanding == ["job"]
    transport: Any = association.transport
    assert transport.ended == "aborted"


def test_a_response_that_comes_twice_is_an_answer_to_nothing() -> None:
    def twice(request: Message) -> Answers:
        assert isinstance(request, CStoreRQ)
        return [(response_to(request), None)] * 2

    pipeline: StorePipeline[str] = StorePipeline(association_with(twice, 4), 4)
    pipeline.send("job", CT, "1.2.3", EXPLICIT, b"\0\0")
    assert pipeline.receive()[0] == "job"
    with pytest.raises(DimseProtocolError):
        pipeline.receive()


@pytest.mark.parametrize(
    ("answer", "window"),
    [(None, 1), ((1, 1), 1), ((3, 1), 3), ((0, 0), 5), ((9, 9), 5)],
)
def test_the_window_is_what_the_peer_grants_of_what_we_asked(
    answer: tuple[int, int] | None, window: int
) -> None:
    information = UserInformation(asynchronous_operations_window=answer)
    assert Destination("h", 1, window=5)._granted(information) == window


class Unsteady:
    """Transports of one destination: the first breaks after so many requests, the next do not."""

    def __init__(self, breaks_after: int) -> None:
        self.order: list[list[str]] = []
        self._breaks_after = breaks_after

    def connect(self, contexts: Any, **_: Any) -> ClientAssociation:
        said: list[str] = []
        self.order.append(said)
        first = len(self.order) == 1

        def reaction(message: Message) -> Answers:
            assert isinstance(message, CStoreRQ)
            said.append(message.affected_sop_instance_uid)
            return [] if first else [(response_to(message), None)]

        transport: Any = ScriptedTransport(reaction)
        transport.accepted_contexts = {
            2 * number + 1: AcceptedContext(2 * number + 1, name, syntaxes[0])
            for number, (name, syntaxes) in enumerate(contexts)
        }
        return ClientAssociation(transport, window=self.window)

    window = 4


def test_after_a_loss_files_go_one_by_one_so_that_no_innocent_is_blamed(tmp_path: Path) -> None:
    files = write_instances(tmp_path, 6)
    peer: Any = Unsteady(breaks_after=4)
    report = send_files(files, peer, preflight=False, retry=RetryPolicy(1, first_delay=0.0))
    assert report.complete
    uids = [file.sop_instance_uid for file in files]
    assert peer.order[0] == uids[:4]  # nothing was answered, so nothing more was sent
    assert peer.order[1] == [*uids[4:], *uids[:4]]
    assert sorted(result.attempts for result in report.accepted) == [1, 1, 2, 2, 2, 2]


@pytest.mark.interop
def test_a_peer_that_negotiates_no_window_is_sent_one_at_a_time(tmp_path: Path) -> None:
    from dataclasses import replace

    files = write_instances(tmp_path, 5)
    windows = []

    def on_store(event: Any) -> int:
        windows.append(event.assoc.acceptor.asynchronous_operations)
        return 0x0000

    with scp(on_store=on_store) as peer:
        report = send_files(files, replace(peer, window=8))
    assert len(report.accepted) == 5
    assert set(windows) == {(1, 1)}
