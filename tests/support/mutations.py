"""Hypothesis strategies for bytes that were valid once, until a bad link or bad people came."""

from hypothesis import strategies as st

_LIES = [0, 1, 2, 3, 4, 6, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF]


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[bytes], most: int = 4) -> bytes:
    """`valid` bytes after up to `most` accidents: flipped bits, lost or doubled parts, lies."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, most))):
        _ACCIDENTS[draw(st.integers(0, len(_ACCIDENTS) - 1))](draw, data)
    return bytes(data)


@st.composite
def spliced(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """The beginning of one `valid` thing and the end of another."""
    first, second = draw(valid), draw(valid)
    return first[: draw(_places(first))] + second[draw(_places(second)) :]


def hostile(valid: st.SearchStrategy[bytes], longest: int = 300) -> st.SearchStrategy[bytes]:
    """Random bytes, and mutations of `valid` ones."""
    return st.one_of(st.binary(max_size=longest), mutated(valid), spliced(valid))


def _places(data: bytes | bytearray) -> st.SearchStrategy[int]:
    return st.integers(0, len(data))


def _flip(draw: st.DrawFn, data: bytearray) -> None:
    if data:
        data[draw(st.integers(0, len(data) - 1))] ^= 1 << draw(st.integers(0, 7))


def _cut_off(draw: st.DrawFn, data: bytearray) -> None:
    del data[draw(_places(data)) :]


def _lose(draw: st.DrawFn, data: bytearray) -> None:
    start = draw(_places(data))
    del data[start : start + draw(st.integers(1, 12))]


def _repeat(draw: st.DrawFn, data: bytearray) -> None:
    start = draw(_places(data))
    part = data[start : start + draw(st.integers(1, 40))]
    data[start:start] = part * draw(st.integers(1, 3))


def _insert(draw: st.DrawFn, data: bytearray) -> None:
    start = draw(_places(data))
    data[start:start] = draw(st.binary(min_size=1, max_size=12))


def _lie(draw: st.DrawFn, data: bytearray) -> None:
    """Another number where two or four bytes may be a length, in either byte order."""
    start, size = draw(_places(data)), draw(st.sampled_from([1, 2, 4]))
    number = draw(st.sampled_from(_LIES)) & ((1 << 8 * size) - 1)
    data[start : start + size] = number.to_bytes(size, draw(st.sampled_from(["big", "little"])))


_ACCIDENTS = (_flip, _cut_off, _lose, _repeat, _insert, _lie)
