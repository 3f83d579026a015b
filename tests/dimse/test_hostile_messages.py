"""Command sets that were valid once: a message, or a DIMSE error that says how to go on."""

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.assembler import CommandReceived, MessageAssembler
from isocenter.dimse.command_set import decode_command
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.messages import decode_message
from isocenter.upperlayer.events import DataReceived
from tests.dimse.message_strategies import messages
from tests.support.mutations import hostile

hostile_commands = hostile(messages().map(lambda message: message.encode()))
fragments = st.tuples(st.booleans(), st.booleans(), st.sampled_from([1, 3]), hostile_commands)


@given(hostile_commands)
def test_a_mutated_command_set_is_a_message_or_refused(data: bytes) -> None:
    refused: DimseError | None = None
    try:
        message = decode_message(data)
    except DimseError as error:
        refused = error
    if refused is None:
        assert len(decode_command(data)) >= 1
        assert isinstance(message.has_data_set, bool)
    elif not isinstance(refused, DimseProtocolError):
        assert refused.response is not None
        assert decode_message(refused.response.encode()) == refused.response


@given(st.lists(fragments, max_size=6))
def test_fragments_in_any_order_are_messages_or_refused(
    row: list[tuple[bool, bool, int, bytes]],
) -> None:
    assembler = MessageAssembler()
    for is_command, is_last, context_id, data in row:
        received = DataReceived(context_id, is_command, is_last, memoryview(data))
        try:
            events = assembler.feed(received)
        except DimseProtocolError:
            return
        except DimseError:
            continue
        for event in events:
            assert event.context_id == context_id
            if isinstance(event, CommandReceived):
                assert assembler.idle != event.message.has_data_set
