"""Ingest: turns blocks of bytes into records in packs and rows in the index.

One thread at a time has the turn and decides: which pack, whether an instance is already known,
what to refuse. It never waits for an fsync or for a database transaction; those have threads of
their own (`durability`, `janitor`, the index writer) that hand their results back through the
queue. The header of an instance is scanned once, from its first block; everything else is copied
as it came.

Who delivers a block takes the turn if it is free, because a hand-over to another thread costs
more than the work itself (measured: a third of the CPU of a small object). All it may wait for
then is the kernel's page cache. When that has once been slow, as it is when the disk cannot keep
up, the ingest thread has the turn for a while and the network loop never waits for it.
"""

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Literal

import structlog

from isocenter.archive.claims import Claims
from isocenter.archive.durability import GroupSync
from isocenter.archive.identity import Refusal, identify, is_placed
from isocenter.archive.index import INDEX_ATTRIBUTES, IndexEntry
from isocenter.archive.index import Outcome as IndexOutcome
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.janitor import Janitor
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.pack_record import Arrival, PackRecord, write_whole
from isocenter.archive.packs import OpenPack, PackStore
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.receiving import (
    Announcement,
    Block,
    BlockPool,
    IncomingInstance,
    OnOutcome,
    Target,
    Task,
)
from isocenter.archive.room import Room
from isocenter.archive.slow_lane import CONFLICT_REASON, DuplicatePolicy, SlowLane
from isocenter.archive.spool import Spool, SpoolFolder
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dictionary.uids import is_valid_uid
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import check_beginning
from isocenter.encoding.scanner import Scan, scan

Durability = Literal["group", "os"]

OBJECT_SIZE = 16 * 1024**3
"""Bytes of a data set beyond which it is refused, unless configured otherwise."""

BACKLOG = 50_000
"""Rows that may wait for the index before nothing more is accepted."""

SLOW_SECONDS = 0.02
COOL_DOWN = 20
"""A delivery that takes longer than this leaves the turn to the ingest thread for so many times as
long: whoever delivers waits for a slow disk during a twentieth of the time at most."""

log = structlog.get_logger(__name__)


