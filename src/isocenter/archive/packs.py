"""Packs on a local disk: who writes where, and how a pack begins and ends.

A study's packs lie in one folder, `YYYY/MM/DD/<Study Instance UID>/`. A pack has one writer at a
time: whoever stores into a study leases one of its open packs, and a second, simultaneous sender
gets a second pack beside it. While a pack is open a marker in `open/<worker>/` names it, so that
after a crash only these packs need to be read again (see `recovery`).
"""

import errno
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from isocenter.archive.layout import MARKERS, PACKS
from isocenter.archive.tar import BLOCK, END_OF_ARCHIVE, ZERO_BLOCK, padding

PACK_SIZE = 512 * 1024 * 1024
OPEN_PACKS = 128
IDLE_SECONDS = 30.0
READ_SIZE = 1024 * 1024


class OpenPack:
    """A pack that is still being written: `end` is where the next record begins."""

    __slots__ = (
        "durable_end",
        "end",
        "entry_durable",
        "failed",
        "fd",
        "folder",
        "idle_since",
        "marker",
        "path",
    )

    def __init__(self, path: str, folder: Path, marker: Path, fd: int) -> None:
        self.path = path
        self.folder = folder
        self.marker = marker
        self.fd = fd
        self.end = 0
        self.durable_end = 0  # how far an fsync has confirmed the pack
        self.idle_since = 0.0
        self.entry_durable = False
        self.failed = False

    def start_record(self, file_meta: bytes, data: memoryview) -> int:
        """Write the beginning of a record whose size is not known yet; return its offset.

        The header stays zero until `finish_record`, which is what makes a torn record
        recognisable. Raises OSError.
        """
        write_fully(self.fd, [ZERO_BLOCK, file_meta, data], self.end)
        return self.end + BLOCK

    def continue_record(self, offset: int, data: memoryview) -> None:
        """Write `data` at `offset` in the pack. Raises OSError."""
        write_fully(self.fd, [data], offset)

    def finish_record(self, header: bytes, size: int) -> None:
        """Close the record at `end`: `size` bytes of Part 10 file are already there."""
        record, after = self.end, self.end + BLOCK + size
        if fill := padding(size):
            write_fully(self.fd, [bytes(fill)], after)
        write_fully(self.fd, [header], record)
        self.end = after + fill

    def append_record(self, header: bytes, file_meta: bytes, data: memoryview, size: int) -> int:
        """Write one whole record at once; return the offset of its Part 10 file."""
        record = self.end
        fill = padding(size)
        write_fully(self.fd, [header, file_meta, data, bytes(fill)], record)
        self.end = record + BLOCK + size + fill
        return record + BLOCK

    def cut_back(self) -> None:
        """Drop whatever follows the last whole record."""
        os.ftruncate(self.fd, self.end)


