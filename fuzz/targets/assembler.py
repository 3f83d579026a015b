"""Fragments to messages (PS3.7 6.3.1): in any order and on any context, nothing but DIMSE errors.

An input is a row of fragments, each behind a byte of flags and one that says how long it is.
"""

from collections.abc import Iterator

from fuzz.target import Target, check_error
from fuzz.targets import command_set
from isocenter.dimse.assembler import CommandReceived, MessageAssembler
from isocenter.dimse.errors import DimseError, DimseProtocolError
from isocenter.upperlayer.events import DataReceived

_COMMAND, _LAST = 1, 2


def one_input(data: bytes) -> None:
    assembler = MessageAssembler()
    position = passed = 0
    while position + 2 <= len(data):
        flags, length = data[position], data[position + 1] << (data[position] >> 4 & 3)
        fragment = memoryview(data)[position + 2 : position + 2 + length]
        position += 2 + length
        context_id = 1 + 2 * (flags >> 2 & 1)
        received = DataReceived(context_id, bool(flags & _COMMAND), bool(flags & _LAST), fragment)
        try:
            events = assembler.feed(received)
        except DimseProtocolError as error:
            check_error(error)
            return
        except DimseError as error:
            check_error(error)
            assert error.response is not None
            assert assembler.idle != error.data_set_follows
            continue
        for event in events:
            assert event.context_id == context_id
            if isinstance(event, CommandReceived):
                assert assembler.idle != event.message.has_data_set
            else:
                assert assembler.idle == event.is_last
                passed += len(event.data)
    assert passed <= len(data)


def seeds() -> Iterator[bytes]:
    for message in command_set.messages():
        encoded = message.encode()
        cut = len(encoded) // 2
        data_set = _fragment(_LAST, b"data set") if message.has_data_set else b""
        yield _fragment(_COMMAND | _LAST, encoded) + data_set
        yield (
            _fragment(_COMMAND, encoded[:cut])
            + _fragment(_COMMAND | _LAST, encoded[cut:])
            + _fragment(0, b"first")
            + data_set
        )


def _fragment(flags: int, content: bytes) -> bytes:
    shift = 1 if len(content) > 255 else 0
    length = -(-len(content) >> shift)
    return bytes((flags | shift << 4, length)) + content.ljust(length << shift, b"\0")


TARGET = Target(
    "fragments in any order to `MessageAssembler`",
    one_input,
    seeds,
    command_set.WORDS,
    1024,
    share=4,
)
