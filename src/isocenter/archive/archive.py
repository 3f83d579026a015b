"""The archive as a whole: one folder, its packs, its index, and the threads that serve them."""

import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import structlog

from isocenter.archive.deletion.pending import PendingRemovals
from isocenter.archive.index import Index
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.ingest import OBJECT_SIZE, Durability, Ingest
from isocenter.archive.janitor import INDEX_SECONDS, Janitor
from isocenter.archive.layout import (
    INCOMING,
    INDEX_FILE,
    LOCK_FILE,
    PACKS,
    QUARANTINE,
    make_archive_folder,
)
from isocenter.archive.packs import IDLE_SECONDS, OPEN_PACKS, PACK_SIZE, OpenPack, PackStore
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.receiving import Announcement, IncomingInstance, OnOutcome
from isocenter.archive.recovery import recover, recover_archive
from isocenter.archive.room import RESERVE, Room
from isocenter.archive.slow_lane import DuplicatePolicy
from isocenter.archive.spool import SpoolFolder
from isocenter.archive.tar import END_OF_ARCHIVE
from isocenter.errors import IsocenterError

SEALERS = 8

# A spooled instance passes from the ingest thread to the janitor and back this often at most.
_SLOW_LANE_TURNS = 4

log = structlog.get_logger(__name__)


class ArchiveInUse(IsocenterError):
    """Another process has this archive open for writing."""


class IndexMissing(IsocenterError):
    """There are packs but no index that knows them."""


class Archive:
    """An archive that is open for storing and querying. Use it as a context manager.

    Given an `index`, it is one of several processes that share the archive: it writes packs of
    its own, under the name `worker`, and somebody else keeps the lock and the index writer.

    Raises ArchiveInUse when another process writes to the folder, IndexMissing, ArchiveIndexError
    when the index cannot be opened, OSError when the folder cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durability: Durability = "group",
        duplicates: DuplicatePolicy = "quarantine",
        pack_size: int = PACK_SIZE,
        object_size: int = OBJECT_SIZE,
        reserve: int = RESERVE,
        worker: str | None = None,
        index: ArchiveIndex | None = None,
    ) -> None:
        self.folder = folder
        make_archive_folder(folder)
        with ExitStack() as alone:
            if index is None:
                alone.enter_context(locked(folder))
                require_index(folder)
                index = alone.enter_context(Index.open(folder / INDEX_FILE))
                recover_archive(folder, index)
            self.index = index
            self.packs = PackStore(folder, worker=worker or "0", pack_size=pack_size)
            self.quarantine = Quarantine(folder / QUARANTINE)
            deleted = PendingRemovals(folder)
            recover(self.packs.root, self.packs.markers, index, self.quarantine, deleted)
            self._alone = alone.pop_all()
        self._sealers = ThreadPoolExecutor(SEALERS, thread_name_prefix="pack-seal")
        self._janitor = Janitor(self._keep_house)
        self.ingest = Ingest(
            packs=self.packs,
            index=self.index,
            spools=SpoolFolder(folder / INCOMING / (worker or "0")),
            quarantine=self.quarantine,
            room=Room(folder, reserve),
            janitor=self._janitor,
            seal_later=self._seal_later,
            keep_house=partial(self._janitor.submit, self._keep_house),
            durability=durability,
            duplicates=duplicates,
            object_size=object_size,
        )

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def begin(self, announcement: Announcement, on_outcome: OnOutcome) -> IncomingInstance:
        """Start storing one instance; see `Ingest.begin`."""
        return self.ingest.begin(announcement, on_outcome)

    def close(self) -> None:
        """Finish what was handed over, seal every pack, and close the index."""
        for _ in range(_SLOW_LANE_TURNS):
            self.ingest.drain()
            self._janitor.drain()
        self.ingest.close()
        self._seal(self.packs.take_idle())
        self._janitor.close()
        self._sealers.shutdown()
        self._alone.close()

    def seal_study(self, study_instance_uid: str) -> None:
        """Seal the packs of a study to which nobody is writing just now; return when that is done.

        Packs of other processes are theirs to seal, which they do after half a minute.
        """
        packs = self.packs.take_study(study_instance_uid)
        if packs:
            self._janitor.submit(partial(self._seal, packs))
        for _ in range(2):  # sealing leaves the janitor another task, which is part of it
            self._janitor.drain()

    def give_back(self, pack: OpenPack) -> None:
        """Release a pack that somebody else than ingest has leased; a full one is sealed."""
        if (full := self.packs.release(pack)) is not None:
            self._seal_later(full)

    def _seal_later(self, pack: OpenPack) -> None:
        self._janitor.submit(partial(self._seal, [pack]))

    def _keep_house(self) -> None:
        """Seal the packs that nobody has written to for a while, and those beyond the limit."""
        self._seal(self.packs.take_idle(since=time.monotonic() - IDLE_SECONDS, keep=OPEN_PACKS))

    def _seal(self, packs: list[OpenPack]) -> None:
        if not packs:
            return
        for pack in packs:
            self.ingest.settle(pack)
        sealed = [pack for pack in self._sealers.map(self._close_pack, packs) if pack is not None]
        try:
            lengths = [(pack.path, pack.end + len(END_OF_ARCHIVE)) for pack in sealed]
            self.index.seal_packs(lengths, INDEX_SECONDS)
        except IsocenterError as error:
            log.error("the index could not note that packs are sealed", error=str(error))
            return  # the markers stay, so the next start reads the packs again
        # A record that the commit found to be in conflict is being copied to quarantine.
        self._janitor.submit(partial(self._forget_markers, sealed))

    def _forget_markers(self, sealed: list[OpenPack]) -> None:
        for pack in sealed:
            if pack.path not in self.ingest.kept_in_pack_only:
                self.packs.forget_marker(pack)

    def _close_pack(self, pack: OpenPack) -> OpenPack | None:
        try:
            self.packs.close_pack(pack)
        except OSError as error:
            # Its marker stays, so the next start reads the pack again.
            log.error("a pack could not be sealed", pack=pack.path, error=error.strerror)
            return None
        return pack


def require_index(folder: Path) -> None:
    """Raise IndexMissing when there are packs but no index: an empty one would hide them."""
    packs = folder / PACKS
    if not (folder / INDEX_FILE).exists() and next(packs.rglob("*.tar"), None) is not None:
        raise IndexMissing(
            f"The archive in {folder} has packs but no index; "
            f"rebuild it with `isocenter reindex --data {folder}`."
        )


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Keep other processes from writing to an archive. Raises ArchiveInUse, OSError.

    The lock lasts until every copy of the file descriptor that it yields is closed.
    """
    fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveInUse(
                f"Another process has the archive in {folder} open for writing; stop it first."
            ) from None
        yield fd
    finally:
        os.close(fd)
