"""Taking files from disk into the archive: the same ingest as for the network, several at a time.

Import is resumable by being repeatable: what is already stored is recognised and costs one
reading of its file.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.archive.archive import Archive
from isocenter.archive.outcome import Disposition, Outcome
from isocenter.archive.receiving import Announcement, IncomingInstance
from isocenter.encoding.files import RefusedFile, StorableFile, collect_files

FILES_AT_ONCE = 32
READ_SIZE = 256 * 1024

OnProgress = Callable[[int, int | None], None]
OnOutcome = Callable[[Outcome], None]


@dataclass
class ImportReport:
    """What an import did: counts, and each refused file with the reason."""

    stored: int = 0
    duplicate: int = 0
    quarantined: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)

    def count(self, path: Path, outcome: Outcome) -> None:
        """Add the fate of one file."""
        match outcome.disposition:
            case Disposition.STORED:
                self.stored += 1
            case Disposition.DUPLICATE:
                self.duplicate += 1
            case Disposition.QUARANTINED:
                self.quarantined += 1
            case _:
                self.refused.append((path, outcome.reason or outcome.disposition.value))


def import_paths(
    archive: Archive,
    paths: Iterable[Path],
    *,
    on_progress: OnProgress | None = None,
    on_outcome: OnOutcome | None = None,
) -> ImportReport:
    """Store every instance below `paths`; return when all of them are durable.

    `on_progress` gets the number of files dealt with, and None, since nobody counts them before;
    `on_outcome` what became of each instance, one at a time, from any thread.
    """
    report = ImportReport()
    flow = _Flow(report, on_progress, on_outcome)
    for found in collect_files(paths):
        if isinstance(found, RefusedFile):
            flow.refused(found)
        else:
            _import_file(archive, found, flow)
    flow.wait_for_all()
    return report


def _import_file(archive: Archive, file: StorableFile, flow: "_Flow") -> None:
    announcement = Announcement(
        sop_class_uid=file.sop_class_uid,
        sop_instance_uid=file.sop_instance_uid,
        transfer_syntax_uid=file.transfer_syntax_uid,
        source_ae=file.source_ae,
        receiving_ae="",
    )
    flow.wait_for_turn()
    incoming = archive.begin(announcement, lambda outcome: flow.decided(file.path, outcome))
    incoming.on_progress = flow.wake
    try:
        with file.path.open("rb", buffering=0) as content:
            content.seek(file.dataset_offset)
            buffer = memoryview(bytearray(READ_SIZE))
            while count := content.readinto(buffer):
                flow.wait_for_room(incoming)
                incoming.write(buffer[:count])
    except OSError as error:
        flow.failed_reading(file.path, error)
        incoming.abort()
        return
    incoming.finish()


class _Flow:
    """Keeps a bounded number of files on their way, and counts what became of them."""

    def __init__(
        self, report: ImportReport, on_progress: OnProgress | None, on_outcome: OnOutcome | None
    ) -> None:
        self._report = report
        self._on_progress = on_progress
        self._on_outcome = on_outcome
        self._changed = threading.Condition()
        self._under_way = 0
        self._dealt_with = 0
        self._unreadable: dict[Path, str] = {}

    def wait_for_turn(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._under_way < FILES_AT_ONCE)
            self._under_way += 1

    def wait_for_room(self, incoming: IncomingInstance) -> None:
        if incoming.congested:
            with self._changed:
                self._changed.wait_for(lambda: not incoming.congested)

    def wait_for_all(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._under_way == 0)

    def wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def decided(self, path: Path, outcome: Outcome) -> None:
        with self._changed:
            if outcome.disposition is Disposition.ABANDONED:
                outcome = Outcome(outcome.disposition, self._unreadable.pop(path))
            self._report.count(path, outcome)
            if self._on_outcome is not None:
                self._on_outcome(outcome)
            self._under_way -= 1
            self._advance()
            self._changed.notify_all()

    def refused(self, file: RefusedFile) -> None:
        with self._changed:
            self._report.refused.append((file.path, file.reason))
            self._advance()

    def failed_reading(self, path: Path, error: OSError) -> None:
        """Remember the reason for the outcome, which will only say that the rest did not come."""
        with self._changed:
            self._unreadable[path] = (error.strerror or "unreadable").lower()

    def _advance(self) -> None:
        self._dealt_with += 1
        if self._on_progress is not None:
            self._on_progress(self._dealt_with, None)
