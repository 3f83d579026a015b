"""Received instances as Part 10 files (PS3.10 7) in a directory.

A file is named by its SOP Instance UID, and a folder by the UID of its study or series, and only
where that is a UID by PS3.5 9.1: digits and single dots lead out of no directory. A file appears
under its name when it is complete, and never takes the place of one with other content.
"""

from __future__ import annotations

import filecmp
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.dictionary.transfer_syntaxes import transfer_syntax
from isocenter.dictionary.uids import is_valid_uid
from isocenter.dimse import status
from isocenter.encoding.deflate import inflate_header
from isocenter.encoding.errors import EncodingError
from isocenter.encoding.part10 import FileMeta, encode_file_meta
from isocenter.encoding.scanner import scan
from isocenter.services.part_file import PartFile

if TYPE_CHECKING:
    from isocenter.dimse.messages import CStoreRQ
    from isocenter.upperlayer.contexts import AcceptedContext

STUDY_AND_SERIES = (0x0020000D, 0x0020000E)
_MOST_COPIES = 1000  # of one UID; a peer that sends more plays with us


class FileReceiver:
    """Writes what a C-GET brings to `folder`, which must exist.

    `by_study` puts each file into a folder of its study and in that one of its series.
    `written` holds the paths in order, `unchanged` those whose content was there already, and
    `beside` those that got another name because other content was there under theirs. `trouble`
    is why the last refused instance was refused.
    """

    def __init__(
        self,
        folder: Path,
        *,
        by_study: bool = False,
        source_ae: str = "",
        receiving_ae: str = "",
    ) -> None:
        self.folder = folder
        self.by_study = by_study
        self.written: list[Path] = []
        self.unchanged: list[Path] = []
        self.beside: list[Path] = []
        self.bytes = 0
        self.trouble = ""
        self._source_ae = source_ae
        self._receiving_ae = receiving_ae

    def begin(self, request: CStoreRQ, context: AcceptedContext) -> ArrivingFile | int:
        """Start a file, or refuse an instance whose UID is none (0117) or on a full disk (A700)."""
        uid = request.affected_sop_instance_uid
        if not is_valid_uid(uid):
            self.trouble = "an instance has a SOP Instance UID that is no UID"
            return status.INVALID_SOP_INSTANCE
        meta = FileMeta(
            sop_class_uid=request.affected_sop_class_uid,
            sop_instance_uid=uid,
            transfer_syntax_uid=context.transfer_syntax,
            source_ae=self._source_ae,
            receiving_ae=self._receiving_ae,
        )
        try:
            return ArrivingFile(self, meta)
        except EncodingError:
            self.trouble = "an instance has a SOP Class UID that no file can hold"
            return status.INVALID_SOP_INSTANCE
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"
            return status.OUT_OF_RESOURCES

    def place(self, part: PartFile, meta: FileMeta, head_length: int) -> None:
        """Put a complete file under its name. Raises OSError."""
        folder = self.folder
        if self.by_study:
            folder = folder.joinpath(*_study_and_series(part.path, meta, head_length))
            folder.mkdir(parents=True, exist_ok=True)
        for copy in range(1, _MOST_COPIES):
            number = f"_{copy}" if copy > 1 else ""
            path = folder / f"{meta.sop_instance_uid}{number}.dcm"
            if part.name(path):
                break
            if path.is_file() and filecmp.cmp(part.path, path, shallow=False):
                part.discard()
                self.unchanged.append(path)
                return
        else:
            raise FileExistsError(0, "too many different objects under one SOP Instance UID")
        self.written.append(path)
        if copy > 1:
            self.beside.append(path)


class ArrivingFile:
    """One file that is being written."""

    def __init__(self, receiver: FileReceiver, meta: FileMeta) -> None:
        self._receiver = receiver
        self._meta = meta
        head = encode_file_meta(meta)
        self._head_length = len(head)
        self._part = PartFile(receiver.folder)
        self._failed = False
        self._size = 0
        self.write(memoryview(head))

    def write(self, fragment: memoryview) -> None:
        """Write the next bytes; a disk that takes no more shows in `finish`."""
        if self._failed:
            return
        try:
            self._part.file.write(fragment)
        except OSError as error:
            self._fail(error)
        self._size += len(fragment)

    def finish(self) -> int:
        """Put the file under its name; returns the C-STORE status."""
        if not self._failed:
            try:
                self._part.file.flush()
                self._receiver.place(self._part, self._meta, self._head_length)
            except OSError as error:
                self._fail(error)
        if self._failed:
            self.abort()
            return status.OUT_OF_RESOURCES
        self._receiver.bytes += self._size
        return status.SUCCESS

    def abort(self) -> None:
        """Leave no trace."""
        self._part.discard()

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._receiver.trouble = f"{self._receiver.folder}: {error.strerror}"


def _study_and_series(part: Path, meta: FileMeta, head_length: int) -> list[str]:
    """The UIDs that name the folders, read from the object itself (PS3.3 C.7.2.1, C.7.3.1)."""
    syntax = transfer_syntax(meta.transfer_syntax_uid)
    found: dict[int, bytes] = {}
    with part.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        view = memoryview(content)
        data_set = view[head_length:]
        try:
            if syntax.deflated:
                header = inflate_header(data_set)
                found = scan(
                    header, syntax._replace(deflated=False), STUDY_AND_SERIES, final=False
                ).values
            else:
                found = scan(data_set, syntax, STUDY_AND_SERIES, final=False).values
        except EncodingError:  # whoever opens the file will see; it is kept as it came
            pass
        finally:
            data_set.release()
            view.release()
    uids = [found.get(tag, b"").decode("latin-1").rstrip(" \0") for tag in STUDY_AND_SERIES]
    return [uid if is_valid_uid(uid) else "unknown" for uid in uids]
