"""Reading stored instances back, piece by piece, on the way out of the archive."""

import os
from pathlib import Path

from isocenter.archive.records import open_pack
from isocenter.archive.retrieve import StoredInstance
from isocenter.archive.tar import PackDamaged


class PackReader:
    """Reads data sets out of packs; the last pack stays open, for its neighbours come next.

    For one thread at a time.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._pack = ""
        self._fd = -1

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
        return piece

    def close(self) -> None:
        """Close the pack that is open, if any."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._pack = -1, ""
