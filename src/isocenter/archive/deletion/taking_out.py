"""Taking deleted records out of the packs, without a moment at which a kept one is in danger.

Every step may be the last one before a power cut, and all of it be done again: what has been done
is seen by what lies where.

* A whole pack: renamed into the trash, both folders forced to disk, then forgotten by the index.
* Part of a pack: the copy in the trash is complete and on the disk before the first byte in the
  pack is touched. Then data sets are overwritten, then their headers, with a sync between, so that
  a header that says `deleted` stands before zeros only.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.erasing import erase_range
from isocenter.archive.deletion.pending import PendingRemovals
from isocenter.archive.deletion.trash import DeletedRecord, Trash
from isocenter.archive.layout import MARKERS
from isocenter.archive.pack_locks import unread
from isocenter.archive.packs import READ_SIZE, sync_folder, write_fully
from isocenter.archive.records import Record, walk_records
from isocenter.archive.tar import (
    BLOCK,
    END_OF_ARCHIVE,
    PackDamaged,
    encode_void,
    padding,
)
from isocenter.errors import IsocenterError

INDEX_SECONDS = 60.0

log = structlog.get_logger(__name__)


class PackNotFinished(IsocenterError):
    """A pack is still being written, by this process or another."""


def take_out(archive: Archive, trash: Trash, pack: str, records: Sequence[DeletedRecord]) -> None:
    """Move `records`, all of one pack, from there into the trash.

    Raises PackNotFinished and PackInUse, after which it is to be done again; OSError.
    """
    source, target = archive.packs.root / pack, trash.pack(pack)
    if not source.exists():
        if not target.exists():
            log.error("a pack with deleted objects is missing", pack=pack)
        archive.index.forget_packs([pack], INDEX_SECONDS)
        return
    _require_finished(archive, pack)
    stays, dead = _what_stays(archive, trash, pack, records)
    if not stays:
        _move(source, target)
        archive.index.forget_packs([pack], INDEX_SECONDS)
        return
    fd = os.open(source, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not target.exists():
            _copy(fd, target, records)
        places = [(record.offset, record.length) for record in records]
        _make_void(fd, pack, places + dead)
    finally:
        os.close(fd)


def _require_finished(archive: Archive, pack: str) -> None:
    """A pack that is sealed, and has no marker any more, is changed by nobody else."""
    name = pack.rpartition("/")[2]
    markers = archive.folder / MARKERS
    if not archive.index.is_sealed(pack) or next(markers.rglob(name), None) is not None:
        raise PackNotFinished("A pack of the study is still being written; it is sealed soon.")


def _what_stays(
    archive: Archive, trash: Trash, pack: str, records: Sequence[DeletedRecord]
) -> tuple[bool, list[tuple[int, int]]]:
    """Whether a pack holds anything else, and where it holds what nobody knows of the same UIDs.

    Such records are there twice: somebody stored them in two processes at once, and the index
    took the other one, or a copy is in quarantine.
    """
    others = PendingRemovals(archive.folder, but=trash.path.name)
    offsets = {record.offset for record in records}
    uids = {record.sop_instance_uid for record in records}
    stays, dead = False, []
    fd = os.open(archive.packs.root / pack, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for record in walk_records(fd):
            if record.header.is_void or record.offset in offsets:
                continue
            uid = _sop_instance_uid(record)
            known = archive.index.locate(uid)
            if (known is not None and (known.pack, known.offset) == (pack, record.offset)) or (
                pack,
                record.offset,
            ) in others:
                stays = True
            elif uid in uids:
                dead.append((record.offset, record.header.size))
    except PackDamaged as error:  # behind the damage there may be more that stays
        log.error("a pack is damaged between its records", pack=pack, error=error)
        stays = True
    finally:
        os.close(fd)
    return stays, dead


def _sop_instance_uid(record: Record) -> str:
    return record.header.name.partition("/")[2].removesuffix(".dcm")


def _move(source: Path, target: Path) -> None:
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)
    with suppress(OSError):  # other packs of the study are in it
        source.parent.rmdir()
        sync_folder(source.parent.parent)


def _copy(fd: int, target: Path, records: Sequence[DeletedRecord]) -> None:
    """Write the records, their headers as they are, as a pack of their own."""
    draft = target.with_suffix(".part")
    copy = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        end = 0
        for record in sorted(records, key=lambda record: record.offset):
            start = record.offset - BLOCK
            size = BLOCK + record.length + padding(record.length)
            for at in range(0, size, READ_SIZE):
                piece = os.pread(fd, min(READ_SIZE, size - at), start + at)
                write_fully(copy, [piece], end + at)
            end += size
        write_fully(copy, [END_OF_ARCHIVE], end)
        os.fsync(copy)
    finally:
        os.close(copy)
    draft.rename(target)
    sync_folder(target.parent)


def _make_void(fd: int, pack: str, places: Sequence[tuple[int, int]]) -> None:
    for offset, length in places:
        with unread(fd, pack):
            erase_range(fd, offset, length + padding(length))
    os.fdatasync(fd)
    for offset, length in places:
        write_fully(fd, [encode_void(length)], offset - BLOCK)
    os.fdatasync(fd)
