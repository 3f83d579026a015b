"""Identifiers of C-GET and C-MOVE: what they select in an index, or why they are refused."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES
from fuzz.target import Target, check_error
from fuzz.targets.query import LEVELS, MODELS, SCOPES, STUDIES, index
from isocenter.archive.query import InvalidQuery
from isocenter.archive.retrieve import select_instances
from isocenter.encoding.elements import RawElement, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.services.find_identifiers import identifier_texts


def one_input(data: bytes) -> None:
    if not data:
        return
    syntax = SYNTAXES[data[0] % len(SYNTAXES)]
    model, level = MODELS[(data[0] >> 2) % len(MODELS)], LEVELS[data[0] >> 4 & 3]
    try:
        keys = identifier_texts(decode_elements(data[1:], syntax), syntax)
        scope = SCOPES[data[0] >> 6 & 1]
        selection = select_instances(index(), model, level, keys, scope=scope)
    except (EncodingError, InvalidQuery) as error:
        check_error(error)
        return
    assert len(selection) <= (STUDIES if scope is SCOPES[0] else 0)
    assert len(list(selection)) == len(selection)


def seeds() -> Iterator[bytes]:
    keys = {
        0x00080018: RawElement("UI", b"1.2.3.1\\1.2.3.2"),
        0x00100020: RawElement("LO", b"P1"),
        0x0020000D: RawElement("UI", b"1.2.1\\1.2.3"),
        0x0020000E: RawElement("UI", b"1.2.1.1"),
    }
    for number, syntax in enumerate(SYNTAXES):
        for place in range(len(LEVELS)):
            for tag, element in keys.items():
                first = number | 1 << 2 | place << 4
                yield bytes((first,)) + encode_elements({tag: element}, syntax)


WORDS = (*DATA_SET_WORDS, b"\\", b"*", b"?", b"1.2.1", b"\x0d\x00", b"\x0e\x00", b"\x20\x00")
TARGET = Target("identifiers as retrieves from an index", one_input, seeds, WORDS, 512, share=2)
