"""Data sets from one character set to another."""

from hypothesis import given
from hypothesis import strategies as st

from isocenter.encoding.character_sets import UTF_8
from isocenter.encoding.elements import RawElement
from isocenter.encoding.recoding import SPECIFIC_CHARACTER_SET, recode, texts_of

NAME, DESCRIPTION, ITEMS, PIXELS = 0x00100010, 0x00081030, 0x00081110, 0x7FE00010


def declared(term: bytes) -> dict[int, RawElement]:
    return {SPECIFIC_CHARACTER_SET: RawElement("CS", term)}


def test_text_is_recoded_at_every_depth_and_nothing_else_is():
    item = {DESCRIPTION: RawElement("LO", b"K\xf6ln")}
    elements = declared(b"ISO_IR 100") | {
        NAME: RawElement("PN", b"B\xfck"),
        ITEMS: RawElement("SQ", [item]),
        PIXELS: RawElement("OB", b"\xf6\xfc"),
    }
    assert recode(elements, UTF_8) == {
        NAME: RawElement("PN", "Bük".encode()),
        ITEMS: RawElement("SQ", [{DESCRIPTION: RawElement("LO", "Köln".encode())}]),
        PIXELS: RawElement("OB", b"\xf6\xfc"),
    }
    assert item == {DESCRIPTION: RawElement("LO", b"K\xf6ln")}


def test_an_item_may_have_a_character_set_of_its_own():
    item = declared(b"ISO_IR 126") | {DESCRIPTION: RawElement("LO", b"\xc4\xe9")}
    elements = declared(b"ISO_IR 100") | {ITEMS: RawElement("SQ", [item])}
    assert list(texts_of(elements)) == ["Δι"]
    assert recode(elements, UTF_8)[ITEMS].value == [{DESCRIPTION: RawElement("LO", "Δι".encode())}]


@given(st.binary(max_size=40), st.sampled_from([b"", b"ISO_IR 100", b"ISO 2022 IR 87", b"\xff"]))
def test_whatever_the_bytes_are_they_become_utf_8(value: bytes, term: bytes):
    recoded = recode(declared(term) | {NAME: RawElement("PN", value)}, UTF_8)
    assert isinstance(recoded[NAME].value, bytes)
    recoded[NAME].value.decode("utf-8")
