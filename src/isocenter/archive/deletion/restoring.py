"""Bringing deleted records back: the bytes that were received, as new records of the study's packs.

What was stored under a UID meanwhile stays: the same bytes again need nothing, other bytes send the
record from the trash to quarantine, as when a modality sends it.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from isocenter.archive.archive import Archive
from isocenter.archive.deletion.quarantined import move_back
from isocenter.archive.deletion.trash import Trash
from isocenter.archive.identity import STUDY_DATE, STUDY_INSTANCE_UID
from isocenter.archive.index import IndexEntry, Outcome
from isocenter.archive.packs import READ_SIZE, OpenPack
from isocenter.archive.records import Record, open_pack, read_entry, walk_records
from isocenter.archive.tar import BLOCK
from isocenter.errors import IsocenterError

INDEX_SECONDS = 60.0

AT_ONCE = 200
"""Records written with one sync."""

CONFLICT_REASON = "It was restored, but another object is stored under this SOP Instance UID."


class Restored(NamedTuple):
    """How many instances are back, and how many are in quarantine instead."""

    instances: int
    conflicts: int


class NotRestored(IsocenterError):
    """The archive did not take an object back."""


def restore(archive: Archive, trash: Trash) -> Restored:
    """Put everything in the trash's folder back; all of it may be done again after a crash.

    Raises OSError, EncodingError, ArchiveIndexError and NotRestored: then nothing is lost.
    """
    conflicts = count = 0
    wanted = {(one.sop_instance_uid, one.digest) for one in trash.records()}
    for path in sorted(trash.path.glob("*.tar")):
        fd = open_pack(trash.path, path.name)
        try:
            found = [one for one in _entries(fd, path.name) if _key(one[1]) in wanted]
            wanted.difference_update(_key(entry) for _, entry in found)
            for start in range(0, len(found), AT_ONCE):
                refused = _restore(archive, fd, found[start : start + AT_ONCE])
                for entry in refused:
                    _set_aside(archive, path, entry)
                conflicts += len(refused)
            count += len(found)
        finally:
            os.close(fd)
    if wanted:
        raise NotRestored(f"{len(wanted)} objects are missing in the folder {trash.path}.")
    move_back(archive, trash)
    return Restored(count - conflicts, conflicts)


def _entries(fd: int, pack: str) -> Iterator[tuple[Record, IndexEntry]]:
    for record in walk_records(fd):
        if not record.header.is_void:
            yield record, read_entry(fd, pack, record)


def _key(entry: IndexEntry) -> tuple[str, int]:
    return entry.sop_instance_uid, entry.digest


def _restore(
    archive: Archive, fd: int, found: Sequence[tuple[Record, IndexEntry]]
) -> list[IndexEntry]:
    """Store records of one pack again; return those under whose UIDs other bytes are stored."""
    archive.index.flush(INDEX_SECONDS)
    refused: list[IndexEntry] = []
    missing: list[tuple[Record, IndexEntry]] = []
    for record, entry in found:
        known = archive.index.locate(entry.sop_instance_uid)
        if known is None:
            missing.append((record, entry))
        elif known.digest != entry.digest:
            refused.append(entry)
    if missing:
        outcomes = _index(archive, _write(archive, fd, missing))
        if Outcome.FAILED in outcomes:
            raise NotRestored("The index did not take an object that was to be restored.")
        refused += [
            entry
            for (_, entry), outcome in zip(missing, outcomes, strict=True)
            if outcome is Outcome.CONFLICT
        ]
    return refused


def _write(
    archive: Archive, fd: int, records: Sequence[tuple[Record, IndexEntry]]
) -> list[IndexEntry]:
    """Append records of one study to one of its packs, durably; return their new entries."""
    header = records[0][1].header
    pack = archive.packs.lease(_text(header, STUDY_INSTANCE_UID), _text(header, STUDY_DATE))
    try:
        placed = [_append(pack, fd, record, entry) for record, entry in records]
        os.fdatasync(pack.fd)
        archive.packs.make_entry_durable(pack)
    except BaseException:
        pack.failed = True  # what it holds beyond its last sync is not in the index
        raise
    finally:
        archive.give_back(pack)
    return placed


def _text(header: Mapping[int, bytes], tag: int) -> str:
    return header.get(tag, b"").decode("latin-1").strip(" \0")


def _append(pack: OpenPack, fd: int, record: Record, entry: IndexEntry) -> IndexEntry:
    """Write a record into a pack as it is, header and all; return its entry there."""
    offset, size = pack.end + BLOCK, record.header.size
    for at in range(0, size, READ_SIZE):
        piece = os.pread(fd, min(READ_SIZE, size - at), record.offset + at)
        pack.continue_record(offset + at, memoryview(piece))
    pack.finish_record(os.pread(fd, BLOCK, record.offset - BLOCK), size)
    return entry._replace(pack=pack.path, offset=offset)


def _index(archive: Archive, entries: Sequence[IndexEntry]) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    decided = threading.Event()

    def note(entry: IndexEntry, outcome: Outcome) -> None:
        outcomes[entry.sop_instance_uid] = outcome
        if len(outcomes) == len(entries):
            decided.set()

    for entry in entries:
        archive.index.submit(entry, note)
    archive.index.flush(INDEX_SECONDS)
    if not decided.wait(INDEX_SECONDS):
        raise NotRestored("The index did not answer while objects were restored.")
    return [outcomes[entry.sop_instance_uid] for entry in entries]


def _set_aside(archive: Archive, path: Path, entry: IndexEntry) -> None:
    if not archive.index.is_quarantined(entry.sop_instance_uid, entry.digest):
        kept = archive.quarantine.keep_record(path, entry, CONFLICT_REASON)
        archive.index.record_quarantine(kept, INDEX_SECONDS)
