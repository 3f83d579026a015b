"""What happens to a spooled instance: inspected, decided upon, then stored, dropped or quarantined.

The janitor's thread reads and copies, because that may take long; the ingest thread decides,
because only it knows what else is on its way in.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

import structlog

from isocenter.archive.claims import Claims
from isocenter.archive.identity import Refusal
from isocenter.archive.index import IndexEntry
from isocenter.archive.index.interface import ArchiveIndex
from isocenter.archive.janitor import INDEX_SECONDS, Janitor
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.pack_record import Arrival
from isocenter.archive.packs import OpenPack, PackStore
from isocenter.archive.quarantine import Quarantine
from isocenter.archive.receiving import IncomingInstance, Task
from isocenter.archive.spool import Spool
from isocenter.encoding.errors import EncodingError

DuplicatePolicy = Literal["quarantine", "reject"]

CONFLICT_REASON = "Another object is stored under this SOP Instance UID."

log = structlog.get_logger(__name__)


class SlowLane:
    """Takes complete spools and reports their outcome to their senders."""

    def __init__(
        self,
        *,
        claims: Claims,
        packs: PackStore,
        index: ArchiveIndex,
        quarantine: Quarantine,
        janitor: Janitor,
        decide_later: Callable[[Task], None],
        on_recorded: Callable[[IncomingInstance, OpenPack, IndexEntry], None],
        on_discarded: Callable[[str, OpenPack], None],
        duplicates: DuplicatePolicy,
    ) -> None:
        self._claims = claims
        self._packs = packs
        self._index = index
        self._quarantine = quarantine
        self._janitor = janitor
        self._decide_later = decide_later
        self._on_recorded = on_recorded
        self._on_discarded = on_discarded
        self._duplicates = duplicates
        self.kept_in_pack_only: set[str] = set()
        """Packs with a record that is in neither index nor quarantine: the next start must look."""

    def enter(self, instance: IncomingInstance, spool: Spool) -> None:
        """Take a spool that is complete."""
        self._janitor.submit(partial(self._inspect, instance, spool))

    def quarantine_record(self, entry: IndexEntry, reason: str) -> None:
        """Copy a record that the index did not take out of its pack into quarantine."""
        self._janitor.submit(partial(self._quarantine_record, entry, reason))

    # On the ingest thread

    def _decide(self, instance: IncomingInstance, spool: Spool, arrival: Arrival) -> None:
        with _refusals_reported(instance, spool):
            self._decide_at_last(instance, spool, arrival)

    def _decide_at_last(self, instance: IncomingInstance, spool: Spool, arrival: Arrival) -> None:
        uid = arrival.identity.sop_instance_uid
        if self._claims.wait_for(uid, partial(self._decide, instance, spool, arrival)):
            return
        known = self._claims.digest_of(uid)
        if known is None:
            self._store(instance, spool, arrival)
        elif known == spool.digest:
            _drop(instance, spool, Outcome(Disposition.DUPLICATE, "", arrival))
        elif self._duplicates == "reject":
            _drop(instance, spool, Outcome(Disposition.CONFLICT, CONFLICT_REASON, arrival))
        else:
            self._janitor.submit(partial(self._quarantine_spool, instance, spool, arrival))

    def _store(self, instance: IncomingInstance, spool: Spool, arrival: Arrival) -> None:
        identity = arrival.identity
        pack = self._packs.lease(identity.study_instance_uid, identity.study_date)
        self._claims.begin(identity.sop_instance_uid)
        self._janitor.submit(partial(self._copy, instance, spool, arrival, pack))

    # On the janitor's thread

    def _inspect(self, instance: IncomingInstance, spool: Spool) -> None:
        with _refusals_reported(instance, spool):
            arrival = spool.inspect(int(time.time()))
            self._decide_later(partial(self._decide, instance, spool, arrival))

    def _copy(
        self, instance: IncomingInstance, spool: Spool, arrival: Arrival, pack: OpenPack
    ) -> None:
        with _refusals_reported(instance, spool):
            try:
                entry = spool.copy_into(pack, arrival)
            except BaseException:
                uid = arrival.identity.sop_instance_uid
                self._decide_later(partial(self._on_discarded, uid, pack))
                raise
            self._decide_later(partial(self._on_recorded, instance, pack, entry))
        spool.discard()

    def _quarantine_spool(self, instance: IncomingInstance, spool: Spool, arrival: Arrival) -> None:
        outcome = Outcome(Disposition.QUARANTINED, CONFLICT_REASON, arrival)
        with _refusals_reported(instance, spool):
            if self._index.is_quarantined(spool.announcement.sop_instance_uid, spool.digest):
                _drop(instance, spool, outcome)
                return
            kept = self._quarantine.keep_spool(spool, CONFLICT_REASON)
            self._index.record_quarantine(kept, INDEX_SECONDS)
            log.warning("quarantined an object", path=kept.path, reason=kept.reason)
            instance.on_outcome(outcome)

    def _quarantine_record(self, entry: IndexEntry, reason: str) -> None:
        try:
            kept = self._quarantine.keep_record(self._packs.root / entry.pack, entry, reason)
            self._index.record_quarantine(kept, INDEX_SECONDS)
        except Exception:
            self.kept_in_pack_only.add(entry.pack)
            raise
        log.warning("quarantined an object", path=kept.path, reason=kept.reason)


def _drop(instance: IncomingInstance, spool: Spool, outcome: Outcome) -> None:
    spool.discard()
    instance.on_outcome(outcome)


@contextmanager
def _refusals_reported(instance: IncomingInstance, spool: Spool) -> Iterator[None]:
    """Turn what can go wrong with a spooled instance into its outcome."""
    try:
        yield
    except Refusal as refusal:
        _drop(instance, spool, Outcome(refusal.disposition, refusal.reason))
    except EncodingError as error:
        _drop(instance, spool, Outcome(Disposition.UNREADABLE, str(error)))
    except OSError as error:
        log.error("the disk refused an instance", error=error.strerror)
        reason = f"The archive's disk refused the object: {error.strerror}."
        _drop(instance, spool, Outcome(Disposition.OUT_OF_RESOURCES, reason))
    except Exception:
        log.exception("the slow lane failed on an instance")
        reason = "The archive failed on this object; its log says where."
        _drop(instance, spool, Outcome(Disposition.OUT_OF_RESOURCES, reason))
