"""The protocol machine of both sides: establishing, data, release, abort, deadlines."""

from dataclasses import replace

import pytest

from isocenter.upperlayer.association import Association
from isocenter.upperlayer.contexts import AcceptedContext, ContextResult, ProposedContext
from isocenter.upperlayer.errors import LocalProtocolError
from isocenter.upperlayer.events import (
    Aborted,
    AssociationAccepted,
    AssociationRejected,
    AssociationRequested,
    ConnectionLost,
    DataReceived,
    Released,
    ReleaseRequested,
)
from isocenter.upperlayer.limits import AssociationLimits
from isocenter.upperlayer.memory import MemoryLink
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateRJ,
    AssociateRQ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
)
from isocenter.upperlayer.state_machine import State
from isocenter.upperlayer.user_information import UserInformation
from tests.upperlayer.links import (
    CT_IMAGE,
    EXPLICIT,
    IMPLICIT,
    REQUEST,
    RESPONSE,
    TIMEOUTS,
    VERIFICATION,
    established,
    sent,
    waiting_acceptor,
)


def states(link: MemoryLink) -> tuple[str, str]:
    return link.requestor.state.name, link.acceptor.state.name


def receive(association: Association, pdu, now: float = 0):
    return association.receive_data(memoryview(pdu.encode()), now)


def test_an_association_is_requested_and_accepted():
    link = MemoryLink.make()
    link.requestor.request_association(REQUEST, 0)
    assert states(link) == ("Sta5", "Sta2")
    _, (requested,) = link.pump()
    assert isinstance(requested, AssociationRequested)
    assert requested.request == link.requestor.request == link.acceptor.request
    assert states(link) == ("Sta5", "Sta3")
    link.acceptor.accept(RESPONSE, 0)
    (accepted,), _ = link.pump()
    assert isinstance(accepted, AssociationAccepted)
    assert accepted.response == link.requestor.response == link.acceptor.response
    assert states(link) == ("Sta6", "Sta6")


def test_both_sides_agree_on_the_accepted_contexts():
    link = established()
    expected = {
        1: AcceptedContext(1, VERIFICATION, IMPLICIT),
        3: AcceptedContext(3, CT_IMAGE, EXPLICIT),
    }
    assert link.requestor.accepted_contexts == link.acceptor.accepted_contexts == expected


def test_the_request_may_come_before_the_transport_connection():
    requestor = Association(requestor=True, now=0)
    requestor.request_association(REQUEST, 0)
    assert requestor.state is State.Sta4
    assert requestor.data_to_send() == []
    requestor.connection_made(0)
    assert requestor.state is State.Sta5
    assert isinstance(sent(requestor), AssociateRQ)


def test_a_maximum_length_left_open_is_announced_from_the_limits():
    limits = AssociationLimits(maximum_length=65536)
    link = established(limits)
    assert link.acceptor.request is not None
    assert link.acceptor.request.user_information.maximum_length == 65536
    assert link.requestor.response is not None
    assert link.requestor.response.user_information.maximum_length == 65536


def test_a_rejection_closes_both_sides():
    link = MemoryLink.make()
    link.requestor.request_association(REQUEST, 0)
    link.pump()
    link.acceptor.reject(AssociateRJ(1, 1, 7), 0)
    (rejected,), _ = link.pump()
    assert rejected == AssociationRejected(AssociateRJ(1, 1, 7))
    assert link.requestor.closing
    assert states(link) == ("Sta1", "Sta13")
    assert link.hang_up() == ([], [])
    assert states(link) == ("Sta1", "Sta1")


def test_an_unknown_protocol_version_is_rejected_by_the_provider():
    acceptor = waiting_acceptor()
    assert receive(acceptor, replace(REQUEST, protocol_version=2)) == []
    assert sent(acceptor) == AssociateRJ(1, 2, 2)
    assert acceptor.state is State.Sta13


def test_further_bits_of_the_protocol_version_are_not_tested():
    acceptor = waiting_acceptor()
    (requested,) = receive(acceptor, replace(REQUEST, protocol_version=3))
    assert isinstance(requested, AssociationRequested)


