"""Making a database file that only its owner can read."""

import os
import threading
from pathlib import Path

_MAKING = threading.Lock()
"""Closing any descriptor of a file drops this process's POSIX locks on it, and SQLite's are such:
until the new file is closed here, no thread may connect to it."""


def create_private(path: Path) -> None:
    """Make the file if it is not there; SQLite gives its log the same owner and mode.

    A file that is there is not opened. Raises OSError.
    """
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _MAKING:
        try:
            fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return
        try:
            if os.geteuid() == 0:  # an administrator's command, beside a node of another user
                folder = path.parent.stat()
                os.fchown(fd, folder.st_uid, folder.st_gid)
        finally:
            os.close(fd)
