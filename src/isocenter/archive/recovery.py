"""After a crash: read again the packs that were open, and no others.

A marker in `open/` names each of them. Their whole records are offered to the index, which knows
most of them; a record that it does not know is checked against its digest first. What follows the
last whole, intact record was never acknowledged and is cut off. Then the pack is sealed like any
other.
"""

import os
from pathlib import Path
from typing import NamedTuple

import structlog

from isocenter.archive.index import IndexEntry, Outcome
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.layout import MARKERS, PACKS, QUARANTINE
from isocenter.archive.packs import sync_folder, write_fully
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.records import Record, dataset_digest, read_entry, walk_records
from isocenter.archive.tar import END_OF_ARCHIVE, PackDamaged, padding
from isocenter.encoding.errors import EncodingError

log = structlog.get_logger(__name__)


class Recovered(NamedTuple):
    """What a recovery found: packs read again, whole records in them, bytes cut off."""

    packs: int
    records: int
    bytes_cut: int


def recover(root: Path, markers: Path, index: ArchiveIndex, quarantine: Quarantine) -> Recovered:
    """Bring the packs that `markers` names, and the index, to the state that was acknowledged.

    Raises OSError and ArchiveIndexError; then nothing has been lost, and it can be run again.
    """
    packs = records = cut = 0
    for marker in sorted(markers.rglob("*.tar")):
        pack = marker.read_text()
        if pack and (root / pack).exists():
            found, removed = _recover_pack(root, pack, index, quarantine)
            packs, records, cut = packs + 1, records + found, cut + removed
        marker.unlink()
    return Recovered(packs, records, cut)


def recover_archive(folder: Path, index: ArchiveIndex) -> Recovered:
    """Recover what any process of the last run left open in the archive in `folder`."""
    packs, markers = folder / PACKS, folder / MARKERS
    recovered = recover(packs, markers, index, Quarantine(folder / QUARANTINE))
    if recovered.packs:
        log.warning("recovered after an unclean stop", **recovered._asdict())
    return recovered


def _recover_pack(
    root: Path, pack: str, index: ArchiveIndex, quarantine: Quarantine
) -> tuple[int, int]:
    conflicts: list[IndexEntry] = []

    def note_conflict(entry: IndexEntry, outcome: Outcome) -> None:
        if outcome is Outcome.CONFLICT:
            conflicts.append(entry)

    fd = os.open(root / pack, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        end = count = 0
        for record, entry in _intact_records(fd, pack, index):
            end = record.offset + record.header.size + padding(record.header.size)
            count += 1
            if entry is not None:
                index.submit(entry, note_conflict)
        os.ftruncate(fd, end)
        write_fully(fd, [END_OF_ARCHIVE], end)
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder((root / pack).parent)
    index.forget_records(pack, end)
    index.seal_pack(pack, end + len(END_OF_ARCHIVE))
    for entry in conflicts:
        kept = quarantine.keep_record(root / pack, entry, "Found again after a crash.")
        index.record_quarantine(kept)
    removed = max(0, size - end)
    log.info("recovered a pack", pack=pack, records=count, bytes_cut=removed)
    return count, removed


def _intact_records(
    fd: int, pack: str, index: ArchiveIndex
) -> list[tuple[Record, IndexEntry | None]]:
    """Return the records up to the first that is torn; with an entry where the index lacks one."""
    found: list[tuple[Record, IndexEntry | None]] = []
    try:
        for record in walk_records(fd):
            entry = _missing_entry(fd, pack, record, index)
            found.append((record, entry))
    except (PackDamaged, EncodingError) as error:
        log.warning("a pack ends in a torn record", pack=pack, error=str(error))
    return found


def _missing_entry(fd: int, pack: str, record: Record, index: ArchiveIndex) -> IndexEntry | None:
    sop_instance_uid = record.header.name.partition("/")[2].removesuffix(".dcm")
    known = index.locate(sop_instance_uid)
    if known is not None and (known.pack, known.offset) == (pack, record.offset):
        return None
    entry = read_entry(fd, pack, record)
    if dataset_digest(fd, entry.offset, entry.length, entry.dataset_offset) != entry.digest:
        raise PackDamaged("A record's data set does not match its digest.")
    return entry
