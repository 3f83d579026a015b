"""Bytes that nobody vouches for: whatever comes in, only an EncodingError comes out."""

import zlib
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.deflate import check_inflated_size, inflate_header
from isocenter.encoding.elements import decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import FileMeta, encode_file_meta, locate_dataset, read_file_meta
from isocenter.encoding.scanner import scan
from tests.encoding.synthetic import (
    LONG_VRS,
    UNDEFINED,
    WANTED,
    bundled_file,
    element,
    item,
    nested,
    small_data_set,
    undefined_sequence,
)

# A busy machine must not fail a test.
PATIENT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SYNTAXES = [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]
BODIES = {
    syntax: small_data_set(implicit=syntax.implicit_vr, big=not syntax.little_endian)
    for syntax in SYNTAXES
}
META = encode_file_meta(FileMeta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1"))


@st.composite
def mutations(draw: st.DrawFn, good: bytes) -> bytes:
    """`good` with a few bytes changed, pieces cut out, doubled or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 16)))
        filler = draw(
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from(
                    [
                        b"\xff\xff\xff\xff",
                        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
                        b"\xfe\xff\x0d\xe0\0\0\0\0",
                        b"\xfe\xff\xdd\xe0\0\0\0\0",
                        b"UN\0\0\xff\xff\xff\xff",
                        b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff",
                    ]
                ),
                st.just(bytes(data[start:stop]) * 2),
            )
        )
        data[start:stop] = filler
    return bytes(data)


@st.composite
def hostile(draw: st.DrawFn) -> tuple[TransferSyntax, bytes]:
    syntax = draw(st.sampled_from(SYNTAXES))
    strategy = st.one_of(
        st.binary(max_size=300), mutations(BODIES[draw(st.sampled_from(SYNTAXES))])
    )
    return syntax, draw(strategy)


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> bytes:
    """Explicit VR elements, well or badly nested, some with lengths that lie."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        tag = draw(st.sampled_from([*WANTED, 0x00091001, 0x7FE00010, 0xFFFEE000, 0xFFFEE00D]))
        vr = draw(st.sampled_from(["SH", "PN", "UI", "OB", "UN", "SQ", "ZZ", "\0\0", "aa"]))
        if depth and draw(st.booleans()):
            items = draw(st.lists(trees(depth - 1), max_size=3))
            undefined = draw(st.booleans())
            parts.append(
                undefined_sequence(tag, [item(i, undefined=undefined) for i in items], vr=vr)
                if vr in LONG_VRS
                else b"".join(item(i) for i in items)
            )
        else:
            value = draw(st.binary(max_size=9))
            lies = st.sampled_from([0, 1, 0xFFFE, 0xFFFF])
            length = draw(st.one_of(st.none(), lies))
            if vr in ("OB", "UN", "SQ") and draw(st.booleans()):
                length = draw(st.sampled_from([UNDEFINED, UNDEFINED - 1, 1 << 31]))
            parts.append(element(tag, vr, value, length=length))
    return b"".join(parts)


def refuses_or_returns(call: Callable[[], object]) -> object | None:
    try:
        return call()
    except EncodingError:
        return None


@PATIENT
@given(hostile())
def test_a_scan_raises_nothing_but_encoding_errors(case: tuple[TransferSyntax, bytes]) -> None:
    syntax, data = case
    for final in (True, False):
        refuses_or_returns(lambda final=final: scan(data, syntax, WANTED, final=final))


@PATIENT
@given(trees())
def test_a_scan_of_any_tree_stays_inside_the_buffer(data: bytes) -> None:
    for syntax in SYNTAXES:
        found = refuses_or_returns(lambda syntax=syntax: scan(data, syntax, WANTED, final=False))
        if found is not None:
            assert 0 <= found.position <= len(data)  # type: ignore[attr-defined]
            assert found.complete == (found.position == len(data))  # type: ignore[attr-defined]


@PATIENT
@given(st.one_of(hostile(), trees().map(lambda tree: (EXPLICIT_VR_LITTLE_ENDIAN, tree))), st.data())
def test_a_scan_in_two_parts_is_a_scan_in_one(
    case: tuple[TransferSyntax, bytes], choice: st.DataObject
) -> None:
    syntax, data = case
    cut = choice.draw(st.integers(min(8, len(data)), len(data)))
    whole = refuses_or_returns(lambda: scan(data, syntax, WANTED))
    try:
        first = scan(data[:cut], syntax, WANTED, final=False)
        rest = scan(data, first.syntax, WANTED, start=first.position, detect=False)
    except EncodingError:
        assert whole is None
        return
    assert whole is not None
    assert first.values | rest.values == whole.values  # type: ignore[attr-defined]
    assert rest.position == whole.position  # type: ignore[attr-defined]


@PATIENT
@given(hostile())
def test_decoding_raises_nothing_but_encoding_errors(case: tuple[TransferSyntax, bytes]) -> None:
    syntax, data = case
    refuses_or_returns(lambda: decode_elements(data, syntax))


@PATIENT
@given(trees())
def test_what_was_decoded_can_be_encoded_and_decoded_again(data: bytes) -> None:
    elements = refuses_or_returns(lambda: decode_elements(data, EXPLICIT_VR_LITTLE_ENDIAN))
    if elements is None:
        return
    encoded = refuses_or_returns(
        lambda: encode_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)  # type: ignore[arg-type]
    )
    if encoded:
        again = decode_elements(encoded, EXPLICIT_VR_LITTLE_ENDIAN)  # type: ignore[arg-type]
        assert encode_elements(again, EXPLICIT_VR_LITTLE_ENDIAN) == encoded


@pytest.mark.parametrize("depth", [10_000, 100_000])
@pytest.mark.parametrize("syntax", SYNTAXES[:2], ids=lambda syntax: syntax.name)
def test_decoding_without_end_meets_the_limit(depth: int, syntax: TransferSyntax) -> None:
    data = nested(depth, implicit=syntax.implicit_vr)
    with pytest.raises(EncodingError, match="deeper"):
        decode_elements(data, syntax)


@PATIENT
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=60).map(lambda tail: META[:132] + tail),
        mutations(META + BODIES[EXPLICIT_VR_LITTLE_ENDIAN]),
        mutations(BODIES[IMPLICIT_VR_LITTLE_ENDIAN]),
    )
)
def test_a_file_raises_nothing_but_encoding_errors(data: bytes) -> None:
    for read in (read_file_meta, locate_dataset):
        found = refuses_or_returns(lambda read=read: read(data))
        if found is not None:
            assert 0 <= found[1] <= len(data)  # type: ignore[index]


@PATIENT
@given(
    st.one_of(
        st.binary(max_size=300),
        mutations(zlib.compress(BODIES[EXPLICIT_VR_LITTLE_ENDIAN])[2:-4]),
    )
)
def test_inflating_raises_nothing_but_encoding_errors(data: bytes) -> None:
    for inflate in (inflate_header, check_inflated_size):
        refuses_or_returns(lambda inflate=inflate: inflate(data))


@pytest.mark.parametrize("name", ["CT_small.dcm", "rtplan.dcm", "reportsi.dcm"])
def test_the_head_of_a_real_file_cut_anywhere_raises_nothing_else(name: str) -> None:
    file = bundled_file(name)
    _, offset = read_file_meta(file)
    for cut in range(0, min(len(file), offset + 2500), 3):
        refuses_or_returns(lambda cut=cut: locate_dataset(file[:cut]))
        for syntax in SYNTAXES:
            refuses_or_returns(
                lambda cut=cut, syntax=syntax: scan(
                    file[:cut], syntax, WANTED, start=min(cut, offset)
                )
            )
