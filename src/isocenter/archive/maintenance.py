"""Looking after an archive: reading everything back, and rebuilding the index from packs alone."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import structlog

from isocenter.archive.archive import locked
from isocenter.archive.deletion.erasing import erase_database
from isocenter.archive.deletion.pending import PendingRemovals
from isocenter.archive.index import Index, IndexEntry, IndexReader, IndexUnavailable, Outcome
from isocenter.archive.index.connection import fold_log
from isocenter.archive.index.reader import StoredRecord
from isocenter.archive.layout import INDEX_FILE, MARKERS, PACKS, QUARANTINE
from isocenter.archive.packs import PackStore, sync_folder
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.records import (
    Record,
    dataset_digest,
    open_pack,
    read_entry,
    walk_records,
)
from isocenter.archive.recovery import (
    INDEX_SECONDS,
    end_of,
    find_records,
    intact_entry,
)
from isocenter.archive.tar import BLOCK, END_OF_ARCHIVE, PackDamaged
from isocenter.encoding.errors import EncodingError

_REFUSALS = {
    Outcome.CONFLICT: "Two packs hold different objects under this UID.",
    Outcome.FAILED: "The index could not take this object.",
}

log = structlog.get_logger(__name__)

OnProgress = Callable[[int, int | None], None]


class Problem(NamedTuple):
    """Something wrong with a pack, in one sentence."""

    pack: str
    reason: str


class ReindexReport(NamedTuple):
    """What the packs gave: records read, rows made, and what was wrong."""

    packs: int
    records: int
    instances: int
    problems: list[Problem]


class VerifyReport(NamedTuple):
    """What reading everything back showed."""

    instances: int
    bytes: int
    problems: list[Problem]


def reindex(folder: Path, *, on_progress: OnProgress | None = None) -> ReindexReport:
    """Build the index anew from the packs in `folder`, then put it in the old one's place.

    The old index stays in use until the new one is complete, and is kept as `.old` afterwards.
    What was deleted, and is only still to be taken out of its packs, is left out. `on_progress`
    gets packs read and packs in all. Raises ArchiveInUse, ArchiveIndexError and OSError.
    """
    with locked(folder):
        target, fresh = folder / INDEX_FILE, folder / f"{INDEX_FILE}.new"
        erase_database(fresh)
        with Index.open(fresh) as index:
            report = _Rebuild(folder, index).run(on_progress)
        fold_log(fresh)
        _keep_old(target, target.with_name(f"{INDEX_FILE}.old"))
        fresh.replace(target)
        sync_folder(folder)
    return report


def _keep_old(target: Path, old: Path) -> None:
    """Give the old index a second name; its log must be gone before a new file has the first."""
    if not target.exists():
        erase_database(target)  # a log of nothing
        return
    try:
        fold_log(target)
    except IndexUnavailable as error:
        log.warning("the old index is kept with its log", error=error)
    erase_database(old)
    try:
        old.hardlink_to(target)
    except OSError:  # a file system without links: a kill now leaves no index, which a start says
        target.replace(old)
    for suffix in ("-wal", "-shm"):
        beside = target.with_name(target.name + suffix)
        if beside.exists():
            beside.replace(old.with_name(old.name + suffix))


class _Rebuild:
    """Reads every pack into an empty index."""

    def __init__(self, folder: Path, index: Index) -> None:
        self._index = index
        self._store = PackStore(folder)
        self._quarantine = Quarantine(folder / QUARANTINE)
        self._deleted = PendingRemovals(folder)
        self._unsealed = {marker.name for marker in (folder / MARKERS).rglob("*.tar")}
        self._kept_aside: set[tuple[str, int]] = set()
        self._offer_last: list[IndexEntry] = []
        self._refused: list[tuple[IndexEntry, str]] = []
        self._problems: list[Problem] = []
        self._stored = self._records = 0

    def run(self, on_progress: OnProgress | None) -> ReindexReport:
        for kept in self._quarantine.entries():
            self._index.record_quarantine(kept, INDEX_SECONDS)
            self._kept_aside.add((kept.sop_instance_uid, kept.digest))
        packs = list(self._store.all_packs())
        for number, pack in enumerate(packs, 1):
            self._offer_pack(pack)
            if on_progress is not None:
                on_progress(number, len(packs))
        # Now they cannot take the place of what was stored under their UIDs.
        for entry in self._offer_last:
            self._index.submit(entry, self._note)
        self._index.flush(INDEX_SECONDS)
        self._keep_refused()
        return ReindexReport(len(packs), self._records, self._stored, self._problems)

    def _offer_pack(self, pack: str) -> None:
        root = self._store.root
        try:
            fd = open_pack(root, pack)
            try:
                for entry in self._entries(fd, pack):
                    self._records += 1
                    if (entry.sop_instance_uid, entry.digest) in self._kept_aside:
                        self._offer_last.append(entry)
                    else:
                        self._index.submit(entry, self._note)
            finally:
                os.close(fd)
        except OSError as error:
            self._problems.append(Problem(pack, f"It cannot be read: {error.strerror}."))
        self._index.seal_pack(pack, (root / pack).stat().st_size, INDEX_SECONDS)

    def _entries(self, fd: int, pack: str) -> Iterator[IndexEntry]:
        # What a crash left may have a header and no data; what was sealed was forced to disk.
        unsealed = pack.rpartition("/")[2] in self._unsealed
        read = intact_entry if unsealed else read_entry
        for record in self._whole_records(fd, pack, torn_end_expected=unsealed):
            if record.header.is_void or (pack, record.offset) in self._deleted:
                continue
            try:
                yield read(fd, pack, record)
            except (PackDamaged, EncodingError) as error:
                self._problems.append(Problem(pack, f"At byte {record.offset}: {error}"))

    def _whole_records(self, fd: int, pack: str, *, torn_end_expected: bool) -> Iterator[Record]:
        """Yield the records before, between and behind damage."""
        position: int | None = 0
        while position is not None:
            reason = "A pack ends in the middle of a record, or too early."
            try:
                for record in walk_records(fd, position):
                    yield record
                    position = end_of(record)
            except PackDamaged as error:
                reason = str(error)
            if _is_end(fd, position):
                return
            damaged, position = position, _next_intact(fd, pack, position + BLOCK)
            if position is not None or not torn_end_expected:
                behind = "nothing" if position is None else f"a whole record at byte {position}"
                reason = f"At byte {damaged}: {reason} Behind it there is {behind}."
                self._problems.append(Problem(pack, reason))

    def _note(self, entry: IndexEntry, outcome: Outcome) -> None:
        self._stored += outcome is Outcome.STORED
        if outcome in _REFUSALS:
            self._refused.append((entry, _REFUSALS[outcome]))

    def _keep_refused(self) -> None:
        for entry, reason in self._refused:
            known = entry.sop_instance_uid, entry.digest
            if known not in self._kept_aside:
                self._kept_aside.add(known)
                path = self._store.root / entry.pack
                kept = self._quarantine.keep_record(path, entry, reason)
                self._index.record_quarantine(kept, INDEX_SECONDS)


def _is_end(fd: int, position: int) -> bool:
    """Whether nothing but the marks of a pack's end are left. They may be cut off."""
    rest = os.pread(fd, len(END_OF_ARCHIVE) + 1, position)
    return END_OF_ARCHIVE.startswith(rest)


