"""After a crash: read again the packs that were open, and no others.

A marker in `open/` names each of them. Their whole records are offered to the index, which knows
most of them; a record that it does not know is checked against its digest first. What follows the
last whole, intact record was never acknowledged and is cut off. Then the pack is sealed like any
other. A record that was deleted, and is only still to be taken out of its pack, stays unknown.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import structlog

from isocenter.archive.deletion.pending import PendingRemovals
from isocenter.archive.index import IndexEntry, Outcome
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.layout import MARKERS, PACKS, QUARANTINE
from isocenter.archive.packs import READ_SIZE, sync_folder, write_fully
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.records import Record, dataset_digest, read_entry, walk_records
from isocenter.archive.tar import BLOCK, END_OF_ARCHIVE, PackDamaged, find_headers, padding
from isocenter.encoding.errors import EncodingError

INDEX_SECONDS = 60.0
"""How long a recovery waits for the index, which on a full disk does not answer."""

REFUSALS: Mapping[Outcome, str] = {
    Outcome.CONFLICT: "Found again after a crash.",
    Outcome.FAILED: "The index could not take this object.",
}
"""Why a record that was read again is put into quarantine, by what the index made of it."""

log = structlog.get_logger(__name__)


class Recovered(NamedTuple):
    """What a recovery found: packs read again, whole records in them, bytes cut off."""

    packs: int
    records: int
    bytes_cut: int


def recover(
    root: Path,
    markers: Path,
    index: ArchiveIndex,
    quarantine: Quarantine,
    deleted: PendingRemovals,
) -> Recovered:
    """Bring the packs that `markers` names, and the index, to the state that was acknowledged.

    What is `deleted` is not brought back.

    Raises OSError and ArchiveIndexError; then nothing has been lost, and it can be run again.
    """

    @cache
    def all_packs() -> dict[str, str]:
        return {path.name: path.relative_to(root).as_posix() for path in root.rglob("*.tar")}

    packs = records = cut = 0
    for marker in sorted(markers.rglob("*.tar")):
        pack = _named_by(marker, root, all_packs)
        if pack is not None:
            found, removed = _recover_pack(root, pack, index, quarantine, deleted)
            packs, records, cut = packs + 1, records + found, cut + removed
        marker.unlink()
    return Recovered(packs, records, cut)


def _named_by(marker: Path, root: Path, all_packs: Callable[[], Mapping[str, str]]) -> str | None:
    """Return the pack that a marker stands for, None where there is none.

    After a power loss a marker may be there without its content; the pack has the same name.
    """
    pack = marker.read_bytes().decode("ascii", "replace")
    if pack.endswith(".tar") and (root / pack).is_file():
        return pack
    return all_packs().get(marker.name)


def recover_archive(folder: Path, index: ArchiveIndex) -> Recovered:
    """Recover what any process of the last run left open in the archive in `folder`."""
    packs, markers = folder / PACKS, folder / MARKERS
    deleted = PendingRemovals(folder)
    recovered = recover(packs, markers, index, Quarantine(folder / QUARANTINE), deleted)
    if recovered.packs:
        log.warning("recovered after an unclean stop", **recovered._asdict())
    deleted.apply(index, INDEX_SECONDS)
    return recovered


def _recover_pack(
    root: Path,
    pack: str,
    index: ArchiveIndex,
    quarantine: Quarantine,
    deleted: PendingRemovals,
) -> tuple[int, int]:
    refused: list[tuple[IndexEntry, str]] = []

    def note_refusal(entry: IndexEntry, outcome: Outcome) -> None:
        if outcome in REFUSALS:
            refused.append((entry, REFUSALS[outcome]))

    fd = os.open(root / pack, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        end = count = 0
        for record, entry in _intact_records(fd, pack, index):
            end = end_of(record)
            count += 1
            if entry is not None and (pack, entry.offset) not in deleted:
                index.submit(entry, note_refusal)
        os.ftruncate(fd, end)
        write_fully(fd, [END_OF_ARCHIVE], end)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder((root / pack).parent)
    index.forget_records(pack, end, INDEX_SECONDS)
    index.seal_pack(pack, end + len(END_OF_ARCHIVE), INDEX_SECONDS)
    for entry, reason in refused:
        if not index.is_quarantined(entry.sop_instance_uid, entry.digest):
            kept = quarantine.keep_record(root / pack, entry, reason)
            index.record_quarantine(kept, INDEX_SECONDS)
    removed = max(0, size - end)
    log.info("recovered a pack", pack=pack, records=count, bytes_cut=removed)
    return count, removed


def _intact_records(
    fd: int, pack: str, index: ArchiveIndex
) -> list[tuple[Record, IndexEntry | None]]:
    """Return the records up to the first that is torn; with an entry where the index lacks one.

    Behind the damage of a bad disk there may be more, which the index knows: they were acknowledged
    and are not given up. Anything else there is the inside of a torn object, whatever it may look
    like.
    """
    found: list[tuple[Record, IndexEntry | None]] = []
    position: int | None = 0
    while position is not None:
        try:
            for record in walk_records(fd, position):
                if not record.header.is_void:
                    found.append((record, _missing_entry(fd, pack, record, index)))
                position = end_of(record)
        except (PackDamaged, EncodingError) as error:
            log.warning("a pack holds a torn record", pack=pack, error=str(error))
        torn_at, position = position, _next_known(fd, pack, position, index)
        if position is not None:
            log.error("a pack is damaged between its records", pack=pack, offset=torn_at)
    return found


def _next_known(fd: int, pack: str, torn_at: int, index: ArchiveIndex) -> int | None:
    """Return where the first record behind `torn_at` begins that the index knows to be there."""
    behind = find_records(fd, torn_at + BLOCK)
    return next((position for position, record in behind if _is_known(pack, record, index)), None)


def _missing_entry(fd: int, pack: str, record: Record, index: ArchiveIndex) -> IndexEntry | None:
    if _is_known(pack, record, index):
        return None
    return intact_entry(fd, pack, record)


def end_of(record: Record) -> int:
    """Return where the next record of the pack begins."""
    return record.offset + record.header.size + padding(record.header.size)


def find_records(fd: int, start: int) -> Iterator[tuple[int, Record]]:
    """Yield whatever looks like a record at or after `start`, and where its header begins.

    It may be the inside of an object.
    """
    position = start
    while piece := os.pread(fd, READ_SIZE, position):
        for at, header in find_headers(piece):
            yield position + at, Record(position + at + BLOCK, header)
        position += READ_SIZE


def intact_entry(fd: int, pack: str, record: Record) -> IndexEntry:
    """Return the index entry of a record whose data set matches its digest.

    Raises PackDamaged and EncodingError.
    """
    entry = read_entry(fd, pack, record)
    if dataset_digest(fd, entry.offset, entry.length, entry.dataset_offset) != entry.digest:
        raise PackDamaged("A record's data set does not match its digest.")
    return entry


def _is_known(pack: str, record: Record, index: ArchiveIndex) -> bool:
    sop_instance_uid = record.header.name.partition("/")[2].removesuffix(".dcm")
    known = index.locate(sop_instance_uid)
    return known is not None and (known.pack, known.offset) == (pack, record.offset)
