"""Data sets from one encoding to another: every value stays, every length is right again."""

import zlib
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from isocenter.dictionary.elements import implicit_vr
from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.encoding.errors import (
    EncodingError,
    LimitExceeded,
    MalformedDataSet,
    TruncatedDataSet,
)
from isocenter.encoding.forms import Form, form_of
from isocenter.encoding.limits import DEFAULT_LIMITS, ScanLimits
from isocenter.encoding.part10 import locate_dataset
from isocenter.encoding.rewriting import Rewriter
from isocenter.encoding.transcoding import TARGETS, NotConvertible, can_convert
from tests.encoding.images import JPEG_LS, MPEG, Image, convert
from tests.encoding.synthetic import element, item, nested, small_data_set, undefined_sequence
from tests.support.corpus import bundled, data_set_of

EXPLICIT, IMPLICIT = TARGETS
BIG_ENDIAN = EXPLICIT_VR_BIG_ENDIAN.uid
DEFLATED = DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.uid
FORMS = [
    form_of(EXPLICIT_VR_LITTLE_ENDIAN),
    form_of(IMPLICIT_VR_LITTLE_ENDIAN),
    form_of(EXPLICIT_VR_BIG_ENDIAN),
]


def rewritten(
    data_set: bytes, source: Form, target: Form, limits: ScanLimits = DEFAULT_LIMITS
) -> bytes:
    """The data set in another form, also in those that nobody is ever sent."""
    rewriter = Rewriter(data_set, source, target, None, limits, 1 << 20)
    rewriter.run()
    parts = [
        data_set[part.start : part.stop] if isinstance(part, range) else bytes(part)
        for part in rewriter.parts
    ]
    result = b"".join(parts)
    assert len(result) == rewriter.length
    return result


# Elements whose VR the dictionary knows, so that implicit VR loses nothing. Pixel Representation
# is left out: where it says "signed", other elements change their VR.
TAGS = (
    0x00080008, 0x00080018, 0x00081140, 0x00100010, 0x00189087, 0x00280010, 0x00281201, 0x0040A730,
    0x00080061, 0x0008010D, 0x00189073, 0x00200062, 0x00280009, 0x0040A730, 0x00660016, 0x7FE00010,
    0x00091001, 0x00090010,
)  # fmt: skip
WIDTHS = {"AT": 4, "OW": 2, "US": 2, "OF": 4, "UL": 4, "FL": 4, "FD": 8}


def values(tag: int) -> st.SearchStrategy[bytes]:
    width = WIDTHS.get(implicit_vr(tag), 2)
    return st.binary(max_size=40).map(lambda value: value[: len(value) // width * width])


def data_sets() -> st.SearchStrategy[Elements]:
    plain = [tag for tag in TAGS if implicit_vr(tag) != "SQ"]
    sequences = [tag for tag in TAGS if implicit_vr(tag) == "SQ"]
    flat = st.fixed_dictionaries({}, optional={tag: values(tag) for tag in plain}).map(
        lambda found: {tag: RawElement(implicit_vr(tag), value) for tag, value in found.items()}
    )

    def deeper(inner: st.SearchStrategy[Elements]) -> st.SearchStrategy[Elements]:
        items = st.dictionaries(st.sampled_from(sequences), st.lists(inner, max_size=3), max_size=2)
        return st.builds(
            lambda around, found: (
                around | {tag: RawElement("SQ", value) for tag, value in found.items()}
            ),
            flat,
            items,
        )

    return st.recursive(flat, deeper, max_leaves=8)


@given(data_sets(), st.permutations(FORMS))
def test_a_data_set_survives_every_way_round(elements: Elements, ways: list[Form]):
    original = encode_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)
    data_set = original
    for source, target in pairwise([FORMS[0], *ways, FORMS[0]]):
        data_set = rewritten(data_set, source, target)
    assert data_set == original


@given(data_sets())
def test_what_is_rewritten_is_what_would_have_been_encoded(elements: Elements):
    explicit = encode_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)
    implicit = encode_elements(elements, IMPLICIT_VR_LITTLE_ENDIAN)
    assert convert(explicit, EXPLICIT, IMPLICIT) == implicit
    assert decode_elements(convert(implicit, IMPLICIT, EXPLICIT), EXPLICIT_VR_LITTLE_ENDIAN) == (
        decode_elements(explicit, EXPLICIT_VR_LITTLE_ENDIAN)
    )


