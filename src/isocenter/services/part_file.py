"""A file that is being written, and gets its name when it is complete."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import BinaryIO

_DESCRIPTORS = Path("/proc/self/fd")


class PartFile:
    """A new file in `folder`, without a name where the file system can do that (O_TMPFILE).

    So nothing is left of it, whatever ends this process. Elsewhere it is hidden and ends in
    ".part". `path` is where it can be read while it is open. Raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._is_named = False
        try:
            descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
        except (AttributeError, OSError):  # another system than Linux, NFS, exFAT
            descriptor = self._open_named(folder)
        else:
            self.path = _DESCRIPTORS / str(descriptor)
            if not self.path.exists():  # no /proc, without which it could never get a name
                os.close(descriptor)
                descriptor = self._open_named(folder)
        self.file: BinaryIO = os.fdopen(descriptor, "wb")

    def name(self, path: Path) -> bool:
        """Put it under `path`, in one step and only if nothing is there; say whether. OSError."""
        try:
            # Only with a directory does os.link follow the link that a descriptor is in /proc.
            os.link(self.path, path, src_dir_fd=self.file.fileno())
        except FileExistsError:
            return False
        except OSError:
            if not self._is_named:
                raise
            if path.exists():
                return False
            self.path.replace(path)  # a file system without links
        self.discard()
        return True

    def discard(self) -> None:
        """Close it, and leave nothing but the name that it may have got."""
        with suppress(OSError):
            self.file.close()
        if self._is_named:
            self.path.unlink(missing_ok=True)

    def _open_named(self, folder: Path) -> int:
        descriptor, name = mkstemp(dir=folder, prefix=".", suffix=".part")
        os.fchmod(descriptor, 0o666 & ~_umask())
        self.path, self._is_named = Path(name), True
        return descriptor


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
