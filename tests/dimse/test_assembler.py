"""Fragments to messages, and every way of sending them in the wrong order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dimse.assembler import CommandReceived, DataSetFragment, MessageAssembler
from isocenter.dimse.command_set import decode_command, encode_command
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.dimse.messages import CEchoRQ, CStoreRQ, CStoreRSP, Message
from isocenter.upperlayer.events import DataReceived
from tests.dimse.message_strategies import messages

STORE = CStoreRQ(message_id=1, affected_sop_class_uid="1.2", affected_sop_instance_uid="1.2.3")
ECHO = CEchoRQ(message_id=2, affected_sop_class_uid="1.2.840.10008.1.1")


def command(data: bytes, *, context_id: int = 1, is_last: bool = True) -> DataReceived:
    return DataReceived(context_id, True, is_last, memoryview(data))


def data_set(data: bytes, *, context_id: int = 1, is_last: bool = True) -> DataReceived:
    return DataReceived(context_id, False, is_last, memoryview(data))


def fragments(data: bytes, cuts: list[int]) -> list[tuple[bytes, bool]]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in pairwise(edges)]
    return [(part, number == len(parts) - 1) for number, part in enumerate(parts)]


@given(messages(), st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_a_message_comes_out_the_same_however_it_was_cut(
    message: Message, payload: bytes, cuts: list[int]
) -> None:
    assembler = MessageAssembler()
    for _ in range(2):
        events = []
        for part, is_last in fragments(message.encode(), cuts):
            events += assembler.feed(command(part, is_last=is_last))
        assert events == [CommandReceived(1, message)]
        if message.has_data_set:
            assert not assembler.idle
            received = []
            for part, is_last in fragments(payload, cuts):
                received += assembler.feed(data_set(part, is_last=is_last))
            assert b"".join(bytes(event.data) for event in received) == payload
            assert [event.is_last for event in received] == [False] * len(cuts) + [True]
        assert assembler.idle


def test_data_set_bytes_are_passed_on_without_a_copy() -> None:
    assembler = MessageAssembler()
    assembler.feed(command(STORE.encode(), context_id=3))
    received = data_set(b"abc", context_id=3, is_last=False)
    (event,) = assembler.feed(received)
    assert event == DataSetFragment(3, received.data, False)
    assert event.data is received.data


def test_collected_command_fragments_are_copies() -> None:
    assembler = MessageAssembler()
    buffer = bytearray(ECHO.encode())
    assembler.feed(command(buffer[:9], is_last=False))
    reused = bytearray(buffer[9:20])
    assembler.feed(command(reused, is_last=False))
    reused[:] = bytes(len(reused))
    assert assembler.feed(command(buffer[20:])) == (CommandReceived(1, ECHO),)


def test_data_that_no_command_announced_is_refused() -> None:
    with pytest.raises(DimseProtocolError, match="no command announced"):
        MessageAssembler().feed(data_set(b"abc"))


def test_data_behind_a_command_without_data_set_is_refused() -> None:
    assembler = MessageAssembler()
    assembler.feed(command(ECHO.encode()))
    with pytest.raises(DimseProtocolError, match="no command announced"):
        assembler.feed(data_set(b""))


def test_data_inside_an_unfinished_command_is_refused() -> None:
    assembler = MessageAssembler()
    assembler.feed(command(STORE.encode()[:20], is_last=False))
    with pytest.raises(DimseProtocolError, match="no command announced"):
        assembler.feed(data_set(b"abc"))


def test_a_command_before_the_announced_data_set_is_refused() -> None:
    assembler = MessageAssembler()
    assembler.feed(command(STORE.encode()))
    with pytest.raises(DimseProtocolError, match="inside a data set"):
        assembler.feed(command(ECHO.encode()))


def test_a_command_in_the_middle_of_a_data_set_is_refused() -> None:
    assembler = MessageAssembler()
    assembler.feed(command(STORE.encode()))
    assembler.feed(data_set(b"abc", is_last=False))
    with pytest.raises(DimseProtocolError, match="inside a data set"):
        assembler.feed(command(ECHO.encode()))


@pytest.mark.parametrize("is_command", [True, False])
def test_a_message_does_not_change_its_context(is_command: bool) -> None:
    assembler = MessageAssembler()
    encoded = STORE.encode()
    if is_command:
        assembler.feed(command(encoded[:5], context_id=1, is_last=False))
        following = command(encoded[5:], context_id=3)
    else:
        assembler.feed(command(encoded, context_id=1))
        following = data_set(b"abc", context_id=3)
    with pytest.raises(DimseProtocolError, match="context 3 inside a message on context 1"):
        assembler.feed(following)


def test_an_endless_command_is_refused_before_it_grows_beyond_64_kib() -> None:
    assembler = MessageAssembler()
    for _ in range(4):
        assembler.feed(command(bytes(16384), is_last=False))
    with pytest.raises(DimseProtocolError, match="the limit is 65536"):
        assembler.feed(command(b"\0", is_last=False))


def test_empty_fragments_are_harmless() -> None:
    assembler = MessageAssembler()
    assert assembler.feed(command(b"", is_last=False)) == ()
    assert assembler.feed(command(STORE.encode(), is_last=False)) == ()
    assert assembler.feed(command(b"")) == (CommandReceived(1, STORE),)
    (event,) = assembler.feed(data_set(b""))
    assert event == DataSetFragment(1, memoryview(b""), True)
    assert assembler.idle


def test_the_data_set_of_a_refused_command_is_swallowed() -> None:
    assembler = MessageAssembler()
    elements = decode_command(STORE.encode())
    del elements[0x1000]
    with pytest.raises(DimseError) as caught:
        assembler.feed(command(encode_command(elements)))
    assert isinstance(caught.value.response, CStoreRSP)
    assert assembler.feed(data_set(b"abc", is_last=False)) == ()
    assert assembler.feed(data_set(b"abc")) == ()
    assert assembler.idle
    assert assembler.feed(command(ECHO.encode())) == (CommandReceived(1, ECHO),)


def test_a_refused_command_in_pieces_leaves_nothing_behind() -> None:
    assembler = MessageAssembler()
    elements = decode_command(ECHO.encode())
    del elements[0x0002]
    encoded = encode_command(elements)
    assembler.feed(command(encoded[:10], is_last=False))
    with pytest.raises(DimseError):
        assembler.feed(command(encoded[10:]))
    assert assembler.feed(command(ECHO.encode())) == (CommandReceived(1, ECHO),)
