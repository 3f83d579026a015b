"""Reading stored instances back, piece by piece, on the way out of the archive."""

import os
from pathlib import Path

from isocenter.archive.records import open_pack
from isocenter.archive.retrieve import StoredInstance
from isocenter.archive.tar import PackDamaged

_ERASED = bytes(8)
"""How no data set begins, in any transfer syntax: as one that was deleted after it was looked up.

To see that costs nothing. A record is erased while nobody has its pack open: it is whole or gone.
"""

_NOWAIT = getattr(os, "RWF_NOWAIT", 0)


class PackReader:
    """Reads data sets out of packs; the last pack stays open, for its neighbours come next.

    For one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pack = ""
        self._fd = -1
        self._buffers = [bytearray(), bytearray()]

    def read(self, instance: StoredInstance, start: int, size: int) -> bytes:
        """Return `size` bytes of a data set from byte `start` of it on.

        Raises OSError, and PackDamaged where the pack ends too early.
        """
        if instance.pack != self._pack:
            self.close()
            self._fd = open_pack(self._root, instance.pack)
            self._pack = instance.pack
        piece = os.pread(self._fd, size, instance.offset + instance.dataset_offset + start)
        if len(piece) != size:
            raise PackDamaged(f"The pack {instance.pack} ends inside an instance.")
        if start == 0:
            _require_data(piece)
        return piece

    def read_at_once(self, instance: StoredInstance, start: int, size: int) -> memoryview | None:
        """The same without waiting for a disk: None where the bytes are not all in memory.

        They lie in one of two buffers that take turns: the call after the next overwrites them.
        Memory that is used again costs a third of what fresh pages do. Raises PackDamaged.
        """
        if instance.pack != self._pack or not _NOWAIT:
            return None
        self._buffers.reverse()
        if len(self._buffers[0]) < size:
            self._buffers[0] = bytearray(size)
        piece = memoryview(self._buffers[0])[:size]
        at = instance.offset + instance.dataset_offset + start
        try:
            count = os.preadv(self._fd, [piece], at, _NOWAIT)
        except OSError:  # EAGAIN: not in memory; EOPNOTSUPP: this file system cannot tell
            return None
        if count != size:
            return None
        if start == 0:
            _require_data(piece)
        return piece

    def close(self) -> None:
        """Close the pack that is open, if any."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._pack = -1, ""


def _require_data(beginning: bytes | memoryview) -> None:
    if beginning[: len(_ERASED)] == _ERASED:
        raise PackDamaged("The instance was deleted while it was about to be read.")
