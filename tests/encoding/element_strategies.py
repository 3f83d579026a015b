"""Hypothesis strategies for data sets: sequences, text in many character sets, values that lie."""

from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
)
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from tests.encoding.synthetic import undefined_sequence
from tests.support.mutations import hostile

SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN)
CHARACTER_SETS = (
    b"ISO_IR 100",
    b"ISO_IR 192",
    b"\\ISO 2022 IR 87",
    b"ISO 2022 IR 6\\ISO 2022 IR 149",
    b"GB18030",
    b"nonsense",
)

# Known elements of many VRs, private ones, and one whose VR another element decides.
tags = st.sampled_from(
    [
        *(0x00080016, 0x00080018, 0x00080020, 0x00080030, 0x00080060, 0x00081030, 0x00090010),
        *(0x00091001, 0x00100010, 0x00100020, 0x00100030, 0x0020000D, 0x00200013, 0x00280010),
        *(0x00280106, 0x00280030, 0x00404005, 0x00420011, 0x00700022, 0xFFFCFFFC),
    ]
)
sequence_tags = st.sampled_from([0x00081140, 0x00081199, 0x00400100, 0x00400275, 0x00091010])
vrs = st.sampled_from(
    [
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OW"),
        *("PN", "SH", "SL", "SS", "ST", "TM", "UC", "UI", "UL", "UN", "UR", "US", "UT"),
    ]
)
texts = st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace"))
values = st.one_of(
    st.binary(max_size=16),
    texts,
    st.sampled_from(
        [b"1.2.3\\4.5", b"20240131-", b"-0.5e3", b"A^B=\xe4", b"\x1b$B;3ED\x1b(B", b"*"]
    ),
)
elements = st.builds(RawElement, vrs, values)


def data_sets(depth: int = 2) -> st.SearchStrategy[Elements]:
    """Data sets as `decode_elements` gives them, with sequences up to `depth` deep."""
    plain = st.dictionaries(tags, elements, max_size=6)
    character_sets = st.sampled_from(CHARACTER_SETS).map(
        lambda value: {0x00080005: RawElement("CS", value)}
    )
    flat = st.builds(lambda one, other: one | other, plain, character_sets | st.just({}))
    if not depth:
        return flat
    items = st.lists(data_sets(depth - 1), max_size=3)
    nested = st.dictionaries(sequence_tags, items.map(lambda i: RawElement("SQ", i)), max_size=2)
    return st.builds(lambda one, other: one | other, flat, nested)


@st.composite
def encoded(draw: st.DrawFn, syntax: TransferSyntax | None = None) -> bytes:
    """A valid data set; some have compressed pixel data behind the rest."""
    syntax = syntax or draw(st.sampled_from(SYNTAXES))
    data = encode_elements(draw(data_sets()), syntax)
    if draw(st.booleans()):
        form = {"implicit": syntax.implicit_vr, "big": not syntax.little_endian}
        fragments = draw(st.lists(st.binary(max_size=12), max_size=3))
        pieces = [b"\xfe\xff\0\xe0" + len(f).to_bytes(4, "little") + f for f in fragments]
        data += undefined_sequence(0x7FE00010, pieces, vr="OB", **form)
    return data


hostile_data_sets = hostile(encoded())
"""Random bytes, and data sets that something has happened to."""