SYNTAXES = [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, JPEG_LS]


@given(st.binary(max_size=200), st.sampled_from(SYNTAXES), st.sampled_from(TARGETS))
def test_random_bytes_are_refused_or_converted(data_set: bytes, source: str, target: str):
    with suppress(EncodingError):
        convert(data_set, source, target)


@given(
    st.integers(0, 590), st.integers(0, 255), st.sampled_from(SYNTAXES), st.sampled_from(TARGETS)
)
def test_a_changed_byte_is_refused_or_converted(at: int, value: int, source: str, target: str):
    data_set = bytearray(
        small_data_set(implicit=source == IMPLICIT, big=source == BIG_ENDIAN)
        + Image(rows=1, columns=2).compressed(b"\0\1\2\3")
    )
    data_set[at % len(data_set)] = value
    with suppress(EncodingError):
        convert(bytes(data_set), source, target)


@given(st.integers(0, 700))
def test_a_cut_off_data_set_is_refused_or_ends_between_elements(length: int):
    whole = data_set_of(bundled("rtplan.dcm"))
    try:
        converted = convert(whole[:length], IMPLICIT, EXPLICIT)
    except EncodingError:
        return
    assert convert(converted, EXPLICIT, IMPLICIT) == whole[:length]


@pytest.mark.parametrize("name", ["rtplan.dcm", "test-SR.dcm"])
def test_real_data_sets_come_back_from_the_other_vr_form(name: str):
    part10 = bundled(name).read_bytes()
    meta, offset = locate_dataset(part10)
    (other,) = set(TARGETS) - {meta.transfer_syntax_uid}
    there = convert(part10[offset:], meta.transfer_syntax_uid, other)
    back = convert(there, other, meta.transfer_syntax_uid)
    assert dcmread(BytesIO(part10[:offset] + back)) == dcmread(bundled(name))


def test_big_endian_becomes_what_it_was_made_from():
    converted = convert(data_set_of(bundled("MR_small_bigendian.dcm")), BIG_ENDIAN)
    assert element(0x7FE00010, "OW", dcmread(bundled("MR_small.dcm")).PixelData) in converted


def test_a_deflated_data_set_is_inflated():
    image = Image(rows=20, columns=20)
    plain = image.plain(bytes(800))
    deflated = zlib.compress(plain, wbits=-15)
    assert convert(deflated, DEFLATED) == plain
    assert convert(deflated, DEFLATED, IMPLICIT) == convert(plain, EXPLICIT, IMPLICIT)


def test_a_deflate_bomb_is_refused():
    bomb = zlib.compress(bytes(64 << 20), wbits=-15)
    with pytest.raises(LimitExceeded):
        convert(bomb, DEFLATED)
    with pytest.raises(LimitExceeded):
        convert(zlib.compress(bytes(4096), wbits=-15), DEFLATED, maximum=1024)


# Single elements, from one form to the other


