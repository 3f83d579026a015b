"""P-DATA-TF fragmentation: the bytes add up, the lengths hold, the payload is not copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.pdu import PDataTF, decode_pdu
from isocenter.upperlayer.sending import append_fragments


def fragments(data, maximum_length: int, *, is_last: bool = True):
    output: list[bytes | memoryview] = []
    append_fragments(output, 3, 0, data, maximum_length, is_last)
    stream = b"".join(output)
    values = []
    while stream:
        length = 6 + int.from_bytes(stream[2:6], "big")
        pdu = decode_pdu(stream[:length])
        assert isinstance(pdu, PDataTF)
        assert length - 6 <= maximum_length
        values += pdu.values
        stream = stream[length:]
    return output, values


# Drawn by length: hypothesis seldom draws binary data that need several fragments.
payloads = st.integers(0, 6000).map(lambda length: (bytes(range(251)) * 24)[:length])


@given(payloads, st.integers(128, 2000))
def test_fragments_add_up_to_what_was_sent(data: bytes, maximum_length: int):
    _, values = fragments(data, maximum_length)
    assert b"".join(value.data for value in values) == data
    assert [value.is_last for value in values] == [False] * (len(values) - 1) + [True]
    assert all(len(value.data) % 2 == 0 for value in values[:-1])
    assert {(value.context_id, value.is_command) for value in values} == {(3, False)}


@given(st.lists(payloads.map(lambda data: data[-777:]), max_size=6), st.integers(128, 2000))
def test_several_buffers_are_sent_like_one(parts: list[bytes], maximum_length: int):
    _, values = fragments(parts, maximum_length)
    _, expected = fragments(b"".join(parts), maximum_length)
    assert values == expected


def test_large_payloads_are_not_copied():
    data = bytearray(300_000)
    output, _ = fragments(data, 131072)
    data[-1] = 7
    assert b"".join(output)[-1] == 7
    assert len(output) == 6


def test_small_payloads_are_one_buffer():
    output, values = fragments(bytes(1024), 131072)
    assert len(output) == 1
    assert len(values) == 1


def test_a_part_of_a_message_is_not_flagged_as_its_last():
    _, values = fragments(b"part", 131072, is_last=False)
    assert [value.is_last for value in values] == [False]


@pytest.mark.parametrize("data", [b"", [], [b"", b""]])
def test_an_empty_message_is_one_empty_fragment(data):
    _, values = fragments(data, 131072)
    assert [(value.data, value.is_last) for value in values] == [(b"", True)]


def test_views_of_wider_items_are_sent_by_their_bytes():
    words = memoryview(bytearray(2000)).cast("H")
    _, values = fragments(words, 131072)
    assert len(values[0].data) == 2000
