"""Matching without a database (PS3.4 C.2.2.2): identifiers, patterns, dates and names."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, data_sets, texts
from fuzz.target import Target, check_error
from isocenter.archive.index.values import date_number, integer, padded_time, plain_text
from isocenter.archive.names import person_name_keys, search_text
from isocenter.archive.query import date_times
from isocenter.archive.query.criteria import Rules
from isocenter.archive.query.data_sets import condition, project
from isocenter.archive.query.errors import InvalidQuery
from isocenter.archive.query.fuzzy_names import resembles, resembles_search_text
from isocenter.archive.query.timezones import adjusted
from isocenter.archive.query.wildcards import wildcard
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import Elements, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.recoding import neutral_elements

_LIMITS = ScanLimits(max_elements=300, max_depth=12)
_LONGEST_PATTERN = 48  # characters, for the plain way of matching below takes its time


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    kind, argument, body = data[0] % 4, data[1], data[2:]
    try:
        (_identifier, _pattern, _moments, _names)[kind](body, argument)
    except (EncodingError, InvalidQuery) as error:
        check_error(error)


def _identifier(body: bytes, argument: int) -> None:
    """The first part is the identifier, the second what it is held against."""
    cut = min(len(body), argument << 2)
    identifier, data_set = _decoded(body[:cut]), _decoded(body[cut:])
    rules = Rules(*(bool(argument >> bit & 1) for bit in range(4)))
    condition(identifier, rules)(data_set)
    condition(identifier, rules)(identifier)
    assert project(identifier, data_set, rules).keys() <= identifier.keys()
    adjusted(data_set, (argument - 128) * 5)


def _decoded(body: bytes) -> Elements:
    decoded = decode_elements(body, EXPLICIT_VR_LITTLE_ENDIAN, _LIMITS)
    return neutral_elements(decoded, EXPLICIT_VR_LITTLE_ENDIAN)


def _pattern(body: bytes, argument: int) -> None:
    text = body.decode("utf-8", "replace")
    pattern, value = text[: argument % _LONGEST_PATTERN], text[argument % _LONGEST_PATTERN :]
    assert wildcard(pattern)(value) == _matches(pattern, value)


def _matches(pattern: str, value: str) -> bool:
    """The textbook's way: which beginnings of the value the pattern so far can match."""
    reached = {0}
    for character in pattern:
        if character == "*":
            reached = set(range(min(reached, default=len(value) + 1), len(value) + 1))
        else:
            ends = (at for at in reached if at < len(value))
            reached = {at + 1 for at in ends if character in ("?", value[at])}
    return len(value) in reached


def _moments(body: bytes, _argument: int) -> None:
    text = body.decode("utf-8", "replace")
    integer(body)
    date_times.offset_minutes(text)
    date, time = date_number(text[:10]), padded_time(text[10:])
    if date is not None:
        before, after = date_times.day_before(date), date_times.day_after(date)
        assert before <= date <= after
        if time is not None:
            date_times.shifted(date, time, 61)
    ends = date_times.date_time_range(text)
    if ends is not None:
        assert all(end is None or len(end) >= 14 for end in ends)
    date_times.date_time(text)


def _names(body: bytes, argument: int) -> None:
    text = body.decode("utf-8", "replace")
    key, name = text[:argument], text[argument:]
    groups = person_name_keys(name)
    assert len(groups) <= 3
    folded = "=".join(groups)
    if len(folded) <= len(name) < 250:
        assert person_name_keys(folded) == groups
    plain_text(name)
    resembles(key, name)
    resembles_search_text(key, search_text(name))


def seeds() -> Iterator[bytes]:
    whole = encode_elements(texts(), EXPLICIT_VR_LITTLE_ENDIAN)
    whole += bytes(-len(whole) % 4)
    if len(whole) // 4 < 256:
        yield bytes((0, len(whole) // 4)) + whole + whole
    for number, body in data_sets():
        if number == 0 and len(body) % 4 == 0 and len(body) < 1000:
            yield bytes((0, len(body) // 4)) + body + body
    for pattern, value in (("a*b?c", "axxbyc"), ("*?*", "x"), ("[a]%_", "[a]%_"), ("ä*", "äö")):
        yield bytes((1, len(pattern))) + pattern.encode() + value.encode()
    for text in ("20240131101530.5", "20240131-20240201", "202401311015+0100-", "-0130", "235960"):
        yield b"\2\0" + text.encode()
    for name in ("MÜLLER^Jörg=山田^太郎=やまだ", "O'Neil-Smith^^^Dr", "ﬀ^ßİ", "doe^j*"):
        yield b"\3\4" + name.encode()


WORDS = (*DATA_SET_WORDS, b"*", b"?", b"^", b"=", b"-", b"+0100", b'""', b"\\", "ß".encode())
TARGET = Target(
    "identifiers, patterns, dates and names to the matching of data sets", one_input, seeds, WORDS,
    2048,
)  # fmt: skip
