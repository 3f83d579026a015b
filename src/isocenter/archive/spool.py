"""The slow lane: instances that must be seen whole before it is known where they belong.

That is so for a deflated data set (it must be inflated, within limits, before it is believed), for
one whose UIDs lie beyond its first block, and for one whose SOP Instance UID is already known
(only its digest tells a repetition from a conflict). The bytes wait in a file in `incoming/`.
"""

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from xxhash import xxh3_64

from isocenter.archive.identity import identify
from isocenter.archive.index import INDEX_ATTRIBUTES, IndexEntry
from isocenter.archive.pack_record import Arrival, mapped
from isocenter.archive.packs import OpenPack, write_fully
from isocenter.archive.receiving import Announcement
from isocenter.archive.tar import BLOCK
from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.encoding.deflate import check_inflated_size, inflate_header
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from isocenter.encoding.scanner import scan

COPY_SIZE = 1024 * 1024


class SpoolFolder:
    """Where spooled instances wait; emptied at start, since nothing in it was acknowledged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        for left_over in path.glob("*.part"):
            left_over.unlink(missing_ok=True)

    def new_file(self) -> Path:
        """Return a path that nothing else uses."""
        return self.path / f"{secrets.token_hex(8)}.part"


class Spool:
    """A Target that collects an instance in a file, as the Part 10 file it will become."""

    def __init__(
        self, path: Path, announcement: Announcement, on_complete: Callable[["Spool"], None]
    ) -> None:
        self.path = path
        self.announcement = announcement
        self._on_complete = on_complete
        meta = encode_file_meta(
            FileMeta(
                sop_class_uid=announcement.sop_class_uid,
                sop_instance_uid=announcement.sop_instance_uid,
                transfer_syntax_uid=announcement.transfer_syntax_uid,
                source_ae=announcement.source_ae,
                receiving_ae=announcement.receiving_ae,
            )
        )
        self.dataset_offset = self.size = len(meta)
        self._digest = xxh3_64()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            write_fully(self._fd, [meta], 0)
        except OSError:
            self.discard()
            raise

    def add(self, data: memoryview) -> None:
        """Append the next bytes. Raises OSError."""
        write_fully(self._fd, [data], self.size)
        self.size += len(data)
        self._digest.update(data)

    def finish(self) -> None:
        """All bytes are there; what follows happens elsewhere."""
        self._on_complete(self)

    def discard(self) -> None:
        """Remove the file; harmless once it has been removed or moved."""
        self._close()
        self.path.unlink(missing_ok=True)

    @property
    def digest(self) -> int:
        """The xxh3-64 digest of the data set."""
        return self._digest.intdigest()

    def inspect(self, received_at: int) -> Arrival:
        """Read the whole header and check that the data set is complete.

        Raises Refusal and EncodingError.
        """
        header: dict[int, bytes] = {}
        if length := self.size - self.dataset_offset:
            with mapped(self._fd, self.dataset_offset, length) as dataset:
                header = self._scan(dataset)
        identity = identify(header, self.announcement)
        return Arrival(self.announcement, identity, header, received_at)

    def _scan(self, dataset: memoryview) -> dict[int, bytes]:
        syntax = transfer_syntax(self.announcement.transfer_syntax_uid)
        if not syntax.deflated:
            return scan(dataset, syntax, INDEX_ATTRIBUTES).values
        inflated_size = check_inflated_size(dataset)
        header = inflate_header(dataset)
        syntax = syntax._replace(deflated=False)
        whole = len(header) == inflated_size
        return scan(header, syntax, INDEX_ATTRIBUTES, final=whole).values

    def copy_into(self, pack: OpenPack, arrival: Arrival) -> IndexEntry:
        """Copy the spooled file into `pack` as one record. Raises OSError."""
        buffer = memoryview(bytearray(COPY_SIZE))
        offset = pack.end + BLOCK
        done = 0
        while done < self.size:
            count = os.preadv(self._fd, [buffer], done)
            if not count:
                raise OSError(errno.EIO, "a spooled object is shorter than it was")
            pack.continue_record(offset + done, buffer[:count])
            done += count
        pack.finish_record(arrival.record_header(self.size, self.digest), self.size)
        return arrival.entry(pack, offset, self.size, self.dataset_offset, self.digest)

    def move_to(self, path: Path) -> None:
        """Make the spooled file durable under another name. Raises OSError."""
        os.fsync(self._fd)
        self._close()
        self.path.rename(path)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
