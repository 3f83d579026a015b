"""Looking after an archive: reading everything back, and rebuilding the index from packs alone."""

import os
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from isocenter.archive.archive import locked
from isocenter.archive.index import Index, IndexEntry, IndexReader, Outcome
from isocenter.archive.index.schema import instance, pack
from isocenter.archive.layout import INDEX_FILE, PACKS, QUARANTINE
from isocenter.archive.packs import PackStore
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.records import dataset_digest, open_pack, read_entry, walk_records
from isocenter.archive.tar import PackDamaged
from isocenter.encoding.errors import EncodingError

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
    `on_progress` gets packs read and packs in all. Raises ArchiveInUse and OSError.
    """
    with locked(folder):
        target, fresh = folder / INDEX_FILE, folder / f"{INDEX_FILE}.new"
        _remove_database(fresh)
        with Index.open(fresh) as index:
            report = _rebuild(folder, index, on_progress)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        if target.exists():
            target.replace(target.with_name(f"{INDEX_FILE}.old"))
        fresh.replace(target)
    return report


def _rebuild(folder: Path, index: Index, on_progress: OnProgress | None) -> ReindexReport:
    quarantine = Quarantine(folder / QUARANTINE)
    kept_aside = list(quarantine.entries())
    for kept in kept_aside:
        index.record_quarantine(kept)
    store = PackStore(folder)
    packs = list(store.all_packs())
    problems: list[Problem] = []
    conflicts: list[IndexEntry] = []
    stored = records = 0

    def count(entry: IndexEntry, outcome: Outcome) -> None:
        nonlocal stored
        stored += outcome is Outcome.STORED
        if outcome is Outcome.CONFLICT:
            conflicts.append(entry)

    for number, path in enumerate(packs, 1):
        try:
            for entry in _entries(store.root, path):
                records += 1
                index.submit(entry, count)
        except (PackDamaged, EncodingError, OSError) as error:
            problems.append(Problem(path, str(error)))
        index.seal_pack(path, (store.root / path).stat().st_size)
        if on_progress is not None:
            on_progress(number, len(packs))
    index.flush()
    known = {(kept.sop_instance_uid, kept.digest) for kept in kept_aside}
    for entry in conflicts:
        if (entry.sop_instance_uid, entry.digest) not in known:
            kept = quarantine.keep_record(
                store.root / entry.pack, entry, "Two packs hold different objects under this UID."
            )
            index.record_quarantine(kept)
    return ReindexReport(len(packs), records, stored, problems)


def _entries(root: Path, path: str) -> Iterator[IndexEntry]:
    fd = open_pack(root, path)
    try:
        for record in walk_records(fd):
            yield read_entry(fd, path, record)
    finally:
        os.close(fd)


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
    statement = (
        select(
            pack.c.path,
            instance.c.offset,
            instance.c.length,
            instance.c.dataset_offset,
            instance.c.digest,
        )
        .join_from(instance, pack)
        .order_by(instance.c.pack, instance.c.offset)
    )
    problems: list[Problem] = []
    count = size = 0
    total = reader.statistics().instances
    with reader.connect() as connection:
        rows = connection.execution_options(yield_per=1000).execute(statement)
        for path, of_pack in groupby(rows, key=lambda row: str(row.path)):
            records = [(row.offset, row.length, row.dataset_offset, row.digest) for row in of_pack]
            problems += _verify_pack(root, path, records)
            count += len(records)
            size += sum(length for _, length, _, _ in records)
            if on_progress is not None:
                on_progress(count, max(total, count))
    return VerifyReport(count, size, problems)


def _verify_pack(root: Path, path: str, records: list[tuple[int, int, int, int]]) -> list[Problem]:
    try:
        fd = open_pack(root, path)
    except OSError as error:
        reason = f"It cannot be opened ({error.strerror}): {len(records)} instances are missing."
        return [Problem(path, reason)]
    problems = []
    try:
        for offset, length, dataset_offset, digest in records:
            try:
                actual = dataset_digest(fd, offset, length, dataset_offset)
            except (PackDamaged, OSError) as error:
                problems.append(Problem(path, f"At byte {offset}: {error}"))
                continue
            if actual != digest % 2**64:
                reason = f"At byte {offset}: the data set is not what was received."
                problems.append(Problem(path, reason))
    finally:
        os.close(fd)
    return problems


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
