"""Small data sets decoded, encoded, decoded again; and some of their elements picked out."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES, data_sets
from fuzz.target import Target, check_error
from isocenter.encoding.elements import decode_elements, encode_elements, pick_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.forms import detect_form, form_of

_PICKED = frozenset({0x00080005, 0x00080018, 0x00081140, 0x00100010, 0x0020000D, 0x00400100})


def one_input(data: bytes) -> None:
    if not data:
        return
    syntax, body = SYNTAXES[data[0] % len(SYNTAXES)], data[1:]
    items: list[int] = []
    try:
        elements = decode_elements(body, syntax)
        decode_elements(body, syntax, on_item=lambda tag, _: items.append(tag))
    except EncodingError as error:
        check_error(error)
        elements = None
    try:
        picked, complete = pick_elements(body, syntax, _PICKED)
    except EncodingError as error:
        check_error(error)
        return
    if elements is None:
        return
    shown = detect_form(body, 0, form_of(syntax))  # which both have followed
    syntax = syntax._replace(implicit_vr=shown.implicit_vr)
    expected = sum(len(value) for _, value in elements.values() if isinstance(value, list))
    assert len(items) >= expected
    if complete and list(elements) == sorted(elements):
        assert picked == {tag: elements[tag] for tag in _PICKED & elements.keys()}
    try:
        encoded = encode_elements(elements, syntax)
    except EncodingError as error:  # a VR that there is not, or a value too long for its own
        check_error(error)
        return
    assert encode_elements(decode_elements(encoded, syntax), syntax) == encoded


def seeds() -> Iterator[bytes]:
    for number, body in data_sets():
        yield bytes((number,)) + body


TARGET = Target(
    "data sets to `decode_elements`, back, and to `pick_elements`", one_input, seeds, DATA_SET_WORDS
)
