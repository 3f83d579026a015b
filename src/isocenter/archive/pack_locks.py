"""Who reads a pack keeps it from being erased meanwhile: locks of the kernel's (flock) on its file.

Readers share the lock from the moment they open a pack to the moment they close it, whatever the
process; it costs them one system call for each pack that they open. What erases a record has the
lock alone, so nobody ever reads an object that turns into zeros half-way.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from isocenter.errors import IsocenterError


class PackInUse(IsocenterError):
    """Somebody reads the pack just now."""


def keep_from_erasure(fd: int) -> None:
    """Share the lock of an open file until its last descriptor is closed.

    Where the file system knows no such locks there is none.
    """
    with suppress(OSError):
        fcntl.flock(fd, fcntl.LOCK_SH)


@contextmanager
def unread(fd: int, name: str) -> Iterator[None]:
    """Have the lock of an open file alone. Raises PackInUse; does not wait."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PackInUse(f"{name} is being read; it is erased as soon as nobody does.") from None
    except OSError:  # a file system without such locks
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)
