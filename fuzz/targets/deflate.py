"""Deflate streams (PS3.5 A.5), whole, cut off and forged: no more comes out than may."""

from collections.abc import Iterator

from fuzz.seeds import deflated
from fuzz.target import Target, check_error
from isocenter.encoding.deflate import check_inflated_size, inflate, inflate_header
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from tests.encoding.synthetic import small_data_set

_HEADER, _WHOLE = 8 * 1024, 256 * 1024
_LIMITS = ScanLimits(max_inflated_header=_HEADER, max_inflated=_WHOLE)


def one_input(data: bytes) -> None:
    header = size = None
    try:
        header = inflate_header(data, _LIMITS)
        assert len(header) <= _HEADER
        size = check_inflated_size(data, _LIMITS)
        assert size <= _WHOLE
        whole = inflate(data, _LIMITS)
    except EncodingError as error:
        check_error(error)
        assert size is None
        return
    assert len(whole) == size
    assert whole[:_HEADER] == header


def seeds() -> Iterator[bytes]:
    yield deflated(b"")
    yield deflated(small_data_set())
    yield deflated(bytes(_HEADER * 2))
    yield deflated(bytes(_WHOLE * 2))
    yield deflated(small_data_set())[:-3]


TARGET = Target("bytes to the inflater, within its limits", one_input, seeds, longest=1024)
