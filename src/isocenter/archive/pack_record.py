"""An instance being written straight into its study's pack, block by block."""

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

from isocenter.archive.identity import Identity
from isocenter.archive.index import INDEX_ATTRIBUTES, IndexEntry
from isocenter.archive.packs import OpenPack
from isocenter.archive.receiving import Announcement
from isocenter.archive.tar import encode_header
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from isocenter.encoding.scanner import Scan, scan


class Arrival(NamedTuple):
    """What is known of an instance once its header has been scanned."""

    announcement: Announcement
    identity: Identity
    header: dict[int, bytes]
    received_at: int

    @property
    def sop_class_uid(self) -> str:
        """The SOP class that the data set names."""
        return self.identity.sop_class_uid

    def file_meta(self) -> bytes:
        """The preamble and file meta information that our Part 10 file begins with."""
        announced = self.announcement
        return encode_file_meta(
            FileMeta(
                sop_class_uid=self.identity.sop_class_uid,
                sop_instance_uid=self.identity.sop_instance_uid,
                transfer_syntax_uid=announced.transfer_syntax_uid,
                source_ae=announced.source_ae,
                receiving_ae=announced.receiving_ae,
            )
        )

    def record_header(self, size: int, digest: int) -> bytes:
        """The pack's header for this instance's record."""
        identity = self.identity
        return encode_header(
            identity.series_instance_uid,
            identity.sop_instance_uid,
            size,
            digest,
            self.received_at,
        )

    def entry(
        self, pack: OpenPack, offset: int, length: int, dataset_offset: int, digest: int
    ) -> IndexEntry:
        """The row that the index gets for this instance."""
        return IndexEntry(
            sop_instance_uid=self.identity.sop_instance_uid,
            sop_class_uid=self.identity.sop_class_uid,
            transfer_syntax_uid=self.announcement.transfer_syntax_uid,
            pack=pack.path,
            offset=offset,
            length=length,
            dataset_offset=dataset_offset,
            digest=digest,
            received_at=self.received_at,
            source_ae=self.announcement.source_ae,
            header=self.header,
        )


def write_whole(arrival: Arrival, pack: OpenPack, data: memoryview) -> IndexEntry:
    """Write an instance that is all there as one record. Raises OSError."""
    digest = xxh3_64_intdigest(data)
    meta = arrival.file_meta()
    size = len(meta) + len(data)
    offset = pack.append_record(arrival.record_header(size, digest), meta, data, size)
    return arrival.entry(pack, offset, size, len(meta), digest)


class PackRecord:
    """A Target that streams into a pack; the record's header is written last."""

    def __init__(
        self,
        arrival: Arrival,
        pack: OpenPack,
        beginning: memoryview,
        scanned: Scan,
        on_recorded: Callable[[OpenPack, IndexEntry], None],
        on_discarded: Callable[[OpenPack], None],
    ) -> None:
        self._arrival = arrival
        self._pack = pack
        self._scanned = scanned
        self._on_recorded = on_recorded
        self._on_discarded = on_discarded
        meta = arrival.file_meta()
        self._meta_length = len(meta)
        self._digest = xxh3_64(beginning)
        self._offset = pack.start_record(meta, beginning)
        self._position = self._offset + len(meta) + len(beginning)

    def add(self, data: memoryview) -> None:
        """Append the next bytes. Raises OSError."""
        self._pack.continue_record(self._position, data)
        self._position += len(data)
        self._digest.update(data)

    def finish(self) -> None:
        """Check that the data set ends where its bytes end, and close the record.

        Raises EncodingError when the data set is cut short or malformed, and OSError.
        """
        dataset = self._offset + self._meta_length
        if self._position - dataset != self._scanned.end:
            self._scan_rest(dataset)
        size = self._position - self._offset
        digest = self._digest.intdigest()
        self._pack.finish_record(self._arrival.record_header(size, digest), size)
        entry = self._arrival.entry(self._pack, self._offset, size, self._meta_length, digest)
        self._on_recorded(self._pack, entry)

    def _scan_rest(self, dataset: int) -> None:
        with mapped(self._pack.fd, dataset, self._position - dataset) as whole:
            rest = scan(
                whole,
                self._scanned.syntax,
                INDEX_ATTRIBUTES,
                start=self._scanned.position,
                detect=False,
            )
        self._arrival.header.update(rest.values)

    def discard(self) -> None:
        """Cut the pack back to its last whole record and give it back."""
        self._on_discarded(self._pack)


@contextmanager
def mapped(fd: int, offset: int, length: int) -> Iterator[memoryview]:
    """Map `length` bytes of a file at `offset` for reading, as a view that ends with the block."""
    if not length:  # which mmap takes for "to the end", and finds none
        yield memoryview(b"")
        return
    before = offset % mmap.ALLOCATIONGRANULARITY
    with mmap.mmap(fd, before + length, access=mmap.ACCESS_READ, offset=offset - before) as pages:
        whole = memoryview(pages)
        view = whole[before:]
        try:
            yield view
        finally:
            view.release()
            whole.release()
