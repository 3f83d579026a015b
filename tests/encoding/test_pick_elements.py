"""Some elements out of the beginning of a data set."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.elements import (
    Elements,
    RawElement,
    decode_elements,
    encode_elements,
    pick_elements,
)
from isocenter.encoding.errors import EncodingError, LimitExceeded
from isocenter.encoding.limits import ScanLimits

LITTLE = EXPLICIT_VR_LITTLE_ENDIAN
syntaxes = st.sampled_from([LITTLE, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN])

plain = st.builds(RawElement, st.just("LO"), st.sampled_from([b"", b"ab", b"abcd" * 9]))
text_tags = st.sampled_from([0x00080070, 0x00081040, 0x0008103E, 0x00181030, 0x00400254])
sequence_tags = st.sampled_from([0x00081110, 0x00081140, 0x00400260, 0x00400275])
data_sets = st.recursive(
    st.dictionaries(text_tags, plain, max_size=5),
    lambda inner: st.builds(
        lambda texts, sequences: {**texts, **sequences},
        st.dictionaries(text_tags, plain, max_size=4),
        st.dictionaries(
            sequence_tags, st.builds(RawElement, st.just("SQ"), st.lists(inner, max_size=2))
        ),
    ),
    max_leaves=8,
)
wanted_tags = st.frozensets(st.one_of(text_tags, sequence_tags), max_size=5)


@given(data_sets, syntaxes, wanted_tags, st.data())
def test_of_any_beginning_what_was_passed_is_picked(
    elements: Elements, syntax: TransferSyntax, wanted: frozenset[int], data: st.DataObject
) -> None:
    encoded = encode_elements(elements, syntax)
    whole = decode_elements(encoded, syntax)
    asked = {tag: element for tag, element in whole.items() if tag in wanted}
    assert pick_elements(encoded, syntax, wanted)[0] == asked
    # Eight bytes are too few to see whether the VR is explicit.
    cut = data.draw(st.integers(min(8, len(encoded)), len(encoded)))
    picked, complete = pick_elements(encoded[:cut], syntax, wanted)
    assert picked.items() <= asked.items()
    if complete:
        assert picked == asked


@given(st.binary(max_size=200), syntaxes, wanted_tags)
def test_junk_is_malformed_at_worst(
    junk: bytes, syntax: TransferSyntax, wanted: frozenset[int]
) -> None:
    with contextlib.suppress(EncodingError):
        pick_elements(junk, syntax, wanted)


def test_nothing_is_read_behind_what_is_wanted() -> None:
    encoded = encode_elements({0x00080070: RawElement("LO", b"ab")}, LITTLE)
    broken = encoded + b"\x09\0\1\0SQ\0\0\xff\xff\xff\xffjunk"
    assert pick_elements(broken, LITTLE, {0x00080070})[1]


def test_pixels_are_never_read() -> None:
    encoded = encode_elements({0x7FE00010: RawElement("OW", bytes(100))}, LITTLE)
    assert pick_elements(encoded, LITTLE, {0x7FE00010, 0xFFFCFFFC}) == ({}, True)


def test_elements_are_counted() -> None:
    elements: Elements = {0x00090010 + n: RawElement("LO", b"") for n in range(100)}
    encoded = encode_elements(elements, LITTLE)
    with pytest.raises(LimitExceeded):
        pick_elements(encoded, LITTLE, {0x00400275}, ScanLimits(max_elements=50))


def test_a_deflated_syntax_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="inflated"):
        pick_elements(b"", DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, {0x00080070})
