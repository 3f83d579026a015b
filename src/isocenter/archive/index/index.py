"""The whole index in one process: a writer and a reader of the same file."""

from pathlib import Path
from types import TracebackType

from isocenter.archive.index.connection import path_of
from isocenter.archive.index.reader import IndexReader
from isocenter.archive.index.writer import IndexWriter


class Index:
    """What most of the archive holds: `interface.ReadableIndex` and `WritableIndex` together.

    Use `Index.open`; as a context manager it closes itself.
    """

    def __init__(self, writer: IndexWriter, reader: IndexReader) -> None:
        self.writer = writer
        self.reader = reader
        self.locate = reader.locate
        self.connect = reader.connect
        self.connect_labelled = reader.connect_labelled
        self.unsealed_packs = reader.unsealed_packs
        self.list_quarantine = reader.list_quarantine
        self.is_quarantined = reader.is_quarantined
        self.is_sealed = reader.is_sealed
        self.statistics = reader.statistics
        self.submit = writer.submit
        self.flush = writer.flush
        self.seal_pack = writer.seal_pack
        self.seal_packs = writer.seal_packs
        self.forget_records = writer.forget_records
        self.record_quarantine = writer.record_quarantine
        self.delete_records = writer.delete_records
        self.forget_packs = writer.forget_packs
        self.forget_quarantined = writer.forget_quarantined
        self.forget_people = writer.forget_people

    @classmethod
    def open(cls, url_or_path: str | Path) -> "Index":
        """Open the index at a path or `sqlite:///` URL, made or migrated as needed.

        Raises:
            IndexUnusable: it is not an index, or one that a newer Isocenter made.
        """
        path = path_of(url_or_path)
        writer = IndexWriter(path)
        return cls(writer, IndexReader(path))

    @property
    def healthy(self) -> bool:
        """Whether the database took the last transaction."""
        return self.writer.healthy

    @property
    def backlog(self) -> int:
        """How many entries wait for a commit."""
        return self.writer.backlog

    def close(self) -> None:
        """Commit what waits, then close. Raises IndexUnavailable when that fails for long."""
        try:
            self.writer.close()
        finally:
            self.reader.close()

    def __enter__(self) -> "Index":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
