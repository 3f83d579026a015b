"""Erasing: overwriting with zeros what is then given back to the file system.

That reaches the blocks of a disk whose file system writes in place (ext4, XFS). It cannot reach
copies that others made: snapshots, backups, copy-on-write file systems, the spare cells of an SSD.
"""

import os
from pathlib import Path

from isocenter.archive.pack_locks import unread
from isocenter.archive.packs import sync_folder

_PIECE = bytes(1024 * 1024)


def erase_range(fd: int, offset: int, length: int) -> None:
    """Overwrite a part of a file with zeros. Raises OSError."""
    end = offset + length
    while offset < end:
        offset += os.pwrite(fd, memoryview(_PIECE)[: end - offset], offset)


def erase_file(path: Path) -> None:
    """Overwrite a file on the disk, then remove it; nothing if it is not there.

    Raises PackInUse while somebody reads it, and OSError.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        with unread(fd, path.name):
            erase_range(fd, 0, os.fstat(fd).st_size)
            os.fsync(fd)
            path.unlink()
    finally:
        os.close(fd)


def erase_folder(path: Path, files: list[Path]) -> None:
    """Erase `files`, then remove the folder that held them and those in it, all empty by then."""
    for file in files:
        erase_file(file)
    folders = [folder for folder in path.rglob("*") if folder.is_dir()]
    for folder in sorted(folders, reverse=True):
        folder.rmdir()
    if path.is_dir():
        path.rmdir()
        sync_folder(path.parent)


def erase_database(path: Path) -> None:
    """Erase an SQLite database that nobody has open, its log included. Raises OSError."""
    for suffix in ("-wal", "-shm", ""):
        erase_file(path.with_name(path.name + suffix))
