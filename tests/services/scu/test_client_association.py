"""One request, its responses and nothing else: what the association refuses to believe."""

import threading
from collections.abc import Sequence

import pytest

from isocenter.dimse.errors import DimseProtocolError
from isocenter.dimse.messages import CEchoRQ, CEchoRSP, CFindRSP, CStoreRSP, Message
from isocenter.services import association as association_module
from isocenter.services.association import ClientAssociation, Destination, connect
from isocenter.services.errors import Interrupted, NoPresentationContext
from isocenter.upperlayer.errors import ResponseTimeout
from tests.services.scu.instances import CT, EXPLICIT
from tests.services.scu.pynetdicom_scp import scp
from tests.services.scu.scripted_transport import ScriptedTransport, scripted

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"

Answers = Sequence[tuple[Message, bytes | None]]


def echo_response(message: Message, **changes: int) -> CEchoRSP:
    assert isinstance(message, CEchoRQ)
    values = {"message_id_being_responded_to": message.message_id, "status": 0} | changes
    return CEchoRSP(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (CEchoRSP(message_id_being_responded_to=99, status=0), "message 99"),
        (CFindRSP(message_id_being_responded_to=1, status=0), "C-FIND-RSP"),
        (CEchoRQ(message_id=1, affected_sop_class_uid=VERIFICATION), "C-ECHO-RQ"),
    ],
)
def test_an_answer_to_something_else_aborts_the_association(
    answer: Message, complaint: str
) -> None:
    association, transport = scripted(lambda _: [(answer, None)], (VERIFICATION, IMPLICIT))
    with pytest.raises(DimseProtocolError, match=complaint):
        association.echo()
    assert transport.ended == "aborted"


def test_no_answer_aborts_the_association() -> None:
    association, transport = scripted(lambda _: [], (VERIFICATION, IMPLICIT))
    with pytest.raises(ResponseTimeout):
        association.echo()
    assert transport.ended == "aborted"


def test_an_endless_data_set_is_not_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(association_module, "MAX_DATA_SET_LENGTH", 1000)

    def react(message: Message) -> Answers:
        response = echo_response(message)
        response.has_data_set = True
        return [(response, bytes(1001))]

    association, transport = scripted(react, (VERIFICATION, IMPLICIT))
    with pytest.raises(DimseProtocolError, match="more than 1000 bytes"):
        association.echo()
    assert transport.ended == "aborted"


def test_message_ids_run_from_1_to_65535_and_again() -> None:
    association, transport = scripted(
        lambda message: [(echo_response(message), None)], (VERIFICATION, IMPLICIT)
    )
    for _ in range(3):
        assert association.echo().is_success
    assert [message.message_id for message in transport.sent] == [1, 2, 3]  # type: ignore[attr-defined]
    for _ in range(65532):
        last = association.next_message_id()
    assert last == 65535
    assert association.next_message_id() == 1


def test_what_no_context_was_accepted_for_is_not_sent() -> None:
    association, transport = scripted(lambda _: [], (CT, IMPLICIT))
    with pytest.raises(NoPresentationContext, match=rf"{CT}\) in .*{EXPLICIT}\)"):
        association.store(CT, "1.2.3", EXPLICIT, b"ab")
    with pytest.raises(NoPresentationContext, match=VERIFICATION):
        association.echo()
    assert not transport.sent
    assert not transport.ended


def test_store_picks_the_context_of_its_transfer_syntax() -> None:
    used: list[int] = []

    class Transport(ScriptedTransport):
        def send(self, context_id: int, command: bytes, data: object = None) -> None:
            used.append(context_id)
            super().send(context_id, command, data)

    def react(message: Message) -> Answers:
        return [(CStoreRSP(message_id_being_responded_to=message.message_id, status=0), None)]  # type: ignore[attr-defined]

    transport = Transport(react, (CT, IMPLICIT), (CT, EXPLICIT))
    association = ClientAssociation(transport)  # type: ignore[arg-type]
    for syntax in (EXPLICIT, IMPLICIT):
        association.store(CT, "1.2.3", syntax, b"ab")
    assert used == [3, 1]


def test_the_block_releases_and_an_exception_aborts() -> None:
    association, transport = scripted(lambda _: [], (VERIFICATION, IMPLICIT))
    with association:
        pass
    assert transport.ended == "released"
    association, transport = scripted(lambda _: [], (VERIFICATION, IMPLICIT))
    with pytest.raises(KeyError), association:
        raise KeyError
    assert transport.ended == "aborted"


def test_giving_up_ends_a_wait_for_a_response() -> None:
    give_up = threading.Event()
    transport = ScriptedTransport(lambda _: [], (VERIFICATION, IMPLICIT))
    association = ClientAssociation(transport, give_up=give_up)  # type: ignore[arg-type]
    waited = 0

    def receive(timeout: float | None) -> None:
        nonlocal waited
        waited += 1
        if waited == 3:
            give_up.set()
        raise ResponseTimeout("not yet")

    transport.receive = receive  # type: ignore[assignment,method-assign]
    with pytest.raises(Interrupted):
        association.echo()
    assert waited == 3
    assert transport.ended == "aborted"


def test_a_wait_in_slices_still_ends_at_the_response_timeout() -> None:
    transport = ScriptedTransport(lambda _: [], (VERIFICATION, IMPLICIT))
    association = ClientAssociation(transport, response_timeout=0, give_up=threading.Event())  # type: ignore[arg-type]
    with pytest.raises(ResponseTimeout, match="for 0 s"):
        association.echo()


def test_at_most_128_contexts_are_proposed() -> None:
    contexts = [(f"1.2.{number}", (IMPLICIT,)) for number in range(129)]
    with pytest.raises(ValueError, match="not 129"):
        Destination("127.0.0.1", 1).connect(contexts)
    with pytest.raises(ValueError, match="not 0"):
        Destination("127.0.0.1", 1).connect([])


def test_a_destination_is_named_as_people_write_it() -> None:
    assert str(Destination("pacs", 104, called_ae="ARCHIVE")) == "ARCHIVE@pacs:104"


@pytest.mark.interop
def test_one_association_serves_echo_and_store_in_turn() -> None:
    received: list[bytes] = []

    def on_store(event) -> int:  # type: ignore[no-untyped-def]
        received.append(event.request.DataSet.getvalue())
        return 0x0000

    with (
        scp(on_store=on_store) as peer,
        connect(
            peer.host,
            peer.port,
            called_ae="PEER",
            contexts=[(VERIFICATION, (IMPLICIT,)), (CT, (EXPLICIT,))],
        ) as association,
    ):
        assert association.echo().is_success
        pieces = [b"\x08\x00\x16\x00UI\x02\x00", memoryview(b"1.")]
        assert association.store(CT, "1.2.3", EXPLICIT, pieces).status == 0
        assert association.echo().is_success
    assert received == [b"\x08\x00\x16\x00UI\x02\x001."]