def _next_intact(fd: int, pack: str, start: int) -> int | None:
    """Return where the first record at or after `start` begins that matches its digest."""
    size = os.fstat(fd).st_size
    for position, record in find_records(fd, start):
        if record.header.size and end_of(record) <= size:
            try:
                intact_entry(fd, pack, record)
            except (PackDamaged, EncodingError):
                continue
            return position
    return None


def verify(folder: Path, *, on_progress: OnProgress | None = None) -> VerifyReport:
    """Read back every instance that the index knows and compare its digest.

    Works beside a running node. `on_progress` gets instances read and instances in all.
    """
    reader = IndexReader(folder / INDEX_FILE)
    try:
        return _verify(reader, folder / PACKS, on_progress)
    finally:
        reader.close()


def _verify(reader: IndexReader, root: Path, on_progress: OnProgress | None) -> VerifyReport:
    problems: list[Problem] = []
    missing: Counter[Problem] = Counter()
    count = size = 0
    total = reader.statistics().instances
    for page in reader.pages_of_records():
        page.sort()
        for path, of_pack in groupby(page, key=attrgetter("pack")):
            records = list(of_pack)
            try:
                found = _verify_pack(root, path, records)
            except OSError as error:
                lost = sum(map(reader.is_there, records))  # a deletion takes packs away
                missing[Problem(path, f"It cannot be opened ({error.strerror})")] += lost
            else:
                problems += [problem for record, problem in found if reader.is_there(record)]
        count += len(page)
        size += sum(record.length for record in page)
        if on_progress is not None:
            on_progress(count, max(total, count))
    for (path, reason), lost in (+missing).items():
        problems.append(Problem(path, f"{reason}: {lost} instances are missing."))
    return VerifyReport(count, size, problems)


def _verify_pack(
    root: Path, path: str, records: list[StoredRecord]
) -> list[tuple[StoredRecord, Problem]]:
    """Return what is wrong with some records of a pack. Raises OSError if it cannot be opened."""
    problems = []
    fd = open_pack(root, path)
    try:
        for record in records:
            _, offset, length, dataset_offset, digest, _ = record
            try:
                actual = dataset_digest(fd, offset, length, dataset_offset)
            except (PackDamaged, OSError) as error:
                problems.append((record, Problem(path, f"At byte {offset}: {error}")))
                continue
            if actual != digest:
                reason = f"At byte {offset}: the data set is not what was received."
                problems.append((record, Problem(path, reason)))
    finally:
        os.close(fd)
    return problems