class PackStore:
    """The packs below one folder, and the ones that this worker has open."""

    def __init__(self, root: Path, *, worker: str = "0", pack_size: int = PACK_SIZE) -> None:
        self.root = root / PACKS
        self.markers = root / MARKERS / worker
        self.pack_size = pack_size
        self._lock = threading.Lock()
        # idle packs, the one released longest ago first
        self._idle: OrderedDict[str, list[OpenPack]] = OrderedDict()
        self._surplus_noticed = False
        for folder in (self.root, self.markers):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (root, self.markers.parent):
            sync_folder(folder)

    def lease(self, study_instance_uid: str, study_date: str) -> OpenPack:
        """Return a pack of the study that nobody else writes to; a new one if need be.

        `study_date` is YYYYMMDD or empty, in which case today's date places the study. Raises
        OSError.
        """
        with self._lock:
            packs = self._idle.get(study_instance_uid, [])
            pack = next((pack for pack in reversed(packs) if not pack.failed), None)
            if pack is None:
                return self._create(study_instance_uid, study_date)
            packs.remove(pack)
            if not packs:
                del self._idle[study_instance_uid]
            return pack

    def release(self, pack: OpenPack) -> OpenPack | None:
        """Give a pack back; return it when it is full (or failed) and should be sealed."""
        with self._lock:
            if pack.failed or pack.end >= self.pack_size:
                return pack
            pack.idle_since = time.monotonic()
            study = pack.folder.name
            self._idle.setdefault(study, []).append(pack)
            self._idle.move_to_end(study)
            return None

    def take_idle(self, *, since: float = float("inf"), keep: int = 0) -> list[OpenPack]:
        """Withdraw packs to seal, the longest idle first: those idle since before the monotonic
        time `since`, and those beyond the `keep` most recent ones."""
        taken: list[OpenPack] = []
        with self._lock:
            while self._idle:
                study, packs = next(iter(self._idle.items()))
                if packs[-1].idle_since >= since and len(self._idle) <= keep:
                    break
                taken += packs
                del self._idle[study]
        self._surplus_noticed = False
        return taken

    def take_study(self, study_instance_uid: str) -> list[OpenPack]:
        """Withdraw the idle packs of a study, to seal them."""
        with self._lock:
            return self._idle.pop(study_instance_uid, [])

    def has_surplus(self) -> bool:
        """Whether more studies than OPEN_PACKS have idle packs; said once until some are taken."""
        if self._surplus_noticed or len(self._idle) <= OPEN_PACKS:
            return False
        self._surplus_noticed = True
        return True

    def close_pack(self, pack: OpenPack) -> None:
        """Make a pack final: cut it to whole records, end the archive, force it to disk.

        The marker stays until the index has said that it knows the pack (`forget_marker`).
        Raises OSError.
        """
        try:
            if pack.failed:
                raise OSError(errno.EIO, "an earlier write of it failed")
            pack.cut_back()
            write_fully(pack.fd, [END_OF_ARCHIVE], pack.end)
            # The end marks may get lost: tar readers do without them.
            if pack.durable_end < pack.end or not pack.entry_durable:
                os.fdatasync(pack.fd)
                self.make_entry_durable(pack)
        finally:
            os.close(pack.fd)
            pack.fd = -1  # whoever still uses it fails, rather than hit another file

    def forget_marker(self, pack: OpenPack) -> None:
        """Remove the marker: the pack is sealed and the index durably knows its records."""
        pack.marker.unlink(missing_ok=True)

    def make_entry_durable(self, pack: OpenPack) -> None:
        """Force the folders that lead to a new pack, and its marker, to disk. Raises OSError."""
        if pack.entry_durable:
            return
        folder = pack.folder
        while folder != self.root.parent:
            sync_folder(folder)
            folder = folder.parent
        sync_folder(self.markers)
        pack.entry_durable = True

    def all_packs(self) -> Iterator[str]:
        """Yield the path of every pack, relative to `root`, in a stable order."""
        for path in sorted(self.root.rglob("*.tar")):
            yield path.relative_to(self.root).as_posix()

    def _create(self, study_instance_uid: str, study_date: str) -> OpenPack:
        date = study_date if len(study_date) == 8 and study_date.isdigit() else ""
        date = date or time.strftime("%Y%m%d")
        folder = self.root / date[:4] / date[4:6] / date[6:8] / study_instance_uid
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}.tar"
        path = (folder / name).relative_to(self.root).as_posix()
        marker = self.markers / name
        marker.write_text(path)
        try:
            fd = _make_file(folder / name)
        except OSError:
            marker.unlink(missing_ok=True)
            raise
        return OpenPack(path, folder, marker, fd)


def _make_file(path: Path) -> int:
    """Make a pack's file and the folders above it; a deletion may remove an empty one meanwhile."""
    for again in (True, True, False):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileNotFoundError:
            if not again:
                raise
    raise AssertionError


def write_fully(fd: int, buffers: list[bytes | memoryview], offset: int) -> None:
    """Write all of `buffers` at `offset`, however many calls that takes. Raises OSError."""
    total = sum(map(len, buffers))
    written = os.pwritev(fd, buffers, offset)
    if written == total:
        return
    rest = memoryview(b"".join(buffers))  # a full disk or a signal: seldom, so simplicity wins
    while written < total:
        written += os.pwrite(fd, rest[written:], offset + written)


def read_range(path: Path, offset: int, length: int) -> Iterator[bytes]:
    """Yield `length` bytes of a file from `offset` on, in pieces. Raises OSError, EOFError."""
    with path.open("rb") as file:
        file.seek(offset)
        while length:
            piece = file.read(min(length, READ_SIZE))
            if not piece:
                raise EOFError(f"{path.name} ends {length} bytes too early.")
            length -= len(piece)
            yield piece


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to disk. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
