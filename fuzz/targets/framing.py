"""The cutting of a stream into PDUs and PDVs: where it is cut in arriving makes no difference."""

from collections.abc import Iterator

from fuzz.target import Target, check_error
from fuzz.targets import pdu
from isocenter.upperlayer.errors import RemoteProtocolError
from isocenter.upperlayer.events import DataReceived, Event
from isocenter.upperlayer.framing import FrameReader

_LIMIT = 1024
_CONTEXTS = frozenset({1, 3})


def one_input(data: bytes) -> None:
    if len(data) < 3:
        return
    flags, *steps = data[:3]
    stream = data[3:]
    assert _read(stream, flags, [len(stream)]) == _read(stream, flags, steps)


def _read(stream: bytes, flags: int, steps: list[int]) -> tuple[list[object], str]:
    """What comes out of the reader, fragments joined, and how it ended."""
    reader = FrameReader(_LIMIT)
    reader.set_maximum_length(flags & 0x70)
    if flags & 1:
        reader.accept_data(_CONTEXTS)
    found: list[object] = []
    position = turn = 0
    while position < len(stream):
        step = steps[turn % len(steps)] + 1
        turn += 1
        piece = memoryview(stream)[position : position + step]
        position += step
        try:
            _read_piece(reader, piece, flags, found)
        except RemoteProtocolError as error:
            check_error(error)
            # Of a foreign protocol's first bytes the diagnosis may see six or eight.
            return found, str(error.abort_reason)
    return found, f"inside {reader.inside_pdu()}"


def _read_piece(reader: FrameReader, piece: memoryview, flags: int, found: list[object]) -> None:
    done = 0
    while done < len(piece):
        events: list[Event] = []
        try:
            done = reader.read(piece, done, events)
        finally:
            _join(found, events)
        if reader.whole_pdu is not None:
            assert len(reader.whole_pdu.body) <= _LIMIT
            found.append((reader.whole_pdu.pdu_type, bytes(reader.whole_pdu.body)))
            reader.whole_pdu = None
            if flags & 2:
                reader.refuse_data()
            elif flags & 4:
                reader.accept_data(_CONTEXTS)
        elif done < len(piece):
            raise AssertionError("the reader stopped without a reason")


def _join(found: list[object], events: list[Event]) -> None:
    """PDVs whole: a fragment that is not the last of its PDV is one with what follows."""
    for event in events:
        assert isinstance(event, DataReceived)
        context_id, is_command, is_last, data = event
        if not data:
            found.append((context_id, is_command, is_last))
            continue
        found.extend((context_id, is_command, byte) for byte in data)
        if is_last:
            found.append("last")


def seeds() -> Iterator[bytes]:
    streams = list(pdu.seeds())
    for flags in (0, 1, 2, 4):
        yield bytes((flags, 4, 9)) + b"".join(streams)
        for stream in streams:
            yield bytes((flags, 0, 6)) + stream


TARGET = Target("a byte stream, cut anywhere, to `FrameReader`", one_input, seeds, pdu.WORDS, 1024)
