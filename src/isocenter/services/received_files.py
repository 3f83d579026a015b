"""Received instances as Part 10 files (PS3.10 7) in one directory.

A file is named by its SOP Instance UID and nothing else, and only where that is a UID by PS3.5 9.1:
digits and single dots lead out of no directory. It appears under its name when it is complete.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from isocenter.dictionary.uids import is_valid_uid
from isocenter.dimse import status
from isocenter.encoding.part10 import FileMeta, encode_file_meta

if TYPE_CHECKING:
    from isocenter.dimse.messages import CStoreRQ
    from isocenter.upperlayer.contexts import AcceptedContext


class FileReceiver:
    """Writes what a C-GET brings to `folder`, which must exist.

    `written` holds the paths in order; `trouble` is why the last refused instance was refused.
    """

    def __init__(self, folder: Path, *, source_ae: str = "", receiving_ae: str = "") -> None:
        self.folder = folder
        self.written: list[Path] = []
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
            return ArrivingFile(self, self.folder / f"{uid}.dcm", encode_file_meta(meta))
        except OSError as error:
            self.trouble = f"{self.folder}: {error.strerror}"
            return status.OUT_OF_RESOURCES


class ArrivingFile:
    """One file that is being written, under a temporary name beside its own."""

    def __init__(self, receiver: FileReceiver, path: Path, head: bytes) -> None:
        self._receiver = receiver
        self._path = path
        descriptor, name = mkstemp(dir=path.parent, prefix=".", suffix=".part")
        self._part = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        self._failed = False
        self._size = 0
        self.write(memoryview(head))

    def write(self, fragment: memoryview) -> None:
        """Write the next bytes; a disk that takes no more shows in `finish`."""
        if self._failed:
            return
        try:
            self._file.write(fragment)
        except OSError as error:
            self._fail(error)
        self._size += len(fragment)

    def finish(self) -> int:
        """Put the file under its name; returns the C-STORE status."""
        if not self._failed:
            try:
                self._file.close()
                self._part.chmod(0o666 & ~_umask())
                self._part.replace(self._path)
            except OSError as error:
                self._fail(error)
        if self._failed:
            self.abort()
            return status.OUT_OF_RESOURCES
        self._receiver.written.append(self._path)
        self._receiver.bytes += self._size
        return status.SUCCESS

    def abort(self) -> None:
        """Leave no trace."""
        with suppress(OSError):
            self._file.close()
        self._part.unlink(missing_ok=True)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        self._receiver.trouble = f"{self._path.parent}: {error.strerror}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
