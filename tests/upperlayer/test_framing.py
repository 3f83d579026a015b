"""The byte stream cut at any place means the same, and lies about lengths are found early."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.upperlayer.errors import RemoteProtocolError
from isocenter.upperlayer.events import DataReceived
from isocenter.upperlayer.framing import FrameReader
from isocenter.upperlayer.pdu import PDataTF, PresentationDataValue, ReleaseRQ

LIMIT = 1 << 20


def reader(maximum_length: int = 131072) -> FrameReader:
    made = FrameReader(LIMIT)
    made.accept_data({1, 3})
    made.set_maximum_length(maximum_length)
    return made


def feed(frame_reader: FrameReader, pieces: list[bytes]) -> list[object]:
    """What the reader makes of the pieces: parts of PDVs, and the bytes of other PDUs."""
    found: list[object] = []
    for piece in pieces:
        data = memoryview(piece)
        position = 0
        while position < len(data):
            position = frame_reader.read(data, position, found)
            if frame_reader.whole_pdu is not None:
                found.append((frame_reader.whole_pdu.pdu_type, bytes(frame_reader.whole_pdu.body)))
                frame_reader.whole_pdu = None
    return found


def joined(found: list[object]) -> list[object]:
    """Parts of one command set or data set joined, so that two ways of cutting compare equal."""
    result: list[object] = []
    pending: dict[tuple[int, bool], bytes] = {}
    for item in found:
        if not isinstance(item, DataReceived):
            result.append(item)
            continue
        key = item.context_id, item.is_command
        pending[key] = pending.get(key, b"") + bytes(item.data)
        if item.is_last:
            result.append((*key, pending.pop(key)))
    return [*result, pending]


values = st.builds(
    PresentationDataValue,
    st.sampled_from([1, 3]),
    st.booleans(),
    st.booleans(),
    st.binary(max_size=40),
)
data_pdus = st.lists(values, min_size=1, max_size=4).map(lambda v: PDataTF(tuple(v)).encode())
streams = st.lists(data_pdus | st.just(ReleaseRQ().encode()), min_size=1, max_size=5).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(streams, st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stream_cut_anywhere_means_the_same(stream: bytes, places: list[int]):
    whole = reader()
    expected = joined(feed(whole, [stream]))
    pieces = reader()
    assert joined(feed(pieces, cut(stream, places))) == expected
    assert not pieces.inside_pdu()
    assert pieces.pdus_completed == whole.pdus_completed


def test_a_stream_cut_at_every_single_place_means_the_same():
    stream = (
        PDataTF(
            (
                PresentationDataValue(1, True, True, b"command"),
                PresentationDataValue(1, False, False, b"first"),
                PresentationDataValue(1, False, True, b""),
            )
        ).encode()
        + PDataTF((PresentationDataValue(3, False, True, b"other"),)).encode()
        + ReleaseRQ().encode()
    )
    expected = joined(feed(reader(), [stream]))
    assert expected == [
        (1, True, b"command"),
        (1, False, b"first"),
        (3, False, b"other"),
        (5, bytes(4)),
        {},
    ]
    for place in range(len(stream)):
        assert joined(feed(reader(), [stream[:place], stream[place:]])) == expected
    assert joined(feed(reader(), [stream[i : i + 1] for i in range(len(stream))])) == expected


def test_part_of_a_pdv_is_handed_out_as_soon_as_it_is_there():
    stream = PDataTF((PresentationDataValue(1, False, True, bytes(100)),)).encode()
    frame_reader = reader()
    (part,) = feed(frame_reader, [stream[:50]])
    assert isinstance(part, DataReceived)
    assert (len(part.data), part.is_last) == (38, False)
    assert frame_reader.inside_pdu()
    (rest,) = feed(frame_reader, [stream[50:]])
    assert isinstance(rest, DataReceived)
    assert (len(rest.data), rest.is_last) == (62, True)
    assert not frame_reader.inside_pdu()


def test_bytes_of_a_pdv_are_views_not_copies():
    stream = bytearray(PDataTF((PresentationDataValue(1, False, True, b"abcd"),)).encode())
    (part,) = feed(reader(), [stream])  # type: ignore[list-item]
    stream[-1:] = b"!"
    assert isinstance(part, DataReceived)
    assert bytes(part.data) == b"abc!"


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        ("04 00 00000000", "states 0 bytes where 6 to 64"),
        ("04 00 00000005", "states 5 bytes"),
        ("04 00 00000041", "states 65 bytes where 6 to 64"),
        ("04 00 FFFFFFFF", "states 4294967295 bytes"),
        ("04 00 00000008 00000005 01 03", "a PDV states 5 bytes where its P-DATA-TF has 4 left"),
        ("04 00 00000008 FFFFFFFF 01 03", "a PDV states 4294967295 bytes"),
        ("04 00 00000008 00000001 01 03", "a PDV states 1 bytes"),
        ("04 00 00000008 00000002 01 03", "ends with 2 bytes that are no PDV"),
        ("04 00 00000008 00000004 05 03", "context 5, which was not accepted"),
        ("04 00 00000008 00000004 02 03", "context 2, which was not accepted"),
        ("04 00 00000008 00000004 01 04", "message control header 04H"),
        ("01 00 00100001", "states 1048577 bytes"),
        ("02 00 FFFFFFFF", "states 4294967295 bytes"),
        ("01 00 00000000", "states 0 bytes"),
        ("07 00 00000005", "ABORT states 5 bytes instead of 4"),
        ("00 00 00000004", "PDU type 00H is unknown"),
        ("08 00 00000004", "PDU type 08H is unknown"),
    ],
)
def test_lies_are_found_in_the_header(stream: str, words: str):
    data = bytes.fromhex(stream)
    with pytest.raises(RemoteProtocolError, match=words):
        feed(reader(64), [data])
    with pytest.raises(RemoteProtocolError):
        feed(reader(64), [data[i : i + 1] for i in range(len(data))])


def test_a_maximum_length_of_zero_is_no_limit():
    frame_reader = reader(0)
    feed(frame_reader, [bytes.fromhex("04 00 FFFFFFFF FFFFFFFB 01 00")])
    assert frame_reader.inside_pdu()


@pytest.mark.parametrize("received", range(1, 40))
def test_data_refused_midway_are_passed_over_to_the_end_of_their_pdu(received: int):
    stream = PDataTF(
        (
            PresentationDataValue(1, False, False, b"0123456789"),
            PresentationDataValue(1, False, True, b"0123456789"),
        )
    ).encode()
    frame_reader = reader()
    feed(frame_reader, [stream[:received]])
    frame_reader.refuse_data()
    found = feed(frame_reader, [stream[received:], ReleaseRQ().encode()])
    assert found[-1] == (5, bytes(4))
    assert not any(isinstance(item, DataReceived) for item in found)


def test_data_that_nobody_awaits_are_reported_once_and_passed_over():
    stream = PDataTF((PresentationDataValue(1, False, True, bytes(5000)),)).encode()
    frame_reader = FrameReader(LIMIT)
    found = feed(frame_reader, [stream[:100], stream[100:], ReleaseRQ().encode()])
    assert found == [(4, b""), (5, bytes(4))]
