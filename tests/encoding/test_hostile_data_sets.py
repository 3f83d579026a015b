"""Data sets that were valid once: only an EncodingError, or what can be said again, comes out."""

import json
import zlib

from hypothesis import given
from hypothesis import strategies as st

from isocenter.dictionary.transfer_syntaxes import TransferSyntax
from isocenter.encoding.deflate import check_inflated_size, inflate, inflate_header
from isocenter.encoding.dicom_json import from_json, parse_json, to_json
from isocenter.encoding.elements import (
    Elements,
    decode_elements,
    encode_elements,
    pick_elements,
)
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import FileMeta, encode_file_meta, locate_dataset, read_file_meta
from isocenter.encoding.recoding import neutral_elements, neutral_text, recoded_elements
from isocenter.encoding.scanner import scan
from isocenter.encoding.transcoding import TARGETS, Conversion
from tests.encoding.element_strategies import (
    CHARACTER_SETS,
    SYNTAXES,
    data_sets,
    encoded,
    hostile_data_sets,
)
from tests.support.mutations import hostile

WANTED = frozenset({0x00080005, 0x00080018, 0x00081030, 0x00100010, 0x0020000D})
META = encode_file_meta(FileMeta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", SYNTAXES[0].uid))
MAXIMUM = 1 << 18
syntaxes = st.sampled_from(SYNTAXES)


def decoded(data: bytes, syntax: TransferSyntax) -> Elements | None:
    try:
        return decode_elements(data, syntax)
    except EncodingError:
        return None


@given(hostile_data_sets, syntaxes)
def test_scanner_and_decoder_agree_on_what_both_can_read(data: bytes, syntax: TransferSyntax):
    elements = decoded(data, syntax)
    try:
        scanned = scan(data, syntax, WANTED)
    except EncodingError:
        return
    assert scanned.position == len(data)
    if elements is not None:
        for tag in WANTED & elements.keys():
            assert scanned.values.get(tag, elements[tag].value) == elements[tag].value


@given(hostile_data_sets, syntaxes)
def test_what_was_picked_is_what_decoding_gives(data: bytes, syntax: TransferSyntax):
    elements = decoded(data, syntax)
    try:
        picked, complete = pick_elements(data, syntax, WANTED)
    except EncodingError:
        return
    if elements is not None and complete and list(elements) == sorted(elements):
        assert picked == {tag: elements[tag] for tag in WANTED & elements.keys()}


@given(data_sets(), syntaxes)
def test_a_data_set_comes_back_as_it_was(elements: Elements, syntax: TransferSyntax):
    data = encode_elements(elements, syntax)
    assert encode_elements(decode_elements(data, syntax), syntax) == data


@given(hostile_data_sets, syntaxes, syntaxes, st.sampled_from([None, *CHARACTER_SETS]))
def test_an_answer_of_hostile_values_can_be_read(
    data: bytes, syntax: TransferSyntax, wanted: TransferSyntax, character_set: bytes | None
):
    elements = decoded(data, syntax)
    if elements is None:
        return
    neutral = neutral_elements(elements, syntax)
    for element in neutral.values():
        assert isinstance(neutral_text(element), str)
    requested = character_set and character_set.decode()
    try:
        answer = encode_elements(recoded_elements(neutral, wanted, requested), wanted)
    except EncodingError:  # a value that has grown too long for its VR
        return
    again = neutral_elements(decode_elements(answer, wanted), wanted)
    assert again.keys() == neutral.keys()


@given(hostile_data_sets, syntaxes)
def test_what_is_kept_as_json_can_be_read_for_ever(data: bytes, syntax: TransferSyntax):
    elements = decoded(data, syntax)
    if elements is None:
        return
    text = json.dumps(to_json(neutral_elements(elements, syntax)), allow_nan=False)
    assert json.dumps(to_json(from_json(parse_json(text)))) == text


@given(
    hostile(
        data_sets().map(lambda e: json.dumps(to_json(neutral_elements(e, SYNTAXES[0]))).encode())
    )
)
def test_mutated_json_raises_nothing_but_encoding_errors(data: bytes):
    try:
        elements = from_json(parse_json(data))
    except EncodingError:
        return
    json.dumps(to_json(elements), allow_nan=False)


@given(hostile_data_sets, syntaxes, st.sampled_from(TARGETS))
def test_a_conversion_is_a_data_set_or_refused(data: bytes, syntax: TransferSyntax, target: str):
    try:
        conversion = Conversion(data, syntax.uid, target, MAXIMUM)
    except EncodingError:
        return
    converted = b"".join(bytes(piece) for piece in conversion)
    assert len(converted) == conversion.length <= MAXIMUM
    target_syntax = next(syntax for syntax in SYNTAXES if syntax.uid == target)
    assert scan(converted, target_syntax, WANTED, detect=False).complete


@given(hostile(encoded(SYNTAXES[0]).map(lambda data: META + data)))
def test_a_mutated_file_is_located_or_refused(data: bytes):
    for read in (read_file_meta, locate_dataset):
        try:
            _, position = read(data)
        except EncodingError:
            continue
        assert 0 <= position <= len(data)


@given(hostile(encoded().map(lambda data: zlib.compress(data)[2:-4])))
def test_a_mutated_deflate_stream_inflates_or_is_refused(data: bytes):
    try:
        header = inflate_header(data)
        size = check_inflated_size(data)
    except EncodingError:
        return
    assert len(inflate(data)) == size >= len(header)
