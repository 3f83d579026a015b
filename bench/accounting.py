"""What a server costs: processor time and memory of its whole process tree, read from /proc.

Children that have ended count too, once their parent has reaped them or while they are zombies:
DCMTK's `storescp --fork` has one short-lived process per association.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _CSTIME = 11, 14  # proc(5): fields 14 to 17 of stat, counted after the program's name


def process_tree(root: int) -> list[int]:
    """The process and all its living descendants, zombies included."""
    parent_of = {int(path.name): _parent(path) for path in Path("/proc").glob("[0-9]*")}
    tree = [root]
    for process in tree:
        tree += [child for child, parent in parent_of.items() if parent == process]
    return tree


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far, that of reaped children included."""
    ticks = 0
    for process in process_tree(root):
        fields = _stat(Path("/proc", str(process)))
        ticks += sum(int(field) for field in fields[_UTIME : _CSTIME + 1])
    return ticks / _TICKS


def settled_cpu_seconds(root: int, patience: float = 1.5) -> float:
    """The same once the server has come to rest: work put off until after the answer counts."""
    end = time.monotonic() + patience
    before = -1.0
    while (now := cpu_seconds(root)) != before and time.monotonic() < end:
        before = now
        time.sleep(0.1)
    return now


def peak_memory(root: int) -> int:
    """Bytes: the sum over the tree, now, of each process's largest resident set so far."""
    return sum(_high_water_mark(process) for process in process_tree(root))


def resident_memory(root: int) -> int:
    """Bytes: the sum of the resident sets of the tree now."""
    return sum(_status_bytes(process, "VmRSS:") for process in process_tree(root))


def _high_water_mark(process: int) -> int:
    return _status_bytes(process, "VmHWM:")


def _status_bytes(process: int, key: str) -> int:
    for line in _lines(Path("/proc", str(process), "status")):
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0


def _parent(path: Path) -> int:
    fields = _stat(path)
    return int(fields[1]) if fields else 0


def _stat(path: Path) -> list[str]:
    text = "".join(_lines(path / "stat"))
    return text.rpartition(")")[2].split()


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text().splitlines()
    except OSError:
        return  # the process has ended meanwhile