@pytest.mark.parametrize(
    ("implicit", "explicit"),
    [
        pytest.param(
            element(0x00091001, "", b"whatever", implicit=True),
            element(0x00091001, "UN", b"whatever"),
            id="private",
        ),
        pytest.param(
            element(0x00090010, "", b"ACME", implicit=True),
            element(0x00090010, "LO", b"ACME"),
            id="private creator",
        ),
        pytest.param(
            element(0x00104000, "", b"x" * 70000, implicit=True),
            element(0x00104000, "UN", b"x" * 70000),
            id="too long for its VR",
        ),
        pytest.param(
            element(0x00280106, "", b"\1\0", implicit=True),
            element(0x00280106, "US", b"\1\0"),
            id="US or SS, unsigned",
        ),
        pytest.param(
            element(0x00189810, "", b"\1\0", implicit=True)
            + element(0x00280103, "", b"\1\0", implicit=True),
            element(0x00189810, "SS", b"\1\0") + element(0x00280103, "US", b"\1\0"),
            id="US or SS, signed, decided later",
        ),
        pytest.param(
            element(0x54001004, "", b"\x08\0", implicit=True)
            + element(0x54001010, "", b"\1\2", implicit=True),
            element(0x54001004, "US", b"\x08\0") + element(0x54001010, "OB", b"\1\2"),
            id="a waveform of bytes",
        ),
        pytest.param(
            undefined_sequence(
                0x00091001, [item(element(0x00100020, "", b"4711", implicit=True))], implicit=True
            ),
            undefined_sequence(0x00091001, [item(element(0x00100020, "LO", b"4711"))]),
            id="a private sequence",
        ),
    ],
)
def test_implicit_vr_becomes_explicit(implicit: bytes, explicit: bytes):
    assert convert(implicit, IMPLICIT, EXPLICIT) == explicit


def test_unknown_values_without_a_length_stay_implicit_inside():
    inside = [item(element(0x00100020, "", b"4711", implicit=True))]
    unknown = undefined_sequence(0x00091001, inside, vr="UN")
    assert convert(unknown, EXPLICIT, EXPLICIT) == unknown
    implicit = undefined_sequence(0x00091001, inside, implicit=True)
    assert convert(unknown, EXPLICIT, IMPLICIT) == implicit


@pytest.mark.parametrize("big", [False, True])
def test_unknown_values_in_big_endian_tell_their_own_order(big: bool):
    inside = element(0x00100020, "", b"4711", implicit=True, big=big)
    head = element(0x00091001, "UN", b"", length=0xFFFFFFFF, big=True)
    end = element(0xFFFEE0DD, "", implicit=True, big=big)
    expected = undefined_sequence(
        0x00091001, [item(element(0x00100020, "", b"4711", implicit=True))], vr="UN"
    )
    assert convert(head + item(inside, big=big) + end, BIG_ENDIAN) == expected


def test_group_lengths_are_left_out():
    rest = element(0x00080018, "UI", b"1.2\0")
    assert convert(element(0x00080000, "UL", pack("<I", 12)) + rest, EXPLICIT, EXPLICIT) == rest


def test_zeros_behind_the_data_set_are_left_out():
    data_set = element(0x00080018, "UI", b"1.2\0")
    for count in (1, 7, 8, 100):
        assert convert(data_set + bytes(count), EXPLICIT, EXPLICIT) == data_set


def test_a_body_of_the_other_vr_form_is_read_as_what_it_is():
    data_set = element(0x00080018, "UI", b"1.2\0")
    implicit = element(0x00080018, "", b"1.2\0", implicit=True)
    assert convert(implicit, EXPLICIT, EXPLICIT) == data_set
    assert convert(data_set, IMPLICIT, EXPLICIT) == data_set


def test_lengths_of_what_lies_around_are_made_anew():
    inner = element(0x00081140, "SQ", item(element(0x00080018, "UI", b"1.2\0")))
    outer = element(0x00081115, "SQ", item(inner) + item(b""))
    short = element(0x00080018, "", b"1.2\0", implicit=True)
    expected = element(
        0x00081115,
        "",
        item(element(0x00081140, "", item(short), implicit=True)) + item(b""),
        implicit=True,
    )
    assert convert(outer, EXPLICIT, IMPLICIT) == expected


# What must fail


