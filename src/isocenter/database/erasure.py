"""Leaving no bytes of what was deleted in an SQLite file, while others read and write it.

SQLite marks deleted rows as free and leaves their bytes where they were; `PRAGMA secure_delete`
zeroes those, but not the copies that stay behind when cells move from page to page (a split leaves
the old ones in the gap of the page that it rebuilt), and no copy in the write-ahead log. So what is
free is zeroed here by the file format itself (https://www.sqlite.org/fileformat2.html, 1.5 and
1.6): the gap and the free blocks of every b-tree page, and the pages of the free list. That holds
for whatever was deleted before and however, and costs those nothing who only ever insert.
"""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from struct import Struct

from isocenter.errors import IsocenterError

PAGES_AT_ONCE = 4096
"""Pages looked at under the write lock before others may write again: some milliseconds."""

ATTEMPTS = 5
PAUSE_SECONDS = 0.2

_INTERIOR, _LEAF = (2, 5), (10, 13)
_HEADER_SIZE = {**dict.fromkeys(_INTERIOR, 12), **dict.fromkeys(_LEAF, 8)}
_FILE_HEADER = 100
_MAGIC = b"SQLite format 3\0"
# Below this many pages the first byte of an overflow page, part of a page number, is 0 or 1.
_MOST_PAGES = 2 << 24
_WAL_HEADER, _FRAME_HEADER = 32, 24
_SHORT, _LONG = Struct(">H"), Struct(">I")

Connect = Callable[[Path], sqlite3.Connection]

# Closing any descriptor of a file drops this process's POSIX locks on it, and SQLite's are such.
# So those opened here stay open: one for each database of the process.
_descriptors: dict[tuple[int, int], int] = {}


class NotErased(IsocenterError):
    """Another process uses the database so that what is free in it cannot be zeroed now."""


def erase_free_space(path: Path, connect: Connect) -> None:
    """Zero everything in a database file and in its log that belongs to no row.

    Raises:
        NotErased: a reader kept the log in use all the time; trying again later helps.
        sqlite3.Error: the file cannot be written.
    """
    with closing(connect(path)) as connection:
        first = 1
        while first:
            overwrite_log(connection, path)
            first = _erase_pages(connection, path, first)
        overwrite_log(connection, path)


