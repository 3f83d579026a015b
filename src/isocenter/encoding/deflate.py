"""Deflated data sets, PS3.5 A.5: one RFC 1951 stream, inflated piece by piece and never whole.

Seventy bytes of stream can become a million, so no function holds more than one piece of
output besides what it is asked to return.
"""

import zlib
from collections.abc import Iterator

from isocenter.encoding.errors import LimitExceeded, MalformedDataSet, TruncatedDataSet
from isocenter.encoding.forms import Buffer
from isocenter.encoding.limits import DEFAULT_LIMITS, MEBIBYTE, ScanLimits

_INPUT_PIECE = 64 * 1024
_OUTPUT_PIECE = MEBIBYTE

RATIO_ASKED_BEYOND = 32 * MEBIBYTE
"""A few megabytes of empty pixels deflate a thousandfold and harm nobody."""


def inflate_header(buffer: Buffer, limits: ScanLimits = DEFAULT_LIMITS, *, start: int = 0) -> bytes:
    """The first `limits.max_inflated_header` bytes of the data set, or all if there are fewer.

    The stream begins at `buffer[start]`, and may go on beyond the buffer.

    Raises:
        MalformedDataSet: the bytes are no deflate stream.
    """
    wanted = limits.max_inflated_header
    pieces = []
    for piece, _ in _inflate(buffer, start, whole=False):
        pieces.append(piece[:wanted])
        wanted -= len(pieces[-1])
        if wanted <= 0:
            break
    return b"".join(pieces)


def inflate(buffer: Buffer, limits: ScanLimits = DEFAULT_LIMITS) -> bytearray:
    """The whole data set. Raises like `check_inflated_size`."""
    inflated = bytearray()
    for piece in _inflate_all(buffer, 0, limits):
        inflated += piece
    return inflated


def check_inflated_size(
    buffer: Buffer, limits: ScanLimits = DEFAULT_LIMITS, *, start: int = 0
) -> int:
    """How many bytes the whole stream that begins at `buffer[start]` inflates to.

    Raises:
        LimitExceeded: more than `max_inflated`, or a ratio that only a bomb has.
        TruncatedDataSet: the stream does not end within the buffer.
        MalformedDataSet: the bytes are no deflate stream.
    """
    return sum(map(len, _inflate_all(buffer, start, limits)))


def _inflate_all(buffer: Buffer, start: int, limits: ScanLimits) -> Iterator[bytes]:
    """The pieces of the whole output, within the limits."""
    total = 0
    for piece, consumed in _inflate(buffer, start, whole=True):
        total += len(piece)
        if total > limits.max_inflated:
            raise LimitExceeded("The data set inflates to more than the limit allows")
        if total > RATIO_ASKED_BEYOND and total > limits.max_inflate_ratio * consumed:
            raise LimitExceeded("The data set is deflated more than pictures ever are")
        yield piece


def _inflate(buffer: Buffer, start: int, *, whole: bool) -> Iterator[tuple[bytes, int]]:
    """Pieces of output, each with the count of input bytes consumed so far."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    consumed = 0
    try:
        for position in range(start, len(buffer), _INPUT_PIECE):
            pending = bytes(buffer[position : position + _INPUT_PIECE])
            while not inflater.eof:
                piece = inflater.decompress(pending, _OUTPUT_PIECE)
                consumed += len(pending) - len(inflater.unconsumed_tail)
                pending = inflater.unconsumed_tail
                if not piece and not pending:
                    break
                yield piece, consumed
            if inflater.eof:
                return
    except zlib.error as error:
        raise MalformedDataSet("The data set is not a deflate stream", start + consumed) from error
    if whole:
        raise TruncatedDataSet("The deflated data set is cut off", start + consumed)
