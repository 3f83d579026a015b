"""DICOM files (PS3.10 7): with preamble or without, with File Meta Information or without."""

from collections.abc import Iterator

from fuzz.seeds import DATA_SET_WORDS, data_sets, files
from fuzz.target import Target, check_error
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import (
    FileMeta,
    encode_file_meta,
    locate_dataset,
    read_file_meta,
)

META = FileMeta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", "1.2.840.10008.1.2.1", "FROM", "TO")


def one_input(data: bytes) -> None:
    for read in (locate_dataset, read_file_meta):
        try:
            meta, position = read(data)
        except EncodingError as error:
            check_error(error)
            continue
        assert 0 <= position <= len(data)
        _write_again(meta)


def _write_again(meta: FileMeta) -> None:
    try:
        head = encode_file_meta(meta)
    except EncodingError as error:  # a UID that is not ASCII
        check_error(error)
        return
    if meta.transfer_syntax_uid:
        again, position = read_file_meta(head)
        assert position == len(head)
        assert encode_file_meta(again) == head


def seeds() -> Iterator[bytes]:
    yield from files()
    for _, body in data_sets():
        yield body
        yield encode_file_meta(META) + body


WORDS = (*DATA_SET_WORDS, b"DICM", b"\x02\x00\x10\x00UI", b"1.2.840.10008.1.2.1.99\0")
TARGET = Target("bytes to the readers of DICOM files", one_input, seeds, WORDS, share=2)
