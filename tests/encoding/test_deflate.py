"""Deflated data sets: what they hold, and what they must not cost."""

import os
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from isocenter.encoding.deflate import check_inflated_size, inflate_header
from isocenter.encoding.errors import LimitExceeded, MalformedDataSet, TruncatedDataSet
from isocenter.encoding.limits import ScanLimits
from tests.encoding.synthetic import small_data_set

MEBIBYTE = 1 << 20


def deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def bomb(megabytes: int) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    zeros = bytes(MEBIBYTE)
    return b"".join(compressor.compress(zeros) for _ in range(megabytes)) + compressor.flush()


BOMB = bomb(600)


def peak_memory_of(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_data_set_comes_back_whole() -> None:
    data = small_data_set() + os.urandom(300_000)
    assert inflate_header(deflate(data)) == data
    assert check_inflated_size(deflate(data)) == len(data)


def test_the_stream_may_begin_anywhere_in_the_buffer() -> None:
    stream = deflate(small_data_set())
    assert inflate_header(b"meta" + stream, start=4) == small_data_set()
    assert check_inflated_size(b"meta" + stream, start=4) == len(small_data_set())


def test_a_byte_of_padding_after_the_stream_is_tolerated() -> None:
    assert check_inflated_size(deflate(b"abc") + b"\0") == 3


def test_a_header_is_no_longer_than_the_limit() -> None:
    limits = ScanLimits(max_inflated_header=1000)
    assert inflate_header(deflate(b"abcd" * 1000), limits) == b"abcd" * 250


def test_a_header_can_be_read_from_the_beginning_of_a_stream() -> None:
    data = small_data_set() + os.urandom(MEBIBYTE)
    header = inflate_header(deflate(data)[:200_000])
    assert len(header) > 150_000
    assert data.startswith(header)


def test_a_stream_that_is_cut_off_is_truncated() -> None:
    with pytest.raises(TruncatedDataSet):
        check_inflated_size(deflate(os.urandom(100_000))[:-10])


@pytest.mark.parametrize("call", [inflate_header, check_inflated_size])
def test_bytes_that_are_no_stream_are_malformed(call: Callable[[bytes], object]) -> None:
    with pytest.raises(MalformedDataSet):
        call(b"\xff" * 100)


def test_a_bomb_is_found_by_its_ratio_and_costs_no_memory() -> None:
    def check() -> None:
        with pytest.raises(LimitExceeded, match="more than pictures"):
            check_inflated_size(BOMB)

    assert peak_memory_of(check) < 8 * MEBIBYTE


def test_a_bomb_is_found_by_its_size_whatever_its_ratio() -> None:
    with pytest.raises(LimitExceeded, match="more than the limit"):
        check_inflated_size(BOMB, ScanLimits(max_inflated=16 * MEBIBYTE))


def test_a_bombs_header_costs_no_more_than_its_limit() -> None:
    limits = ScanLimits(max_inflated_header=2 * MEBIBYTE)
    assert peak_memory_of(lambda: inflate_header(BOMB, limits)) < 8 * MEBIBYTE


def test_empty_pixels_below_the_threshold_are_no_bomb() -> None:
    assert check_inflated_size(bomb(30)) == 30 * MEBIBYTE
