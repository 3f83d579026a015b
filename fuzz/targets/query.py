"""Identifiers of strangers as queries of a real index: answers or a refusal, never a broken SQL."""

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from fuzz.seeds import DATA_SET_WORDS, data_sets, texts
from fuzz.target import Target, check_error
from isocenter.archive.index import Index
from isocenter.archive.query import InvalidQuery, Rules, find
from isocenter.archive.query.model import Model
from isocenter.dictionary.transfer_syntaxes import EXPLICIT_VR_LITTLE_ENDIAN
from isocenter.encoding.elements import RawElement, decode_elements, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.limits import ScanLimits
from isocenter.encoding.recoding import neutral_elements
from isocenter.security.access import ALL_STUDIES, Scope
from isocenter.services.find_identifiers import InvalidIdentifier, check_keys
from tests.archive.index.entries import an_entry, store

_LIMITS = ScanLimits(max_elements=300, max_depth=12)
MODELS: tuple[Model, ...] = ("PATIENT", "STUDY", "PATIENT_STUDY")
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")
STUDIES = 4
SCOPES = (ALL_STUDIES, Scope(frozenset({"NOBODY_HAS_THIS"})))
"""What somebody may see: everything here, and nothing."""


_open = ExitStack()


@cache
def index() -> Index:
    """A few studies in a file, until `close` is called or the process ends."""
    folder = _open.enter_context(tempfile.TemporaryDirectory(prefix="isocenter-fuzz-"))
    opened = _open.enter_context(Index.open(Path(folder, "index.sqlite")))
    atexit.register(close)
    store(
        opened,
        *(
            an_entry(
                number,
                study=f"1.2.{number}",
                series=f"1.2.{number}.1",
                PatientID=f"P{number % 2}",
                PatientName="Müller^Jörg".encode(),
                SpecificCharacterSet="ISO_IR 192",
                StudyDate="20240131",
                StudyTime="101530",
                Modality="CT",
                StudyDescription="head",
            )
            for number in range(STUDIES)
        ),
    )
    return opened


def close() -> None:
    """Close the index; the next input opens another one."""
    index.cache_clear()
    _open.close()


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    model, level = MODELS[data[0] % 3], LEVELS[data[0] >> 2 & 3]
    rules = Rules(*(bool(data[1] >> bit & 1) for bit in range(4)))
    try:
        decoded = decode_elements(data[2:], EXPLICIT_VR_LITTLE_ENDIAN, _LIMITS)
        identifier = neutral_elements(decoded, EXPLICIT_VR_LITTLE_ENDIAN)
        check_keys(identifier)
        relational = bool(data[1] & 16)
        matches = find(
            index(),
            model,
            level,
            identifier,
            scope=SCOPES[data[1] >> 5 & 1],
            rules=rules,
            relational=relational,
        )
        found = list(matches)
    except (EncodingError, InvalidIdentifier, InvalidQuery) as error:
        check_error(error)
        return
    assert len(found) <= STUDIES
    assert not found or not data[1] & 32, "a scope without studies has answers"
    for answer in found:
        assert answer.keys() <= identifier.keys()
        encode_elements(answer, EXPLICIT_VR_LITTLE_ENDIAN)


def seeds() -> Iterator[bytes]:
    keys = texts()
    keys = {tag: keys[tag] for tag in (0x00080020, 0x00080030, 0x00080060, 0x00081030, 0x00100010)}
    keys[0x00100020] = RawElement("LO", b"P*")
    keys[0x0020000D] = RawElement("UI", b"1.2.1\\1.2.3")
    encoded = encode_elements(keys, EXPLICIT_VR_LITTLE_ENDIAN)
    for way in range(16):
        yield bytes((way, 16 | way)) + encoded
    for number, body in data_sets():
        if number == 0 and len(body) < 1000:
            yield b"\5\x10" + body


WORDS = (
    *DATA_SET_WORDS,
    b"*",
    b"?",
    b"[",
    b"%",
    b"'",
    b'""',
    b"\\",
    b"-",
    b"\x0d\x00",
    b"\x20\x00",
)
TARGET = Target("identifiers as queries of an index", one_input, seeds, WORDS, 1024, share=2)
