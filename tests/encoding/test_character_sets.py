"""Names and texts of the world, and what becomes of files that lie about them."""

import warnings
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.character_sets import choose_character_set, decode_text, encode_text
from isocenter.encoding.part10 import locate_dataset
from isocenter.encoding.scanner import scan
from tests.encoding.synthetic import bundled_file, bundled_files

# A busy machine must not fail a test.
PATIENT = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])

CHARACTER_SET = 0x00080005
PATIENT_NAME = 0x00100010

# The examples of PS3.5 Annexes H, I and J, and their sisters in the single-byte sets.
NAMES = {
    "chrArab.dcm": "قباني^لنزار",
    "chrFren.dcm": "Buc^Jérôme",
    "chrGerm.dcm": "Äneas^Rüdiger",
    "chrGreek.dcm": "Διονυσιος",
    "chrH31.dcm": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrH32.dcm": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "chrHbrw.dcm": "שרון^דבורה",
    "chrI2.dcm": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrRuss.dcm": "Люкceмбypг",
    "chrX1.dcm": "Wang^XiaoDong=王^小東=",
    "chrX2.dcm": "Wang^XiaoDong=王^小东=",
}
# PS3.5 Annex K: code extensions in Chinese, and texts of several lines in Korean and Chinese.
ANNEX_K = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
ANNEX_I3 = b"\x1b$)CThe first line includes \xb1\xe6\xb5\xbf.\r\n\x1b$)C\xb1\xe6\xb5\xbf, too.\r\n"

TERMS = [
    "ISO_IR 100",
    "ISO_IR 101",
    "ISO_IR 109",
    "ISO_IR 110",
    "ISO_IR 126",
    "ISO_IR 127",
    "ISO_IR 138",
    "ISO_IR 144",
    "ISO_IR 148",
    "ISO_IR 166",
    "ISO_IR 203",
    "ISO_IR 13",
    "ISO_IR 192",
    "GB18030",
    "GBK",
    "\\ISO 2022 IR 87",
    "ISO 2022 IR 6\\ISO 2022 IR 87\\ISO 2022 IR 159",
    "ISO 2022 IR 13\\ISO 2022 IR 87",
    "\\ISO 2022 IR 149",
    "\\ISO 2022 IR 58",
    "ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
]


def stored(name: str) -> tuple[bytes, bytes]:
    """Specific Character Set and Patient's Name of a bundled file, as bytes."""
    file = bundled_file(name)
    meta, offset = locate_dataset(file)
    wanted = frozenset({CHARACTER_SET, PATIENT_NAME})
    values = scan(file, transfer_syntax(meta.transfer_syntax_uid), wanted, start=offset).values
    return values[CHARACTER_SET], values[PATIENT_NAME]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_the_standards_annexes_are_read(name: str) -> None:
    character_set, value = stored(name)
    assert decode_text(value, character_set, "PN") == NAMES[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_the_standards_annexes_are_written_byte_for_byte(name: str) -> None:
    character_set, value = stored(name)
    encoded = encode_text(NAMES[name], character_set.decode(), "PN")
    assert encoded == value.rstrip(b" ")


def test_chinese_with_code_extensions_is_read_and_written() -> None:
    text = "Zhang^XiaoDong=张^小东="
    assert decode_text(ANNEX_K, b"\\ISO 2022 IR 58", "PN") == text
    assert encode_text(text, "\\ISO 2022 IR 58", "PN") == ANNEX_K


def test_a_new_line_brings_back_the_first_set() -> None:
    text = "The first line includes 길동.\r\n길동, too."
    assert decode_text(ANNEX_I3, b"\\ISO 2022 IR 149", "LT").rstrip() == text


def test_a_delimiter_brings_back_the_first_set() -> None:
    value = b"\x1b-L\xbb\xee\xda^M\xfcller"
    declared = "ISO 2022 IR 100\\ISO 2022 IR 144"
    assert decode_text(value, declared, "PN") == "Люк^Müller"
    assert encode_text("Люк^Müller", declared, "PN") == value


def test_kanji_whose_bytes_look_like_delimiters_are_kept_whole() -> None:
    text = "包^繊=^"  # second bytes 5C and 3D
    encoded = encode_text(text, "\\ISO 2022 IR 87", "PN")
    assert decode_text(encoded, "\\ISO 2022 IR 87", "PN") == text


def test_a_second_byte_like_a_backslash_is_not_a_value_separator() -> None:
    encoded = encode_text("俓\\俙", "GB18030", "LO")
    assert encoded.count(b"\\") > 1
    assert decode_text(encoded, "GB18030", "LO").split("\\") == ["俓", "俙"]


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_patient_names_are_those_of_pydicom(path: Path) -> None:
    file = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = dcmread(BytesIO(file), force=True)
        raw = theirs._dict.get(PATIENT_NAME)
        if not isinstance(getattr(raw, "value", None), bytes):
            return
        raw_value = raw.value  # type: ignore[union-attr]
        declared = theirs.get("SpecificCharacterSet") or ""
        name = str(theirs.PatientName)
    declared = declared if isinstance(declared, str) else "\\".join(declared)
    assert decode_text(raw_value, declared, "PN").rstrip("^=") == name.rstrip(" ^=")


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"Doe^Jane ", "Doe^Jane"), (b"1.2.3\0", "1.2.3"), (b"", ""), (b"  a ", "  a")],
)
def test_padding_at_the_end_is_no_text(value: bytes, text: str) -> None:
    assert decode_text(value, None, "LO") == text