def test_more_contexts_than_our_limit_are_rejected_transiently():
    acceptor = Association(
        requestor=False, limits=AssociationLimits(presentation_contexts=2), now=0
    )
    acceptor.connection_made(0)
    assert receive(acceptor, REQUEST) == []
    assert sent(acceptor) == AssociateRJ(2, 3, 2)


def test_data_arrive_on_the_other_side():
    link = established()
    link.requestor.send_data(3, True, b"command", 0)
    link.requestor.send_data(3, False, [b"data" * 50_000, b"more"], 0)
    _, events = link.pump()
    assert all(isinstance(event, DataReceived) and event.context_id == 3 for event in events)
    assert events[0].is_command
    assert events[0].is_last
    assert b"".join(event.data for event in events[1:]) == b"data" * 50_000 + b"more"
    assert [event.is_last for event in events[1:]] == [False, True]


def test_fragments_keep_to_what_the_peer_announced():
    link = established(AssociationLimits(maximum_length=4096))
    link.requestor.send_data(3, False, bytes(10_000), 0)
    lengths = [len(part) for part in link.requestor.data_to_send()]
    assert lengths == [12, 4090, 12, 4090, 12, 1820]


def test_a_peer_without_limit_gets_our_own_length():
    requestor = Association(requestor=True, now=0)
    requestor.request_association(REQUEST, 0)
    requestor.connection_made(0)
    receive(requestor, RESPONSE)  # announces 0
    requestor.data_to_send()
    requestor.send_data(3, False, bytes(200_000), 0)
    assert max(len(part) for part in requestor.data_to_send()) == 131066


def test_a_peer_that_takes_almost_nothing_is_turned_away():
    acceptor = waiting_acceptor()
    (aborted,) = receive(
        acceptor, replace(REQUEST, user_information=UserInformation(maximum_length=8))
    )
    assert isinstance(aborted, Aborted)
    assert "maximum length of 8 bytes" in aborted.diagnosis


def test_nothing_is_sent_on_a_context_that_was_not_accepted():
    link = established()
    with pytest.raises(LocalProtocolError, match="context 5"):
        link.requestor.send_data(5, True, b"x", 0)


@pytest.mark.parametrize(
    "answer", [ContextResult(3, 0, "1.2.3"), ContextResult(7, 0, IMPLICIT)], ids=["syntax", "id"]
)
def test_what_was_not_proposed_cannot_be_accepted(answer: ContextResult):
    link = MemoryLink.make()
    link.requestor.request_association(REQUEST, 0)
    link.pump()
    response = replace(RESPONSE, presentation_contexts=(answer,))
    with pytest.raises(LocalProtocolError, match="not proposed"):
        link.acceptor.accept(response, 0)
    receive(link.requestor, response)
    assert link.requestor.state is State.Sta6
    assert link.requestor.accepted_contexts == {}


def test_a_release_is_confirmed():
    link = established()
    link.requestor.release(1)
    assert link.pump() == ([], [ReleaseRequested()])
    assert states(link) == ("Sta7", "Sta8")
    link.acceptor.send_data(1, True, b"last words", 1)  # AR-7
    (data,), _ = link.pump()
    assert isinstance(data, DataReceived)
    link.acceptor.confirm_release(1)
    assert link.pump() == ([Released()], [])
    assert link.requestor.closing
    assert states(link) == ("Sta1", "Sta13")
    assert link.hang_up() == ([], [])
    assert link.acceptor.closing


def test_the_acceptor_may_release_too():
    link = established()
    link.acceptor.release(1)
    assert link.pump() == ([ReleaseRequested()], [])
    link.requestor.confirm_release(1)
    assert link.pump() == ([], [Released()])


def test_a_release_collision_ends_well_for_both():
    link = established()
    link.requestor.release(1)
    link.acceptor.release(1)
    assert link.pump() == ([ReleaseRequested()], [ReleaseRequested()])
    assert states(link) == ("Sta9", "Sta10")
    link.requestor.confirm_release(2)
    assert states(link) == ("Sta11", "Sta10")
    assert link.pump() == ([], [Released()])
    assert states(link) == ("Sta11", "Sta12")
    link.acceptor.confirm_release(3)
    assert link.pump() == ([Released()], [])
    assert states(link) == ("Sta1", "Sta13")


