"""Whether the archive can vouch for instances: on stable storage, read back, digest equal.

That is more than a look into the index. The pack and the folders that lead to it are forced to disk
again, the pages that the kernel holds of it are dropped, and what then comes back from the disk is
compared with what was received.
"""

import os
from collections.abc import Sequence
from itertools import groupby
from mmap import PAGESIZE
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from isocenter.archive.archive import Archive
from isocenter.archive.index import IndexUnavailable
from isocenter.archive.index.entry import Location
from isocenter.archive.index.schema import instance, quarantine, series, study
from isocenter.archive.index.uids import pack_uid, unpack_uid
from isocenter.archive.layout import MARKERS
from isocenter.archive.packs import sync_folder
from isocenter.archive.query.visibility import seeing
from isocenter.archive.records import dataset_digest, open_pack
from isocenter.archive.tar import PackDamaged
from isocenter.security.access import Scope

FLUSH_SECONDS = 10.0

SopInstance = tuple[str, str]
"""SOP class and SOP instance UID."""

log = structlog.get_logger(__name__)


# The failure reasons of PS3.3 C.14 that can be told here.
PROCESSING_FAILURE = 0x0110
NO_SUCH_OBJECT_INSTANCE = 0x0112
CLASS_INSTANCE_CONFLICT = 0x0119


class Unsafe(NamedTuple):
    """Why the archive cannot vouch for an instance; `reason` is one of PS3.3 C.14."""

    position: int
    reason: int


class Found(NamedTuple):
    """An instance that is stored, by its position in what was asked about."""

    position: int
    location: Location


class Safekeeping:
    """Checks instances of one archive. Reads much: for a thread that nobody waits for.

    First `survey` says what is there at all, then `examine` reads it back, in as large pieces as
    the caller sees fit.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def survey(
        self, instances: Sequence[SopInstance], sender: str, scope: Scope
    ) -> tuple[list[Found], list[Unsafe]]:
        """What is stored, in the order in which it lies on the disk, and what is not as asked.

        What is outside of `scope` is not there, whatever its class. `sender` is the AE title that
        wants to know. An instance whose bytes differed when that sender sent them was kept aside:
        what the sender holds is not what is stored, so it is not vouched for.

        Raises IndexUnavailable: then nothing is known.
        """
        found, unsafe = self._locate(instances, scope)
        aside = self._kept_aside([instances[one.position][1] for one in found], sender)
        kept = [one for one in found if instances[one.position][1] not in aside]
        unsafe += [
            Unsafe(one.position, PROCESSING_FAILURE)
            for one in found
            if instances[one.position][1] in aside
        ]
        return sorted(kept, key=lambda one: (one.location.pack, one.location.offset)), unsafe

    def examine(self, found: Sequence[Found]) -> list[Unsafe]:
        """Force instances to disk, read them back, and return those that are not intact.

        Raises OSError where the markers of open packs cannot be forced to disk.
        """
        unsafe: list[Unsafe] = []
        for pack, records in groupby(found, key=lambda one: one.location.pack):
            unsafe += self._check_pack(pack, list(records))
        self._sync_markers()
        return unsafe

    def _locate(
        self, instances: Sequence[SopInstance], scope: Scope
    ) -> tuple[list[Found], list[Unsafe]]:
        index = self._archive.index
        if index.backlog:
            index.flush(FLUSH_SECONDS)
        locations = [index.locate(uid) for _, uid in instances]
        if scope.labels is not None:
            seen = self._seen([uid for _, uid in instances], sorted(scope.labels))
            locations = [
                location if uid in seen else None
                for (_, uid), location in zip(instances, locations, strict=True)
            ]
        found: list[Found] = []
        unsafe: list[Unsafe] = []
        for position, location in enumerate(locations):
            if location is None:
                unsafe.append(Unsafe(position, NO_SUCH_OBJECT_INSTANCE))
            elif location.sop_class_uid != instances[position][0]:
                unsafe.append(Unsafe(position, CLASS_INSTANCE_CONFLICT))
            else:
                found.append(Found(position, location))
        return found, unsafe

    def _seen(self, uids: Sequence[str], labels: Sequence[str]) -> frozenset[str]:
        """Those of some instances whose studies have one of the labels."""
        wanted = (
            select(instance.c.uid)
            .join_from(instance, series, series.c.id == instance.c.series)
            .join(study, study.c.id == series.c.study)
            .where(instance.c.uid.in_([pack_uid(uid) for uid in uids]), seeing(labels)(study))
        )
        try:
            with self._archive.index.connect_labelled() as connection:
                return frozenset(map(unpack_uid, connection.execute(wanted).scalars()))
        except DBAPIError as error:
            raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error

    def _kept_aside(self, uids: Sequence[str], sender: str) -> frozenset[str]:
        wanted = select(quarantine.c.sop_instance_uid).where(
            quarantine.c.source_ae == sender, quarantine.c.sop_instance_uid.in_(uids)
        )
        try:
            with self._archive.index.connect() as connection:
                return frozenset(connection.execute(wanted).scalars())
        except DBAPIError as error:
            raise IndexUnavailable(f"The index could not be read: {error.orig}.") from error

    def _check_pack(self, pack: str, records: Sequence[Found]) -> list[Unsafe]:
        root = self._archive.packs.root
        try:
            fd = open_pack(root, pack)
            try:
                os.fsync(fd)
                _sync_folders(root / pack, root.parent)
                return [
                    Unsafe(one.position, PROCESSING_FAILURE)
                    for one in records
                    if not _is_intact(fd, one.location)
                ]
            finally:
                os.close(fd)
        except OSError as error:
            log.error("a pack cannot be vouched for", pack=pack, error=error.strerror)
            return [Unsafe(one.position, PROCESSING_FAILURE) for one in records]

    def _sync_markers(self) -> None:
        """After a power cut, the marker of an open pack is what makes the next start read it."""
        markers = self._archive.folder / MARKERS
        for folder in (markers, *(path for path in markers.iterdir() if path.is_dir())):
            sync_folder(folder)


def _is_intact(fd: int, location: Location) -> bool:
    """Whether the disk gives back what was received. Raises OSError where it gives nothing."""
    # The kernel's pages may hold what an earlier, failed write never brought to the disk. It drops
    # whole pages only, so those in which the record begins and ends are named whole.
    start = location.offset // PAGESIZE * PAGESIZE
    end = -(-(location.offset + location.length) // PAGESIZE) * PAGESIZE
    os.posix_fadvise(fd, start, end - start, os.POSIX_FADV_DONTNEED)
    try:
        digest = dataset_digest(fd, location.offset, location.length, location.dataset_offset)
    except PackDamaged:
        digest = None
    if digest != location.digest:
        log.error(
            "a stored data set is not what was received", pack=location.pack, offset=location.offset
        )
        return False
    return True


def _sync_folders(path: Path, top: Path) -> None:
    folder = path.parent
    while folder != top:
        sync_folder(folder)
        folder = folder.parent