def overwrite_log(connection: sqlite3.Connection, path: Path) -> None:
    """Write the log back, then write over every old frame in it before it is cut off.

    What fills it are further copies of the file's first page, which holds the schema. The log's
    blocks, which the file system gives to anybody next, then tell nothing. Raises NotErased.
    """
    log = path.with_name(path.name + "-wal")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA synchronous = OFF")  # but for the last commit
    for _ in range(ATTEMPTS):
        if connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0]:
            raise NotErased(f"The log of {path.name} is in use; it is erased later.")
        _touch(connection)
        for _ in range(_stale_frames(log)):
            _touch(connection)
        if not _stale_frames(log):
            break
    else:
        raise NotErased(f"The log of {path.name} is written to all the time; it is erased later.")
    connection.execute("PRAGMA synchronous = FULL")
    _touch(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _touch(connection: sqlite3.Connection) -> None:
    """Commit a change that changes nothing: one frame in the log, the file's first page."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version}")


def _stale_frames(log: Path) -> int:
    """How many frames of earlier rounds are left in a log: their salt is not that of its header."""
    try:
        file = log.open("rb", buffering=0)
    except FileNotFoundError:
        return 0
    with file:
        header = file.read(_WAL_HEADER)
        if len(header) < _WAL_HEADER:
            return 0
        step = _FRAME_HEADER + _LONG.unpack_from(header, 8)[0]
        salt, fd = header[16:24], file.fileno()
        frames = range(_WAL_HEADER, os.fstat(fd).st_size, step)
        return sum(os.pread(fd, 8, position + 8) != salt for position in frames)


def _erase_pages(connection: sqlite3.Connection, path: Path, first: int) -> int:
    """Zero what is free in some pages; return the number of the next one, 0 after the last.

    The write lock is held, and the log empty, so the file is the whole database and nobody changes
    it. The commit at the end makes every other connection forget the pages that it remembers: it
    would otherwise write their old bytes again.
    """
    for _ in range(ATTEMPTS):
        connection.execute("BEGIN IMMEDIATE")
        try:
            log = path.with_name(path.name + "-wal")
            if not log.exists() or not log.stat().st_size:
                following = _erase_range(_descriptor(path), first)
                _touch(connection)
                connection.execute("COMMIT")
                return following
        except BaseException:
            connection.rollback()
            raise
        connection.rollback()
        time.sleep(PAUSE_SECONDS)  # a reader still needs the log, or somebody has just written
        overwrite_log(connection, path)
    raise NotErased(f"{path.name} is read or written all the time; it is erased later.")


def _descriptor(path: Path) -> int:
    status = path.stat()
    key = status.st_dev, status.st_ino
    if key not in _descriptors:
        _descriptors[key] = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    return _descriptors[key]


def _erase_range(fd: int, first: int) -> int:
    header = os.pread(fd, _FILE_HEADER, 0)
    size = _SHORT.unpack_from(header, 16)[0]
    size = 65536 if size == 1 else size
    count = os.fstat(fd).st_size // max(size, 1)
    if not header.startswith(_MAGIC) or count >= _MOST_PAGES or _LONG.unpack_from(header, 52)[0]:
        raise NotErased("What is free in the database cannot be told from what is not.")
    usable = size - header[20]
    if first == 1:
        _erase_free_list(fd, header, size, usable)
    free = _free_pages(fd, header, size)
    last = min(count, first + PAGES_AT_ONCE - 1)
    for number in range(first, last + 1):
        if number not in free:
            _erase_page(fd, number, size, usable)
    os.fsync(fd)
    return last + 1 if last < count else 0


def _trunks(fd: int, header: bytes, size: int) -> list[tuple[int, list[int]]]:
    """The trunk pages of the free list, each with the pages that it lists."""
    found: list[tuple[int, list[int]]] = []
    trunk, left = _LONG.unpack_from(header, 32)[0], _LONG.unpack_from(header, 36)[0]
    while trunk and len(found) <= left:
        page = os.pread(fd, size, (trunk - 1) * size)
        following, count = _LONG.unpack_from(page, 0)[0], _LONG.unpack_from(page, 4)[0]
        count = min(count, size // 4 - 2)
        found.append((trunk, [_LONG.unpack_from(page, 8 + 4 * n)[0] for n in range(count)]))
        trunk = following
    return found


def _free_pages(fd: int, header: bytes, size: int) -> set[int]:
    return {n for trunk, leaves in _trunks(fd, header, size) for n in (trunk, *leaves)}


def _erase_free_list(fd: int, header: bytes, size: int, usable: int) -> None:
    for trunk, leaves in _trunks(fd, header, size):
        _zero(fd, (trunk - 1) * size + 8 + 4 * len(leaves), usable - 8 - 4 * len(leaves))
        for leaf in leaves:
            _zero(fd, (leaf - 1) * size, size)


def _erase_page(fd: int, number: int, size: int, usable: int) -> None:
    at = (number - 1) * size
    page = os.pread(fd, size, at)
    start = _FILE_HEADER if number == 1 else 0
    if len(page) < size or page[start] not in _HEADER_SIZE:
        return  # an overflow page: all of it belongs to a row
    for begin, end in _free_parts(page, start, usable):
        if page[begin:end].strip(b"\0"):
            _zero(fd, at + begin, end - begin)


def _free_parts(page: bytes, start: int, usable: int) -> list[tuple[int, int]]:
    """The parts of a b-tree page that hold no cell; none where the page contradicts itself."""
    block, cells, content = (_SHORT.unpack_from(page, start + n)[0] for n in (1, 3, 5))
    pointers = start + _HEADER_SIZE[page[start]] + 2 * cells
    content = content or 65536
    if not pointers <= content <= usable:
        return []
    parts = [(pointers, content)]
    while block:
        if not content <= block <= usable - 4:
            return []
        following, length = (
            _SHORT.unpack_from(page, block)[0],
            _SHORT.unpack_from(page, block + 2)[0],
        )
        if length < 4 or block + length > usable or (following and following < block + length):
            return []
        parts.append((block + 4, block + length))
        block = following
    return parts


def _zero(fd: int, offset: int, length: int) -> None:
    os.pwrite(fd, bytes(length), offset)
