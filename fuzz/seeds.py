"""Data sets to begin with: written by the tests' own hand, and the small files of pydicom."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache

from isocenter.dictionary.transfer_syntaxes import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    TransferSyntax,
    transfer_syntax,
)
from isocenter.encoding.elements import Elements, RawElement, encode_elements
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import read_file_meta
from isocenter.encoding.scanner import scan
from tests.encoding.synthetic import bundled_files, element, item, small_data_set
from tests.encoding.synthetic import nested as nested_data_set

SYNTAXES: tuple[TransferSyntax, ...] = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
)

DATA_SET_WORDS: tuple[bytes, ...] = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",  # item, its end, and that of the sequence
    b"\xfe\xff\x0d\xe0\0\0\0\0",
    b"\xfe\xff\xdd\xe0\0\0\0\0",
    b"\xff\xfe\xe0\x00\xff\xff\xff\xff",
    b"\xff\xfe\xe0\x0d\0\0\0\0",
    b"\xff\xfe\xe0\xdd\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff",
    b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 192",
    b"\x08\x00\x05\x00CS\x10\x00\\ISO 2022 IR 87 ",
    b"\x08\x00\x16\x00UI",
    b"\x08\x00\x18\x00UI",
    b"\x10\x00\x10\x00PN",
    *(vr + b"\0\0\xff\xff\xff\xff" for vr in (b"SQ", b"UN", b"OB")),
    *(b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV".split()),
    *(b"TM UC UI UL UN UR US UT UV ZZ".split()),
)

_LONGEST = 1800  # bytes
_FILES = 40


def data_sets() -> Iterator[tuple[int, bytes]]:
    """Data sets, each with the number of its syntax in `SYNTAXES`."""
    for number, syntax in enumerate(SYNTAXES):
        yield number, small_data_set(implicit=syntax.implicit_vr, big=not syntax.little_endian)
    yield 0, b""
    yield 0, nested_data_set(8)
    yield 1, nested_data_set(8, implicit=True)
    yield 0, encode_elements(texts(), EXPLICIT_VR_LITTLE_ENDIAN)
    yield 0, element(0x00081140, "SQ", item(element(0x00080100, "SH", b"A ")) * 3)
    yield from file_data_sets()


def texts() -> Elements:
    """One element of many VRs, with text beyond ASCII."""
    return {
        0x00080005: RawElement("CS", b"ISO_IR 100"),
        0x00080016: RawElement("UI", b"1.2.840.10008.5.1.4.1.1.2"),
        0x00080018: RawElement("UI", b"1.2.3.4.5"),
        0x00080020: RawElement("DA", b"20240131-20240201"),
        0x00080030: RawElement("TM", b"101530.5-"),
        0x00080060: RawElement("CS", b"CT\\MR"),
        0x00081030: RawElement("LO", b"Sch\xe4del*"),
        0x00100010: RawElement("PN", b"M\xfcller^J\xf6rg=\x1b-F\xe1"),
        0x0020000D: RawElement("UI", b"1.2.3\\1.2.4"),
        0x00200013: RawElement("IS", b"-12"),
        0x00280010: RawElement("US", b"\x02\x00"),
        0x00280030: RawElement("DS", b"0.5\\1e-3"),
        0x00280009: RawElement("AT", b"\x18\x00\x63\x10"),
        0x00404005: RawElement("DT", b"20240131101530.5+0100"),
        0x00089459: RawElement("FL", b"\0\0\x80\x3f"),
        0x00420011: RawElement("OB", b"\0\1\2\3"),
        0x00081199: RawElement("SQ", [{0x00081155: RawElement("UI", b"1.2.3")}]),
    }


@cache
def file_data_sets() -> tuple[tuple[int, bytes], ...]:
    """The beginnings of the data sets of pydicom's test files."""
    return tuple((number, body) for number, _, body in _files())


@cache
def files() -> tuple[bytes, ...]:
    """Small DICOM files, header and data set."""
    return tuple(head + body for _, head, body in _files())


@cache
def _files() -> tuple[tuple[int, bytes, bytes], ...]:
    """The number of the syntax, what stands before the data set, and its first elements."""
    found = []
    for path in bundled_files():
        content = path.read_bytes()
        try:
            meta, start = read_file_meta(content)
            number = _number(transfer_syntax(meta.transfer_syntax_uid))
            body = content[start : start + _LONGEST]
            end = scan(body, SYNTAXES[number], (), final=False).position
        except (EncodingError, StopIteration):  # damaged on purpose, or deflated
            continue
        found.append((number, content[:start], body[:end]))
    step = -(-len(found) // _FILES)
    return tuple(found[::step])


def _number(syntax: TransferSyntax) -> int:
    """Which of `SYNTAXES` has the same form."""
    form = (syntax.implicit_vr, syntax.little_endian, syntax.deflated)
    return next(
        number
        for number, known in enumerate(SYNTAXES)
        if (known.implicit_vr, known.little_endian, known.deflated) == form
    )


def deflated(data: bytes) -> bytes:
    """As one RFC 1951 stream."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()