def test_in_a_collision_the_acceptors_early_answer_waits_for_its_turn():
    link = established()
    link.requestor.release(1)
    link.acceptor.release(1)
    link.pump()
    link.acceptor.confirm_release(2)
    assert states(link) == ("Sta9", "Sta10")
    assert link.acceptor.data_to_send() == []
    link.requestor.confirm_release(3)
    assert link.pump() == ([Released()], [Released()])
    assert states(link) == ("Sta1", "Sta13")


def test_an_abort_reaches_the_peer():
    link = established()
    link.requestor.abort(0, 0, 1)
    assert link.pump() == ([], [Aborted(0, 0, by_peer=True)])
    assert link.acceptor.closing
    assert states(link) == ("Sta13", "Sta1")
    assert link.hang_up() == ([], [])


def test_an_abort_by_the_provider_is_told_apart():
    link = established()
    (aborted,) = receive(link.requestor, Abort(2, 6))
    assert isinstance(aborted, Aborted)
    assert aborted.by_provider
    assert aborted.reason == 6


def test_an_abort_where_nothing_is_left_to_abort_does_nothing():
    link = established()
    link.requestor.abort(0, 0, 1)
    link.requestor.data_to_send()
    link.requestor.abort(0, 0, 1)
    assert link.requestor.data_to_send() == []
    link.requestor.connection_lost(1)
    link.requestor.abort(0, 0, 1)
    assert link.requestor.state is State.Sta1


def test_a_connection_without_request_is_closed_by_an_abort():
    acceptor = waiting_acceptor()
    acceptor.abort(0, 0, 1)
    assert acceptor.closing
    assert acceptor.data_to_send() == []


def test_the_rest_of_data_cut_off_by_our_abort_is_not_reported():
    link = established()
    stream = PDataTF((PresentationDataValue(1, False, True, bytes(1000)),)).encode()
    assert len(link.acceptor.receive_data(memoryview(stream)[:500], 1)) == 1
    link.acceptor.abort(0, 0, 1)
    assert link.acceptor.receive_data(memoryview(stream)[500:], 1) == []
    assert receive(link.acceptor, Abort(0, 0)) == []
    assert link.acceptor.state is State.Sta1


def test_a_lost_connection_is_reported_where_it_matters():
    link = established()
    assert link.hang_up() == ([ConnectionLost()], [ConnectionLost()])
    assert link.requestor.connection_lost(1) == []


def test_a_connection_that_comes_and_goes_is_not_worth_an_event():
    acceptor = waiting_acceptor()
    assert acceptor.connection_lost(1) == []
    assert acceptor.closing


@pytest.mark.parametrize(
    "call",
    [
        lambda a: a.request_association(REQUEST, 0),
        lambda a: a.accept(RESPONSE, 0),
        lambda a: a.reject(AssociateRJ(1, 1, 1), 0),
        lambda a: a.release(0),
        lambda a: a.confirm_release(0),
        lambda a: a.send_data(1, True, b"x", 0),
    ],
    ids=["request", "accept", "reject", "release", "confirm_release", "send_data"],
)
def test_calls_out_of_turn_are_our_own_error(call):
    with pytest.raises(LocalProtocolError):
        call(waiting_acceptor())
    ended = established().requestor
    ended.abort(0, 0, 0)
    with pytest.raises(LocalProtocolError):
        call(ended)


def test_a_request_that_cannot_be_encoded_is_refused_at_once():
    requestor = Association(requestor=True, now=0)
    with pytest.raises(LocalProtocolError, match="AE title"):
        requestor.request_association(replace(REQUEST, called_ae_title=""), 0)
    huge = tuple(f"1.2.{number}" for number in range(20_000))
    contexts = (ProposedContext(1, VERIFICATION, huge),)
    with pytest.raises(LocalProtocolError, match="65535"):
        requestor.request_association(replace(REQUEST, presentation_contexts=contexts), 0)
    assert requestor.state is State.Sta1


