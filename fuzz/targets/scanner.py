"""The header scanner, in every form of a data set: it agrees with itself and with the decoder."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, SYNTAXES, data_sets, deflated
from fuzz.target import Target, check_error
from isocenter.archive.index import INDEX_ATTRIBUTES
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN, TransferSyntax
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.elements import Elements, decode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.scanner import Scan, scan

_WANTED = frozenset(INDEX_ATTRIBUTES)
_LIMITS = ScanLimits(max_depth=16, max_elements=600, max_value_length=100)


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    choice, body = data[0] % (len(SYNTAXES) + 1), data[2:]
    if choice == len(SYNTAXES):
        body = inflate_header(deflated(body))
        choice = 0
    syntax = SYNTAXES[choice]
    whole = _scan(body, syntax)
    if whole is not None:
        assert whole.complete
        assert whole.position == len(body)
        _compare(whole, body, syntax)
    _in_two(whole, body, syntax, min(len(body), 8 + data[1]))


def _scan(body: bytes, syntax: TransferSyntax) -> Scan | None:
    try:
        return scan(body, syntax, _WANTED, limits=_LIMITS)
    except EncodingError as error:
        check_error(error)
        return None


def _in_two(whole: Scan | None, body: bytes, syntax: TransferSyntax, cut: int) -> None:
    """What has arrived so far, then the rest: as the archive reads what a peer sends."""
    try:
        first = scan(body[:cut], syntax, _WANTED, final=False)
        assert 0 <= first.position <= cut
        assert first.end is None or first.end > cut
        rest = scan(body, first.syntax, _WANTED, start=first.position, detect=False)
    except EncodingError as error:
        check_error(error)
        return
    if whole is not None and whole.syntax == first.syntax:
        found = first.values | rest.values
        assert {tag: value[:100] for tag, value in found.items()} == whole.values


def _compare(scanned: Scan, body: bytes, syntax: TransferSyntax) -> None:
    decoded = _decoded(body, syntax)
    if decoded is None:
        return
    for tag, (_, value) in decoded.items():
        if tag in _WANTED and isinstance(value, bytes):
            assert scanned.values.get(tag) == value[:100], f"{tag:08X}"
    assert scanned.values.keys() <= decoded.keys()


def _decoded(body: bytes, syntax: TransferSyntax) -> Elements | None:
    try:
        return decode_elements(body, syntax)
    except EncodingError as error:
        check_error(error)
        return None


def seeds() -> Iterator[bytes]:
    for number, body in data_sets():
        yield bytes((number, 20)) + body
    yield bytes((len(SYNTAXES), 20)) + next(
        body for number, body in data_sets() if SYNTAXES[number] is EXPLICIT_VR_LITTLE_ENDIAN
    )


TARGET = Target(
    "data sets of all four forms to `scan`, whole and in parts",
    one_input,
    seeds,
    DATA_SET_WORDS,
    share=4,
)
