"""Data sets made neutral, answered in any syntax and character set, and kept as DICOM JSON."""

import json
from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES, data_sets
from fuzz.target import Target, check_error
from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.dicom_json import from_json, parse_json, to_json
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.recoding import neutral_elements, neutral_text, recode, recoded_elements

_LIMITS = ScanLimits(max_elements=300, max_depth=12)
_CHARACTER_SETS = (
    None,
    "ISO_IR 192",
    "ISO_IR 100",
    "\\ISO 2022 IR 87",
    "ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159",
    "ISO 2022 IR 6\\ISO 2022 IR 149\\ISO 2022 IR 58",
    "GB18030",
    "nonsense",
)


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    syntax = SYNTAXES[data[0] % len(SYNTAXES)]
    try:
        elements = decode_elements(data[2:], syntax, _LIMITS)
    except EncodingError as error:
        check_error(error)
        return
    recode(elements, "ISO_IR 192")
    neutral = neutral_elements(elements, syntax)
    for element in neutral.values():
        neutral_text(element)
    _as_json(neutral)
    _answered(neutral, SYNTAXES[data[1] % len(SYNTAXES)], _CHARACTER_SETS[data[1] >> 4 & 7])


def _as_json(neutral: Elements) -> None:
    """What is kept as JSON must be readable for ever (and be JSON: no NaN)."""
    text = json.dumps(to_json(neutral), allow_nan=False)
    again = from_json(parse_json(text))
    assert json.dumps(to_json(again), allow_nan=False) == text


def _answered(neutral: Elements, syntax: TransferSyntax, character_set: str | None) -> None:
    try:
        encoded = encode_elements(recoded_elements(neutral, syntax, character_set), syntax)
    except EncodingError as error:  # a value that is too long for its VR in this character set
        check_error(error)
        return
    again = neutral_elements(decode_elements(encoded, syntax), syntax)
    assert again.keys() == neutral.keys()
    if not syntax.implicit_vr:
        assert [vr for vr, _ in again.values()] == [neutral[tag].vr for tag in again]
        for tag, element in again.items():
            _compare_texts(neutral[tag], element)


def _compare_texts(before: object, after: object) -> None:
    """Nothing of a text is lost; an escape in it would be one of the character set."""
    vr, value = before  # type: ignore[misc]
    if vr in ("PN", "LO", "SH", "LT") and b"\x1b" not in value:
        assert value == after[1]  # type: ignore[index]


def seeds() -> Iterator[bytes]:
    for number, body in data_sets():
        for other in (0, 0x31, 0x52, 0x60):
            yield bytes((number, other)) + body


TARGET = Target(
    "data sets made neutral, to JSON and back, to any syntax and character set and back",
    one_input,
    seeds,
    DATA_SET_WORDS,
    2048,
)
