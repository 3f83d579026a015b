"""DICOM JSON (PS3.18 Annex F) of strangers: what can be read can be written and read again."""

import json
from collections.abc import Iterator

from fuzz.seeds import texts
from fuzz.target import Target, check_error
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.dicom_json import from_json, parse_json, to_json
from isocenter.encoding.elements import encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.recoding import neutral_elements


def one_input(data: bytes) -> None:
    try:
        elements = from_json(parse_json(data))
    except EncodingError as error:
        check_error(error)
        return
    text = json.dumps(to_json(elements), allow_nan=False)
    again = from_json(parse_json(text))
    assert json.dumps(to_json(again), allow_nan=False) == text
    try:
        encode_elements(elements, EXPLICIT_VR_LITTLE_ENDIAN)
    except EncodingError as error:
        check_error(error)


def seeds() -> Iterator[bytes]:
    model = to_json(neutral_elements(texts(), EXPLICIT_VR_LITTLE_ENDIAN))
    yield json.dumps(model).encode()
    for tag, attribute in model.items():
        yield json.dumps({tag: attribute}).encode()
    yield b'{"00100010": {"vr": "PN", "Value": [{"Alphabetic": "A", "Phonetic": "\\u3042"}, null]}}'
    yield b'{"00280010": {"vr": "US", "Value": [1, 2.5, "3"]}, "7FE00010": {"vr": "OW"}}'
    yield b'{"00280010": {"vr": "FD", "Value": ["NaN", "inf", 1e300]}}'
    yield b"[[[[[[[[]]]]]]]]"


WORDS = (
    *(b'"vr"', b'"Value"', b'"InlineBinary"', b'"BulkDataURI"', b'"Alphabetic"', b'"Phonetic"'),
    *(b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"\\ud800", b"\\\\", b"="),
    *(b"AE AT CS DA DS DT FD FL IS LO OB PN SL SQ SS SV TM UC UI UL UN UR US UT UV".split()),
)
TARGET = Target(
    "bytes to the reader of DICOM JSON, and back", one_input, seeds, WORDS, 2048, share=4
)
