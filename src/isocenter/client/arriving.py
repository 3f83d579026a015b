"""The instances of a C-GET as pydicom data sets, one at a time."""

from __future__ import annotations

from collections import deque
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from isocenter.dictionary.uids import is_valid_uid
from isocenter.dimse import status
from isocenter.encoding.part10 import FileMeta, encode_file_meta

if TYPE_CHECKING:
    from pydicom import FileDataset

    from isocenter.dimse.messages import CStoreRQ
    from isocenter.upperlayer.contexts import AcceptedContext

IN_MEMORY = 64 * 1024 * 1024  # bytes of an instance before it goes to a temporary file
LARGEST = 8 * 1024**3  # bytes of an instance; PS3.5's longest value has four gigabytes


class DatasetReceiver:
    """Takes instances; `arrived` has those that nobody has fetched yet.

    `trouble` is why the last refused instance was refused.
    """

    def __init__(self) -> None:
        self.arrived: deque[FileDataset] = deque()
        self.trouble = ""

    def begin(self, request: CStoreRQ, context: AcceptedContext) -> ArrivingDataset | int:
        """Start an instance, or refuse one whose UID is none (0117)."""
        if not is_valid_uid(request.affected_sop_instance_uid):
            self.trouble = "an instance has a SOP Instance UID that is no UID"
            return status.INVALID_SOP_INSTANCE
        meta = FileMeta(
            sop_class_uid=request.affected_sop_class_uid,
            sop_instance_uid=request.affected_sop_instance_uid,
            transfer_syntax_uid=context.transfer_syntax,
        )
        return ArrivingDataset(self, encode_file_meta(meta))


class ArrivingDataset:
    """One instance that is being received."""

    def __init__(self, receiver: DatasetReceiver, head: bytes) -> None:
        self._receiver = receiver
        self._file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed by finish or abort
        self._size = 0
        self._failed = False
        self.write(memoryview(head))

    def write(self, fragment: memoryview) -> None:
        """Take the next bytes; a disk that takes no more shows in `finish`."""
        self._size += len(fragment)
        if self._failed or self._size > LARGEST:
            self._failed = True
            return
        try:
            self._file.write(fragment)
        except OSError as error:
            self._receiver.trouble = error.strerror or "the temporary file cannot be written"
            self._failed = True

    def finish(self) -> int:
        """Read the instance; returns the C-STORE status."""
        from pydicom import dcmread

        from isocenter.services.data_sets import quiet_pydicom

        if self._failed:
            self.abort()
            return status.OUT_OF_RESOURCES
        self._file.seek(0)
        with self._file, quiet_pydicom():
            try:
                self._receiver.arrived.append(dcmread(self._file))
            except Exception as error:  # pydicom raises whatever its readers happen to raise
                self._receiver.trouble = f"pydicom cannot read it: {error}"
                return status.CANNOT_UNDERSTAND
        return status.SUCCESS

    def abort(self) -> None:
        """Leave no trace."""
        self._file.close()
