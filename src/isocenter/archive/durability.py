"""Group durability: one fsync of a pack serves everything that was stored in it meanwhile.

Each of a few threads takes a pack that has unsynced records, forces it to disk, and then reports
every record that was complete before it began. The file system merges what the threads ask for
into few journal commits, so eight senders cost little more than one.
"""

import errno
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

import structlog

from isocenter.archive.packs import OpenPack, PackStore

Waiter = Callable[[OSError | None], None]

THREADS = 8

log = structlog.get_logger(__name__)


class GroupSync:
    """Calls a record's waiter once its pack has reached the disk, or failed to."""

    def __init__(self, packs: PackStore, threads: int = THREADS) -> None:
        self._packs = packs
        self._lock = threading.Lock()
        self._settled = threading.Condition(self._lock)
        self._syncing: set[OpenPack] = set()
        self._waiters: dict[OpenPack, list[Waiter]] = {}
        self._queue: SimpleQueue[OpenPack | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, name=f"pack-sync-{n}", daemon=True)
            for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def when_durable(self, pack: OpenPack, waiter: Waiter) -> None:
        """Call `waiter(None)` from a sync thread when all written to `pack` so far is durable.

        If the disk refuses, the waiter gets the OSError and the pack is marked as failed: what
        the kernel could not write once cannot be trusted to a second fsync.
        """
        with self._lock:
            self._waiters.setdefault(pack, []).append(waiter)
            # One fsync of a pack at a time: the kernel reports a failure to one of them only, and
            # the pack must not be closed under another.
            if len(self._waiters[pack]) > 1 or pack in self._syncing:
                return
        self._queue.put(pack)

    def settle(self, pack: OpenPack) -> None:
        """Return when nobody waits for `pack` any more, so that it may be closed."""
        with self._settled:
            self._settled.wait_for(lambda: pack not in self._waiters and pack not in self._syncing)

    def drain(self) -> None:
        """Return when nobody waits for any pack."""
        with self._settled:
            self._settled.wait_for(lambda: not self._waiters and not self._syncing)

    def close(self) -> None:
        """Finish what waits, then end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (pack := self._queue.get()) is not None:
            with self._lock:
                waiters = self._waiters.pop(pack)
                self._syncing.add(pack)
            error = self._sync(pack)
            for waiter in waiters:
                self._tell(waiter, error)
            with self._settled:
                self._syncing.discard(pack)
                if pack in self._waiters:
                    self._queue.put(pack)
                self._settled.notify_all()

    def _tell(self, waiter: Waiter, error: OSError | None) -> None:
        try:
            waiter(error)
        except Exception:
            log.exception("who waited for a pack failed")

    def _sync(self, pack: OpenPack) -> OSError | None:
        try:
            if pack.failed:
                raise OSError(errno.EIO, "an earlier write of the pack failed")
            end = pack.end
            os.fdatasync(pack.fd)
            self._packs.make_entry_durable(pack)
            pack.durable_end = max(pack.durable_end, end)
        except OSError as error:
            pack.failed = True
            return error
        return None
