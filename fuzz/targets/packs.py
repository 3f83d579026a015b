"""Packs that a bad disk or a stranger wrote: every record is read, or the damage is named."""

import atexit
import os
import tempfile
from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS
from fuzz.target import Target, check_error
from fuzz.targets.part10 import META
from isocenter.archive.records import dataset_digest, read_entry, walk_records
from isocenter.archive.tar import (
    BLOCK,
    END_OF_ARCHIVE,
    PackDamaged,
    decode_header,
    encode_header,
    find_headers,
    padding,
)
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import encode_file_meta
from tests.encoding.synthetic import small_data_set

_CHECKSUM = slice(148, 156)
_pack = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
atexit.register(_pack.close)


def one_input(data: bytes) -> None:
    if not data:
        return
    pack = bytearray(data[1:])
    if data[0] & 1:
        _mend(pack)
    assert all(header.size >= 0 for _, header in find_headers(bytes(pack)))
    fd = _pack.fileno()
    os.ftruncate(fd, 0)
    os.pwrite(fd, pack, 0)
    try:
        for record in walk_records(fd):
            assert 0 < record.offset <= record.offset + record.header.size <= len(pack)
            entry = read_entry(fd, "pack.tar", record)
            dataset_digest(fd, entry.offset, entry.length, entry.dataset_offset)
    except (PackDamaged, EncodingError) as error:
        check_error(error)


def _mend(pack: bytearray) -> None:
    """Give every block that could be a header the checksum that it should have."""
    for start in range(0, len(pack) - BLOCK + 1, BLOCK):
        block = pack[start : start + BLOCK]
        if block[257:262] == b"ustar":
            block[_CHECKSUM] = b" " * 8
            block[_CHECKSUM] = b"%06o\0 " % sum(block)
            pack[start : start + BLOCK] = block


def _record(number: int, body: bytes) -> bytes:
    header = encode_header("1.2.3", f"1.2.3.{number}", len(body), number, 1_700_000_000)
    assert decode_header(header) is not None
    return header + body + bytes(padding(len(body)))


def seeds() -> Iterator[bytes]:
    file = encode_file_meta(META) + small_data_set()
    yield b"\1" + _record(1, file) + _record(2, file) + END_OF_ARCHIVE
    yield b"\0" + _record(1, file)
    yield b"\1" + _record(1, bytes(3072)) + _record(2, b"")
    yield b"\1" + _record(1, file[:-9]) + _record(2, b"") + END_OF_ARCHIVE


WORDS = (*DATA_SET_WORDS, b"ustar\0", b"00000000000\0", b"xxh3-", b"\x80\xff\xff\xff\xff")
TARGET = Target("tar files to the readers of packs", one_input, seeds, WORDS, 6144)