# Deadlines. The timeouts of the tests: ARTIM 10, association 20, PDU 30, idle 600, release 40.


def test_nothing_expires_before_its_deadline():
    acceptor = waiting_acceptor()
    assert acceptor.deadline == TIMEOUTS.artim
    assert acceptor.expire(9.99) == []
    assert acceptor.state is State.Sta2


def test_a_connection_that_sends_nothing_is_closed_by_artim():
    acceptor = waiting_acceptor()
    assert acceptor.expire(10) == []
    assert acceptor.closing
    assert acceptor.deadline is None


def test_a_trickle_of_bytes_does_not_extend_artim():
    acceptor = waiting_acceptor()
    for now, byte in enumerate(REQUEST.encode()[:10]):
        acceptor.receive_data(memoryview(bytes((byte,))), now)
    assert acceptor.deadline == 10
    acceptor.expire(10)
    assert acceptor.closing


def test_an_unanswered_request_is_aborted():
    requestor = Association(requestor=True, timeouts=TIMEOUTS, now=0)
    requestor.request_association(REQUEST, 0)
    assert requestor.deadline is None
    requestor.connection_made(5)
    requestor.data_to_send()
    assert requestor.deadline == 25
    (aborted,) = requestor.expire(25)
    assert isinstance(aborted, Aborted)
    assert aborted.timed_out
    assert not aborted.by_peer
    assert sent(requestor) == Abort(0, 0)


def test_each_pdu_has_a_deadline_of_its_own():
    link = established()
    stream = memoryview(PDataTF((PresentationDataValue(1, False, True, bytes(100)),)).encode())
    link.acceptor.receive_data(stream[:50], 100)
    assert link.acceptor.deadline == 130
    link.acceptor.receive_data(stream[50:60], 120)
    assert link.acceptor.deadline == 130
    link.acceptor.receive_data(memoryview(bytes(stream[60:]) + bytes(stream[:3])), 125)
    assert link.acceptor.deadline == 155
    link.acceptor.receive_data(stream[3:], 126)
    assert link.acceptor.deadline == 726
    assert link.acceptor.expire(155) == []


def test_a_pdu_that_does_not_end_aborts():
    link = established()
    link.acceptor.receive_data(memoryview(b"\4\0"), 100)
    (aborted,) = link.acceptor.expire(130)
    assert isinstance(aborted, Aborted)
    assert aborted.timed_out
    assert "did not end within 30 s" in aborted.diagnosis
    assert sent(link.acceptor) == Abort(2, 0)
    assert link.acceptor.receive_data(memoryview(ReleaseRQ().encode()), 131) == []


def test_an_idle_requestor_releases_and_an_idle_acceptor_aborts():
    link = established()
    assert link.requestor.deadline == link.acceptor.deadline == 600
    link.requestor.send_data(1, True, b"x", 100)
    link.now = 100
    link.pump()
    assert link.requestor.deadline == link.acceptor.deadline == 700
    assert link.requestor.expire(700) == []
    assert sent(link.requestor) == ReleaseRQ()
    (aborted,) = link.acceptor.expire(700)
    assert isinstance(aborted, Aborted)
    assert aborted.timed_out
    assert sent(link.acceptor) == Abort(0, 0)


def test_a_release_that_is_not_answered_aborts():
    link = established()
    link.requestor.release(10)
    assert link.requestor.deadline == 50
    link.requestor.data_to_send()
    (aborted,) = link.requestor.expire(50)
    assert isinstance(aborted, Aborted)
    assert aborted.timed_out
    assert sent(link.requestor) == Abort(0, 0)


def test_a_peer_that_does_not_close_is_closed_by_artim():
    link = established()
    link.acceptor.abort(0, 0, 5)
    assert not link.acceptor.closing
    assert link.acceptor.deadline == 15
    receive(link.acceptor, ReleaseRP(), 14)
    assert link.acceptor.deadline == 15
    assert link.acceptor.expire(15) == []
    assert link.acceptor.closing
