"""Whatever a peer sends: an answer from Table 9-10, never an exception, never unbounded memory."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.errors import LocalProtocolError, RemoteProtocolError
from isocenter.upperlayer.events import Aborted, AssociationRequested, DataReceived
from isocenter.upperlayer.items import encode_item
from isocenter.upperlayer.pdu import (
    Abort,
    AssociateRJ,
    PDataTF,
    PresentationDataValue,
    ReleaseRP,
    ReleaseRQ,
    decode_pdu,
)
from isocenter.upperlayer.state_machine import State
from tests.upperlayer import strategies
from tests.upperlayer.links import REQUEST, RESPONSE, established, sent, waiting_acceptor
from tests.upperlayer.states import IN_STATE, aborted, waiting_requestor
from tests.upperlayer.table_9_10 import CELLS

PDUS = {
    "Evt3": RESPONSE,
    "Evt4": AssociateRJ(1, 1, 1),
    "Evt6": REQUEST,
    "Evt10": PDataTF((PresentationDataValue(1, True, True, b"ab"),)),
    "Evt12": ReleaseRQ(),
    "Evt13": ReleaseRP(),
    "Evt16": Abort(0, 0),
}


@pytest.mark.parametrize("name", IN_STATE)
def test_the_states_of_these_tests_are_what_they_say(name: str):
    assert IN_STATE[name]().state.name == name


@pytest.mark.parametrize("state", IN_STATE)
@pytest.mark.parametrize("event", PDUS)
def test_every_pdu_in_every_state_is_answered_as_table_9_10_says(state: str, event: str):
    cells = {(s.name, t.name): cell for s, t, cell in CELLS}
    action, _, next_states = cells[state, event].partition("/")
    association = IN_STATE[state]()
    association.data_to_send()
    events = association.receive_data(memoryview(PDUS[event].encode()), 0)
    assert association.state.name.removeprefix("Sta") in next_states.split(",")
    if action == "AA-8":
        assert sent(association) == Abort(2, 2)
        (reported,) = events
        assert isinstance(reported, Aborted)
        assert reported.by_provider
        assert f"arrived in {state}" in reported.diagnosis
    elif action == "AA-1":
        assert sent(association) == Abort(0, 0)
    elif action == "AA-6":
        assert (events, association.data_to_send()) == ([], [])
    elif action == "AA-7":
        assert isinstance(sent(association), Abort)
    elif action in ("AA-2", "AA-3", "AR-3"):
        assert association.closing


@given(st.sampled_from(sorted(IN_STATE)), st.lists(st.binary(max_size=200), max_size=5))
def test_garbage_never_raises(state: str, pieces: list[bytes]):
    association = IN_STATE[state]()
    for now, piece in enumerate(pieces):
        association.receive_data(memoryview(piece), now)
        association.expire(now)
    association.connection_lost(10)
    assert association.state is State.Sta1


@given(
    st.sampled_from(sorted(IN_STATE)),
    st.lists(strategies.hostile_pdus, max_size=4).map(b"".join),
    st.integers(1, 50),
)
def test_damaged_pdus_never_raise(state: str, damaged: bytes, step: int):
    association = IN_STATE[state]()
    for start in range(0, len(damaged), step):
        association.receive_data(memoryview(damaged)[start : start + step], start)


@given(st.sampled_from(sorted(IN_STATE)), strategies.hostile_pdus, st.integers(1, 50))
def test_it_makes_no_difference_where_damaged_pdus_are_cut(state: str, damaged: bytes, step: int):
    def after(step: int) -> tuple[State, bytes, bool]:
        association = IN_STATE[state]()
        for start in range(0, len(damaged), step):
            association.receive_data(memoryview(damaged)[start : start + step], 0)
        return association.state, b"".join(association.data_to_send()), association.closing

    assert after(step) == after(len(damaged) or 1)


@given(strategies.hostile_pdus)
def test_a_damaged_pdu_is_decoded_or_refused(damaged: bytes):
    try:
        pdu = decode_pdu(damaged)
        encoded = pdu.encode()
    except (RemoteProtocolError, LocalProtocolError):
        return
    assert decode_pdu(encoded).encode() == encoded


@pytest.mark.parametrize("state", IN_STATE)
@pytest.mark.parametrize(
    ("first_bytes", "reason"),
    [("FF 00 00000004", 1), ("01 00 7FFFFFFF", 6), ("07 00 00000000", 6)],
    ids=["unknown PDU", "huge association PDU", "short abort"],
)
def test_wrong_headers_end_the_association_at_once(state: str, first_bytes: str, reason: int):
    association = IN_STATE[state]()
    association.data_to_send()
    events = association.receive_data(memoryview(bytes.fromhex(first_bytes)), 0)
    assert association.state is State.Sta13
    answer = sent(association)
    assert isinstance(answer, Abort)
    if state == "Sta13":
        assert events == []
        return
    (reported,) = events
    assert isinstance(reported, Aborted)
    assert not reported.by_peer
    # AA-1 aborts as the service user, whose reason is not significant; AA-8 as the provider.
    assert answer == (Abort(0, 0) if state == "Sta2" else Abort(2, reason))


def test_data_before_the_violation_are_still_delivered():
    association = established().acceptor
    stream = PDUS["Evt10"].encode() + b"\xff" * 6
    data, reported = association.receive_data(memoryview(stream), 0)
    assert isinstance(data, DataReceived)
    assert isinstance(reported, Aborted)


def test_nothing_is_read_after_the_stream_is_out_of_step():
    association = established().acceptor
    association.receive_data(memoryview(b"\xff" * 6), 0)
    association.data_to_send()
    assert association.receive_data(memoryview(Abort(0, 0).encode()), 0) == []
    assert association.state is State.Sta13


def test_a_peer_that_keeps_on_after_the_end_gets_one_answer():
    association = aborted(established())
    for _ in range(100):
        association.receive_data(memoryview(REQUEST.encode()), 0)
    assert len(association.data_to_send()) == 1


@pytest.mark.parametrize("pdu_type", [1, 2])
def test_a_lying_length_reserves_no_memory(pdu_type: int):
    association = waiting_acceptor()
    header = bytes((pdu_type, 0)) + (1 << 20).to_bytes(4, "big")
    tracemalloc.start()
    try:
        association.receive_data(memoryview(header), 0)
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()
    assert association.state is State.Sta2


def request_with(items: bytes) -> bytes:
    body = REQUEST.encode()[6 : 6 + 68] + items
    return bytes((1, 0)) + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (encode_item(0x20, b"\1\0\0\0") + encode_item(0x20, b"\1\0\0\0"), "twice"),
        (encode_item(0x20, b"\2\0\0\0"), "odd"),
        (b"".join(encode_item(0x20, b"\1\0\0\0") for _ in range(300)), "twice"),
        (encode_item(0x10, b"") * 600, "more than 512 items"),
        (encode_item(0x20, b"\1\0\0\0" + encode_item(0x40, b"") * 200), "more than 128 items"),
        (encode_item(0x50, encode_item(0x54, bytes(4)) * 2000), "more than 1024 items"),
        (b"\x20\0\xff\xff", "states 65535 bytes"),
        (encode_item(0x50, b"\x54\0\0\x08" + bytes(4)), "states 8 bytes where 4 are left"),
        (encode_item(0x50, encode_item(0x58, b"\1\0\xff\xff")), "needs 65535 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lies_inside_an_association_request_are_refused(items: bytes, words: str):
    association = waiting_acceptor()
    (reported,) = association.receive_data(memoryview(request_with(items)), 0)
    assert isinstance(reported, Aborted)
    assert words in reported.diagnosis
    assert association.state is State.Sta13


def test_unknown_items_in_a_request_are_skipped():
    unknown = encode_item(0x99, b"later edition")
    items = REQUEST.encode()[6 + 68 :]
    association = waiting_acceptor()
    (requested,) = association.receive_data(memoryview(request_with(unknown + items + unknown)), 0)
    assert isinstance(requested, AssociationRequested)
    assert requested.request.presentation_contexts == REQUEST.presentation_contexts


@pytest.mark.parametrize(
    ("first_bytes", "words"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", "TLS ClientHello to a port without TLS"),
        (b"GET / HTTP/1.1\r\n", "HTTP request to a DICOM port"),
        (b"POST /dicom-web", "HTTP request"),
        (b"PRI * HTTP/2.0\r\n", "HTTP request"),
        (b"SSH-2.0-client", "SSH"),
        (b"\x42\x42\x42\x42\x42\x42", "PDU type 42H is unknown"),
    ],
)
def test_other_protocols_on_our_port_are_recognized(first_bytes: bytes, words: str):
    association = waiting_acceptor()
    (reported,) = association.receive_data(memoryview(first_bytes), 0)
    assert isinstance(reported, Aborted)
    assert words in reported.diagnosis


@pytest.mark.parametrize(
    ("first_bytes", "words"),
    [
        (b"\x15\x03\x01\x00\x02\x02\x46", "its port expects TLS"),
        (b"HTTP/1.1 400 Bad Request\r\n", "web server's port"),
    ],
)
def test_other_protocols_on_the_peers_port_are_recognized(first_bytes: bytes, words: str):
    (reported,) = waiting_requestor().receive_data(memoryview(first_bytes), 0)
    assert isinstance(reported, Aborted)
    assert words in reported.diagnosis