class Ingest:
    """Accepts instances and tells each sender what became of its instance.

    `durability` says what STORED means: "group" survives a power loss (the pack was forced to
    disk), "os" survives the death of the process (the bytes are with the kernel).
    """

    def __init__(
        self,
        *,
        packs: PackStore,
        index: ArchiveIndex,
        spools: SpoolFolder,
        quarantine: Quarantine,
        room: Room,
        janitor: Janitor,
        seal_later: Callable[[OpenPack], None],
        keep_house: Task,
        durability: Durability = "group",
        duplicates: DuplicatePolicy = "quarantine",
        object_size: int = OBJECT_SIZE,
    ) -> None:
        self._object_size = object_size
        self._packs = packs
        self._index = index
        self._spools = spools
        self._room = room
        self._seal_later = seal_later
        self._keep_house = keep_house
        self._sync = GroupSync(packs) if durability == "group" else None
        self._claims = Claims(index)
        self._pool = BlockPool()
        self._queue: SimpleQueue[Block | Task | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._thread_first_until = 0.0
        self._slow_lane = SlowLane(
            claims=self._claims,
            packs=packs,
            index=index,
            quarantine=quarantine,
            janitor=janitor,
            decide_later=self._queue.put,
            on_recorded=self._recorded,
            on_discarded=self._discarded,
            duplicates=duplicates,
        )
        self._thread = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._thread.start()

    def begin(self, announcement: Announcement, on_outcome: OnOutcome) -> IncomingInstance:
        """Start taking an instance; `on_outcome` is called once, from any thread."""
        return IncomingInstance(announcement, self._pool, self._deliver, on_outcome)

    def drain(self) -> None:
        """Return when everything handed over before has been decided and is durable."""
        done = threading.Event()
        self._queue.put(done.set)
        done.wait()
        if self._sync is not None:
            self._sync.drain()

    def close(self) -> None:
        """Finish what was handed over, and end the threads. Packs stay open."""
        self._queue.put(None)
        self._thread.join()
        if self._sync is not None:
            self._sync.close()

    @property
    def blocks_in_use(self) -> int:
        """How many blocks of memory are out."""
        return self._pool.in_use

    @property
    def kept_in_pack_only(self) -> set[str]:
        """Packs that the next start must read again; see `SlowLane`."""
        return self._slow_lane.kept_in_pack_only

    def settle(self, pack: OpenPack) -> None:
        """Return when no fsync of `pack` is under way or awaited."""
        if self._sync is not None:
            self._sync.settle(pack)

    def _deliver(self, block: Block) -> None:
        instance = block.instance
        began = time.monotonic()
        if (
            instance.blocks_sent - instance.blocks_done > 1  # its earlier blocks come first
            or began < self._thread_first_until
            or not self._turn.acquire(blocking=False)
        ):
            self._queue.put(block)
            return
        try:
            self._take(block)
        finally:
            self._turn.release()
        now = time.monotonic()
        if (lasted := now - began) > SLOW_SECONDS:
            self._thread_first_until = now + COOL_DOWN * lasted

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            with self._turn:
                if isinstance(item, Block):
                    self._take(item)
                else:
                    self._perform(item)

    def _perform(self, task: Task) -> None:
        try:
            task()
        except Exception:
            log.exception("a step of ingest failed")

    def _take(self, item: Block) -> None:
        instance, block, fill, final = item
        try:
            if block is None or fill < 0:
                self._abandon(instance)
            else:
                self._feed(instance, block[:fill], final=final)
        except Refusal as refusal:
            self._refuse(instance, refusal.disposition, refusal.reason, final=final)
        except EncodingError as error:
            self._refuse(instance, Disposition.UNREADABLE, str(error), final=final)
        except OSError as error:
            log.error("the disk refused an instance", error=error.strerror)
            reason = f"The archive's disk refused the object: {error.strerror}."
            self._refuse(instance, Disposition.OUT_OF_RESOURCES, reason, final=final)
        except Exception:
            log.exception("ingest failed on an instance")
            reason = "The archive failed on this object; its log says where."
            self._refuse(instance, Disposition.OUT_OF_RESOURCES, reason, final=final)
        finally:
            if block is not None:
                self._pool.release(block)
            instance.blocks_done += 1
            if (progress := instance.on_progress) is not None:
                progress()

    def _feed(self, instance: IncomingInstance, data: memoryview, *, final: bool) -> None:
        instance.received += len(data)
        if instance.received > self._object_size:
            raise Refusal(
                Disposition.OUT_OF_RESOURCES, "The object is larger than this archive accepts."
            )
        target = instance.target
        if target is None:
            target = self._open(instance, data, final=final)
            instance.target = target
        else:
            target.add(data)
        if final and target is not None:
            target.finish()

    def _open(self, instance: IncomingInstance, data: memoryview, *, final: bool) -> Target | None:
        """Decide from the first block where an instance goes; None if it has been written."""
        announcement = instance.announcement
        if not is_valid_uid(announcement.sop_instance_uid):
            raise Refusal(
                Disposition.INVALID_UID, "The announced SOP Instance UID is not a valid UID."
            )
        if not self._room.is_left():
            raise Refusal(Disposition.OUT_OF_RESOURCES, "The archive's disk is nearly full.")
        if not self._index.healthy or self._index.backlog > BACKLOG:
            raise Refusal(Disposition.OUT_OF_RESOURCES, "The archive's index cannot be written.")
        syntax = transfer_syntax(announcement.transfer_syntax_uid)
        if syntax.deflated:
            return self._spool(instance, data)
        check_beginning(data)
        scanned = scan(data, syntax, INDEX_ATTRIBUTES, final=final)
        if not final and not is_placed(scanned.values):
            return self._spool(instance, data)
        identity = identify(scanned.values, announcement)
        if self._claims.is_known(identity.sop_instance_uid):
            return self._spool(instance, data)
        arrival = Arrival(announcement, identity, scanned.values, int(time.time()))
        return self._open_record(instance, arrival, scanned, data, final=final)

    def _open_record(
        self,
        instance: IncomingInstance,
        arrival: Arrival,
        scanned: Scan,
        data: memoryview,
        *,
        final: bool,
    ) -> Target | None:
        identity = arrival.identity
        pack = self._packs.lease(identity.study_instance_uid, identity.study_date)
        self._claims.begin(identity.sop_instance_uid)
        recorded = partial(self._recorded, instance)
        discarded = partial(self._discarded, identity.sop_instance_uid)
        try:
            if not final:
                return PackRecord(arrival, pack, data, scanned, recorded, discarded)
            entry = write_whole(arrival, pack, data)
        except BaseException:
            discarded(pack)
            raise
        recorded(pack, entry)
        return None

    def _recorded(self, instance: IncomingInstance, pack: OpenPack, entry: IndexEntry) -> None:
        """A whole record is in its pack: make it durable, index it, and tell the sender."""
        waiting = self._claims.stored(entry.sop_instance_uid, entry.digest)
        instance.target = None
        if self._sync is not None:
            self._sync.when_durable(pack, partial(self._durable, instance, entry))
        else:
            self._durable(instance, entry, None)
        if (full := self._packs.release(pack)) is not None:
            self._seal_later(full)
        elif self._packs.has_surplus():
            self._keep_house()
        for task in waiting:
            self._queue.put(task)

    def _durable(
        self, instance: IncomingInstance, entry: IndexEntry, error: OSError | None
    ) -> None:
        if error is not None:
            self._claims.forget(entry.sop_instance_uid)
            log.error("a pack could not be forced to disk", pack=entry.pack, error=error.strerror)
            reason = "The archive could not force the object to disk."
            instance.on_outcome(Outcome(Disposition.OUT_OF_RESOURCES, reason, entry))
            return
        self._index.submit(entry, self._indexed)
        instance.on_outcome(Outcome(Disposition.STORED, "", entry))

    def _indexed(self, entry: IndexEntry, outcome: IndexOutcome) -> None:
        self._claims.forget(entry.sop_instance_uid)
        if outcome is IndexOutcome.CONFLICT:  # another process stored under this UID just now
            self._slow_lane.quarantine_record(entry, CONFLICT_REASON)
        elif outcome is IndexOutcome.FAILED:
            self._slow_lane.quarantine_record(entry, "The index could not take this object.")

    def _discarded(self, sop_instance_uid: str, pack: OpenPack) -> None:
        try:
            pack.cut_back()
        except OSError:
            pack.failed = True
        if (failed := self._packs.release(pack)) is not None:
            self._seal_later(failed)
        for task in self._claims.abandoned(sop_instance_uid):
            self._queue.put(task)

    def _abandon(self, instance: IncomingInstance) -> None:
        target, instance.target = instance.target, None
        if target is not None:
            target.discard()
        reason = "The sender did not finish it."
        instance.on_outcome(Outcome(Disposition.ABANDONED, reason))

    def _refuse(
        self, instance: IncomingInstance, disposition: Disposition, reason: str, *, final: bool
    ) -> None:
        target, instance.target = instance.target, None
        if target is not None:
            target.discard()
        outcome = Outcome(disposition, reason)
        if final:
            instance.on_outcome(outcome)
        else:
            instance.target = _Refused(partial(instance.on_outcome, outcome))

    def _spool(self, instance: IncomingInstance, data: memoryview) -> Target:
        spool = Spool(
            self._spools.new_file(),
            instance.announcement,
            partial(self._slow_lane.enter, instance),
        )
        instance.target = spool
        spool.add(data)
        return spool


class _Refused:
    """A Target for the rest of an instance that has been refused already."""

    def __init__(self, tell: Task) -> None:
        self._tell = tell

    def add(self, data: memoryview) -> None:
        """Drop it."""

    def finish(self) -> None:
        """The sender may hear of the refusal now."""
        self._tell()

    def discard(self) -> None:
        """Nothing was kept."""
