"""The neutral form of data sets, and the way back out of it."""

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)
from isocenter.encoding.elements import Elements, RawElement, decode_elements, encode_elements
from isocenter.encoding.recoding import neutral_elements, neutral_text, recoded_elements

CHARACTER_SET, NAME, ROWS, SEQUENCE = 0x00080005, 0x00100010, 0x00280010, 0x00400275
BIG, LITTLE, IMPLICIT = (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
)


def name(text: str) -> RawElement:
    return RawElement("PN", text.encode())


def test_text_becomes_utf_8_and_its_character_set_is_forgotten():
    latin: Elements = {
        CHARACTER_SET: RawElement("CS", b"ISO_IR 100"),
        NAME: RawElement("PN", "Ä^B ".encode("latin-1")),
    }
    assert neutral_elements(latin, LITTLE) == {NAME: name("Ä^B")}


def test_an_item_inherits_the_character_set_unless_it_has_its_own():
    greek = {
        CHARACTER_SET: RawElement("CS", b"ISO_IR 126"),
        NAME: RawElement("PN", "Διονυσιος".encode("iso8859_7")),
    }
    latin = {NAME: RawElement("PN", "Ä".encode("latin-1"))}
    elements: Elements = {
        CHARACTER_SET: RawElement("CS", b"ISO_IR 100"),
        SEQUENCE: RawElement("SQ", [greek, latin]),
    }
    items = neutral_elements(elements, LITTLE)[SEQUENCE].value
    assert items == [{NAME: name("Διονυσιος")}, {NAME: name("Ä")}]


def test_group_lengths_are_left_out():
    assert neutral_elements({0x00080000: RawElement("UL", bytes(4))}, LITTLE) == {}


def test_a_vr_that_does_not_exist_becomes_unknown():
    assert neutral_elements({NAME: RawElement("ZZ", b"A")}, LITTLE) == {
        NAME: RawElement("UN", b"A")
    }


def test_numbers_become_little_endian_and_big_endian_again():
    big: Elements = {ROWS: RawElement("US", b"\2\0")}
    neutral = neutral_elements(big, BIG)
    assert neutral_text(neutral[ROWS]) == "512"
    assert recoded_elements(neutral, BIG, None) == big


def test_a_response_has_the_requested_character_set_if_that_carries_everything():
    answer = recoded_elements({NAME: name("Ä")}, LITTLE, "ISO_IR 100")
    assert answer[CHARACTER_SET].value == b"ISO_IR 100"
    assert answer[NAME].value == b"\xc4"


def test_a_response_is_utf_8_if_the_requested_character_set_cannot_carry_it():
    inside: Elements = {SEQUENCE: RawElement("SQ", [{NAME: name("山田")}])}
    answer = recoded_elements(inside, LITTLE, "ISO_IR 100")
    assert answer[CHARACTER_SET].value == b"ISO_IR 192"
    assert answer[SEQUENCE] == inside[SEQUENCE]


def test_a_response_in_ascii_names_no_character_set():
    assert CHARACTER_SET not in recoded_elements({NAME: name("A")}, LITTLE, "ISO_IR 100")


values = st.one_of(
    st.builds(RawElement, st.just("PN"), st.text("aÄ^=山 ", max_size=9).map(
        lambda text: text.rstrip(" ").encode())),
    st.builds(RawElement, st.just("US"), st.binary(max_size=8).map(lambda b: b[: len(b) // 2 * 2])),
    st.builds(RawElement, st.just("OB"), st.binary(max_size=8).map(lambda b: b[: len(b) // 2 * 2])),
)  # fmt: skip
data_sets = st.recursive(
    st.dictionaries(st.sampled_from([0x00090010, 0x00091001, 0x00091002]), values),
    lambda inner: st.dictionaries(
        st.sampled_from([0x00091003, 0x00091004]),
        st.builds(RawElement, st.just("SQ"), st.lists(inner, max_size=3)),
    ),
)


@given(data_sets, st.sampled_from([LITTLE, BIG]), st.sampled_from([None, "ISO_IR 192"]))
def test_what_is_neutral_survives_the_wire(neutral: Elements, syntax, character_set):
    """Names in mixed scripts make the response UTF-8 at the latest."""
    wire = encode_elements(recoded_elements(neutral, syntax, character_set), syntax)
    assert neutral_elements(decode_elements(wire, syntax), syntax) == neutral


@given(data_sets, st.binary(max_size=20), st.sampled_from([LITTLE, BIG, IMPLICIT]))
def test_no_bytes_and_no_character_set_are_an_error(elements: Elements, declared: bytes, syntax):
    elements = {**elements, CHARACTER_SET: RawElement("CS", declared)}
    for element in neutral_elements(elements, syntax).values():
        neutral_text(element)


def test_junk_in_place_of_a_sequence_does_not_spoil_an_answer_in_implicit_vr():
    """An implicit VR reader goes by the tag and expects items; found by fuzzing."""
    junk: Elements = {SEQUENCE: RawElement("LO", b"no items"), NAME: name("DOE^JANE")}
    item: Elements = {SEQUENCE: RawElement("SQ", [junk])}
    for elements, answer in (
        (junk, {SEQUENCE: RawElement("SQ", []), NAME: name("DOE^JANE")}),
        (item, {SEQUENCE: RawElement("SQ", [{SEQUENCE: RawElement("SQ", []), NAME: junk[NAME]}])}),
    ):
        encoded = encode_elements(recoded_elements(elements, IMPLICIT, None), IMPLICIT)
        assert decode_elements(encoded, IMPLICIT) == answer
        assert recoded_elements(elements, LITTLE, None) == elements


def test_a_sequence_that_came_as_unknown_is_answered_in_implicit_vr():
    items = encode_elements({SEQUENCE: RawElement("SQ", [{NAME: name("AB")}])}, IMPLICIT)[8:]
    recoded = recoded_elements({SEQUENCE: RawElement("UN", items)}, IMPLICIT, None)
    decoded = decode_elements(encode_elements(recoded, IMPLICIT), IMPLICIT)
    assert decoded == {SEQUENCE: RawElement("SQ", [{NAME: name("AB")}])}
