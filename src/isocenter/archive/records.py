"""Reading packs back: one record after the other, without the index."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_64

from isocenter.archive.index import INDEX_ATTRIBUTES, IndexEntry
from isocenter.archive.pack_locks import keep_from_erasure
from isocenter.archive.pack_record import mapped
from isocenter.archive.packs import READ_SIZE
from isocenter.archive.tar import BLOCK, PackDamaged, RecordHeader, decode_header, padding
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.part10 import read_file_meta
from isocenter.encoding.scanner import scan

# The file meta of our own making has a few hundred bytes; nobody else writes into packs.
_META_LIMIT = 64 * 1024


class Record(NamedTuple):
    """A whole record of a pack: where its Part 10 file begins, and what its header says."""

    offset: int
    header: RecordHeader


def walk_records(fd: int, start: int = 0) -> Iterator[Record]:
    """Yield the whole records of an open pack, voids included; stop at the end, or at a torn one.

    Raises PackDamaged where the bytes are neither a record nor the end of the archive.
    """
    end = os.fstat(fd).st_size
    position = start
    while position + BLOCK <= end:
        header = decode_header(os.pread(fd, BLOCK, position))
        if header is None:
            return
        offset = position + BLOCK
        position = offset + header.size + padding(header.size)
        if position > end:
            return
        yield Record(offset, header)


def read_entry(fd: int, pack: str, record: Record) -> IndexEntry:
    """Return the index entry of a record, read from its own Part 10 file.

    Raises EncodingError.
    """
    size = record.header.size
    with mapped(fd, record.offset, size) as part10:
        meta, dataset_offset = read_file_meta(bytes(part10[:_META_LIMIT]))
        syntax = transfer_syntax(meta.transfer_syntax_uid)
        with part10[dataset_offset:] as dataset:
            if syntax.deflated:
                inflated = inflate_header(dataset)
                syntax = syntax._replace(deflated=False)
                header = scan(inflated, syntax, INDEX_ATTRIBUTES, final=False).values
            else:
                header = scan(dataset, syntax, INDEX_ATTRIBUTES).values
    return IndexEntry(
        sop_instance_uid=meta.sop_instance_uid,
        sop_class_uid=meta.sop_class_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        pack=pack,
        offset=record.offset,
        length=size,
        dataset_offset=dataset_offset,
        digest=record.header.digest,
        received_at=record.header.received_at,
        source_ae=meta.source_ae,
        header=header,
    )


def dataset_digest(fd: int, offset: int, length: int, dataset_offset: int) -> int:
    """Return the xxh3-64 digest of a record's data set as it is on the disk now."""
    digest = xxh3_64()
    position, end = offset + dataset_offset, offset + length
    while position < end:
        piece = os.pread(fd, min(READ_SIZE, end - position), position)
        if not piece:
            raise PackDamaged("A pack ends inside a record that the index knows.")
        digest.update(piece)
        position += len(piece)
    return digest.intdigest()


def open_pack(root: Path, pack: str) -> int:
    """Return a file descriptor for reading a pack; until it is closed nothing is erased there.

    Raises OSError.
    """
    fd = os.open(root / pack, os.O_RDONLY | os.O_CLOEXEC)
    keep_from_erasure(fd)
    return fd