def test_text_beyond_ascii_without_a_character_set_is_guessed() -> None:
    assert decode_text("Müller".encode(), None, "PN") == "Müller"
    assert decode_text("Müller".encode("latin-1"), b"", "PN") == "Müller"
    assert decode_text("Müller".encode("latin-1"), b"NO SUCH SET", "PN") == "Müller"


@pytest.mark.parametrize(
    "spelling", ["ISO_IR 100", "ISO-IR 100", "iso_ir 100 ", "ISO 2022 IR 100", "ISO IR 100"]
)
def test_misspelled_defined_terms_are_understood(spelling: str) -> None:
    assert decode_text(b"M\xfcller", spelling, "PN") == "Müller"


@pytest.mark.parametrize("declared", ["ISO_IR 192", "GB18030", "\\ISO 2022 IR 149", "ISO_IR 166"])
def test_bytes_that_belie_their_character_set_are_replaced(declared: str) -> None:
    assert "\N{REPLACEMENT CHARACTER}" in decode_text(b"Smith^\xff", declared, "PN")


def test_an_unknown_escape_sequence_is_replaced() -> None:
    assert decode_text(b"A\x1b%@B", "\\ISO 2022 IR 87", "PN") == "A\N{REPLACEMENT CHARACTER}B"


def test_vrs_without_a_character_set_are_ascii() -> None:
    assert decode_text(b"M\xfc", "ISO_IR 100", "CS") == "M\N{REPLACEMENT CHARACTER}"
    with pytest.raises(UnicodeEncodeError):
        encode_text("Mü", "ISO_IR 100", "CS")


@PATIENT
@given(
    st.one_of(
        st.binary(max_size=40),
        st.lists(
            st.one_of(
                st.binary(max_size=6),
                st.sampled_from(
                    [b"\x1b$B", b"\x1b(B", b"\x1b$)C", b"\x1b-L", b"\x1b", b"^", b"\x1b$(D"]
                ),
            )
        ).map(b"".join),
    ),
    st.one_of(st.none(), st.sampled_from(TERMS), st.binary(max_size=30), st.text(max_size=20)),
    st.sampled_from(["PN", "LO", "LT", "CS", "UI"]),
)
def test_no_bytes_raise_or_warn(value: bytes, declared: bytes | str | None, vr: str) -> None:
    assert isinstance(decode_text(value, declared, vr), str)


@PATIENT
@given(
    st.text(st.sampled_from("aZ9 ^=-éßЛюΩŁşقשไﾔ山郎まだ洪길동张东鷗丂𠮷"), max_size=20),
    st.sampled_from(TERMS),
)
def test_text_that_can_be_encoded_comes_back(text: str, declared: str) -> None:
    try:
        encoded = encode_text(text, declared, "PN")
    except UnicodeEncodeError:
        return
    assert decode_text(encoded, declared, "PN") == text.rstrip(" ")


def test_text_that_cannot_be_encoded_says_where() -> None:
    for declared in (None, "ISO_IR 100", "\\ISO 2022 IR 87"):
        with pytest.raises(UnicodeEncodeError) as caught:
            encode_text("Lee^홍", declared, "PN")
        assert caught.value.start == 4


def test_ascii_needs_no_character_set() -> None:
    assert choose_character_set(["Doe^Jane", "CT"], "ISO_IR 100") is None
    assert choose_character_set([], None) is None


def test_the_requested_character_set_is_kept_where_it_suffices() -> None:
    assert choose_character_set(["Doe", "Müller"], "ISO_IR 100") == "ISO_IR 100"
    assert choose_character_set(["山田"], "\\ISO 2022 IR 87") == "\\ISO 2022 IR 87"


@pytest.mark.parametrize("requested", [None, "", "ISO_IR 100", "NO SUCH SET"])
def test_unicode_is_answered_where_nothing_else_suffices(requested: str | None) -> None:
    assert choose_character_set(["Müller", "山田"], requested) == "ISO_IR 192"


def test_the_only_set_that_can_be_meant_needs_no_escape_sequence() -> None:
    """pydicom writes Chinese so."""
    assert decode_text("张^小东".encode("gb2312"), "\\ISO 2022 IR 58", "PN") == "张^小东"
