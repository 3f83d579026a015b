"""Quarantine: objects that were kept, but that a person must look at before they are stored.

Each lies in `quarantine/YYYYMMDD/` as a Part 10 file with a JSON file beside it that says why, so
that the index's list of them can be rebuilt from the folder alone. The note is there first: a kill
may leave a note without an object, or files that end in `.part`. They mean nothing; whatever was
to be kept is still where it was, or was never acknowledged.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from isocenter.archive.index import IndexEntry, QuarantineEntry
from isocenter.archive.packs import read_range, sync_folder
from isocenter.archive.spool import Spool

log = structlog.get_logger(__name__)


class Quarantine:
    """The quarantine folder of an archive."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def keep_spool(self, spool: Spool, reason: str) -> QuarantineEntry:
        """Move a spooled object here, durably. Raises OSError."""
        announced = spool.announcement
        path = self._new_path()
        entry = QuarantineEntry(
            sop_instance_uid=announced.sop_instance_uid,
            sop_class_uid=announced.sop_class_uid,
            transfer_syntax_uid=announced.transfer_syntax_uid,
            path=path.relative_to(self.root).as_posix(),
            length=spool.size,
            digest=spool.digest,
            received_at=int(time.time()),
            source_ae=announced.source_ae,
            reason=reason,
        )
        self._place(path, entry, spool.move_to)
        return entry

    def keep_record(self, pack: Path, record: IndexEntry, reason: str) -> QuarantineEntry:
        """Copy a record of a pack here, durably. Raises OSError."""
        path = self._new_path()
        entry = QuarantineEntry(
            sop_instance_uid=record.sop_instance_uid,
            sop_class_uid=record.sop_class_uid,
            transfer_syntax_uid=record.transfer_syntax_uid,
            path=path.relative_to(self.root).as_posix(),
            length=record.length,
            digest=record.digest,
            received_at=record.received_at,
            source_ae=record.source_ae,
            reason=reason,
        )
        copy = path.with_suffix(".dcm.part")
        with _removed_on_failure(copy):
            with copy.open("xb") as file:
                for piece in read_range(pack, record.offset, record.length):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            self._place(path, entry, copy.rename)
        return entry

    def entries(self) -> Iterator[QuarantineEntry]:
        """Yield what is in quarantine, the oldest day first."""
        for note in sorted(self.root.glob("*/*.json")):
            if not note.with_suffix(".dcm").exists():
                continue
            try:
                entry = QuarantineEntry(**json.loads(note.read_text()))
            except (OSError, ValueError, TypeError):
                path = note.relative_to(self.root).as_posix()
                log.error("a note in quarantine cannot be read", path=path)
                continue
            yield entry

    def _new_path(self) -> Path:
        day = self.root / time.strftime("%Y%m%d")
        day.mkdir(exist_ok=True)
        return day / f"{secrets.token_hex(8)}.dcm"

    def _place(self, path: Path, entry: QuarantineEntry, move: Callable[[Path], object]) -> None:
        """Write the note, then `move` the object to its `path`, both durably."""
        note = path.with_suffix(".json")
        draft = path.with_suffix(".json.part")
        with _removed_on_failure(draft, note):
            with draft.open("x") as file:
                json.dump(entry._asdict(), file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(note)
            sync_folder(path.parent)
            move(path)
        sync_folder(path.parent)
        sync_folder(self.root)


@contextmanager
def _removed_on_failure(*paths: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise
