"""A process that converts one data set after the other, told to by `server.transcoder`.

It is where other people's codecs meet bytes from strangers, so it may run out of memory, hang or
die without anybody else being hurt. It knows no archive and no network: of each data set it is
handed a descriptor to read from and one to write to. It ends when its socket does.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from mmap import ACCESS_READ, ALLOCATIONGRANULARITY, mmap
from struct import Struct
from typing import Protocol

from isocenter.encoding.errors import TruncatedDataSet
from isocenter.encoding.forms import Buffer
from isocenter.encoding.transcoding import Conversion
from isocenter.errors import IsocenterError

REQUEST = Struct("!QQQ64s64s")
"""Offset and length of the data set, the largest result, both transfer syntaxes."""

RESPONSE = Struct("!?Q240s")
"""Whether it was converted, the length of the result, else why not."""

READY = b"+"
"""Comes before the first response."""

NICENESS = 10
_GRACE = 2  # seconds

_GATHERED_BELOW = 1 << 20
"""Bytes; larger parts are written as they are."""


class Result(Protocol):
    """What comes of a data set: parts, and their length together."""

    length: int

    def __iter__(self) -> Iterator[Buffer]: ...


Convert = Callable[[memoryview, str, str, int], Result]


def main(convert: Convert = Conversion) -> None:
    """Serve the socket whose descriptor is the first argument.

    The second is a limit in bytes, the third one in seconds for each data set.
    """
    descriptor, memory_limit, time_limit = map(int, sys.argv[1:4])
    for number in (signal.SIGINT, signal.SIGTERM):  # a terminal's Ctrl-C is not meant for us
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    # Files that are mapped do not count as data.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_limit, memory_limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=descriptor) as connection:
        connection.sendall(READY)
        _serve(connection, convert, time_limit)


def _serve(connection: socket.socket, convert: Convert, time_limit: int) -> None:
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, REQUEST.size, 2)
        if len(message) < REQUEST.size or len(descriptors) < 2:
            return
        # Whoever told us to ends us in time. But it may have been killed itself, and a decoder that
        # hangs would never notice.
        signal.alarm(time_limit + _GRACE)
        try:
            length, why = _run(convert, message, *descriptors), ""
        except MemoryError:
            length, why = 0, "Needs more than [transcoding] memory_limit"
        except IsocenterError as error:
            length, why = 0, str(error)
        except OSError as error:
            length, why = 0, error.strerror or "input or output failed"
        except Exception as error:  # ours, or a decoder's: the next data set may fare better
            length, why = 0, f"Failed on an error of ours ({type(error).__name__})"
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        signal.alarm(0)
        connection.sendall(RESPONSE.pack(not why, length, why.encode()[:240]))


def _run(convert: Convert, message: bytes, source: int, target: int) -> int:
    offset, length, maximum, source_uid, target_uid = REQUEST.unpack(message)
    before = offset % ALLOCATIONGRANULARITY
    if os.fstat(source).st_size < offset + length:
        raise TruncatedDataSet("The file ends inside the data set")
    pages = mmap(source, before + length, access=ACCESS_READ, offset=offset - before)
    data_set = memoryview(pages)[before:]
    conversion = convert(data_set, _text(source_uid), _text(target_uid), maximum)
    pending = bytearray()
    for part in conversion:
        if len(part) < _GATHERED_BELOW:
            pending += part
        if len(pending) >= _GATHERED_BELOW or len(part) >= _GATHERED_BELOW:
            _write(target, pending)
            pending = bytearray()
        if len(part) >= _GATHERED_BELOW:
            _write(target, part)
    _write(target, pending)
    return conversion.length


def _text(uid: bytes) -> str:
    return uid.rstrip(b"\0").decode("ascii")


def _write(target: int, data: Buffer) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


if __name__ == "__main__":
    main()