@pytest.mark.parametrize(
    ("data_set", "error"),
    [
        (element(0x00081140, "SQ", b"12345678"), MalformedDataSet),
        (element(0x00081140, "SQ", item(element(0x00080018, "UI", b"1.2", length=90))), None),
        (element(0x00081140, "SQ", b"\xfe\xff\0\xe0\xff\0\0\0"), TruncatedDataSet),
        (element(0x00081140, "OB", b"", length=0xFFFFFFFF), MalformedDataSet),
        (item(b""), MalformedDataSet),
        (bytes(1000) + b"x", None),
        (element(0x00080018, "UI", b"1.2", length=90), TruncatedDataSet),
        (nested(70), LimitExceeded),
    ],
)
def test_what_cannot_be_is_refused(data_set: bytes, error: type[EncodingError] | None):
    with pytest.raises(error or EncodingError):
        convert(data_set, EXPLICIT, IMPLICIT)


def test_values_of_half_numbers_are_refused_where_they_must_be_swapped():
    with pytest.raises(MalformedDataSet, match="VR US"):
        convert(element(0x00280010, "US", b"\0\1\2", big=True), BIG_ENDIAN)


def test_more_elements_than_the_limit_are_refused():
    limits = replace(DEFAULT_LIMITS, max_elements=10)
    with pytest.raises(LimitExceeded, match="more elements"):
        rewritten(element(0x00080018, "UI", b"1.2\0") * 11, FORMS[0], FORMS[1], limits)


def test_a_data_set_that_grows_beyond_the_maximum_is_refused():
    data_set = element(0x00091001, "", b"", implicit=True) * 1000
    with pytest.raises(LimitExceeded, match="larger than what may be converted"):
        convert(data_set, IMPLICIT, EXPLICIT, maximum=9000)


@pytest.mark.parametrize(
    ("source", "target"),
    [(MPEG, EXPLICIT), ("1.2.3", EXPLICIT), (EXPLICIT, JPEG_LS), (JPEG_LS, BIG_ENDIAN)],
)
def test_there_are_ways_that_do_not_exist(source: str, target: str):
    assert not can_convert(source, target)
    with pytest.raises(NotConvertible):
        convert(b"", source, target)


def test_what_is_large_is_not_copied():
    data_set = element(0x00420011, "OB", bytes(100_000)) + element(0x7FE00010, "OW", bytes(50_000))
    rewriter = Rewriter(data_set, FORMS[0], FORMS[1], None, DEFAULT_LIMITS, 1 << 20)
    rewriter.run()
    places = [part for part in rewriter.parts if isinstance(part, range)]
    assert list(map(len, places)) == [100_000, 50_000]


@pytest.mark.parametrize("target", TARGETS)
def test_values_of_odd_length_become_even(target: str):
    """PS3.5 7.1.1 wants it of every value, yet some senders do not."""
    odd = [
        pack("<HH2sH", 0x0008, 0x0018, b"UI", 5) + b"1.2.3",
        pack("<HH2sH", 0x0010, 0x0010, b"PN", 3) + b"Doe",
        pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, 4097) + b"x" * 4097,
    ]
    within = b"".join(odd)
    data_set = within + pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, len(within) + 8)
    data_set += pack("<HHI", 0xFFFE, 0xE000, len(within)) + within
    syntax = {EXPLICIT: EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT: IMPLICIT_VR_LITTLE_ENDIAN}[target]
    converted = rewritten(data_set, form_of(EXPLICIT_VR_LITTLE_ENDIAN), form_of(syntax))
    elements = decode_elements(converted, syntax)
    (inside,) = elements.pop(0x00400275).value
    for found in (elements, inside):
        assert isinstance(found, dict)
        assert {tag: value for tag, (_, value) in found.items()} == {
            0x00080018: b"1.2.3\0",
            0x00100010: b"Doe ",
            0x00091001: b"x" * 4097 + b"\0",
        }
