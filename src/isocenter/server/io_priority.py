"""Letting a thread's reading wait behind everybody else's, where the system knows how."""

from __future__ import annotations

import ctypes
import platform
import sys

# ioprio_set(2): its number is the architecture's; glibc has no function of its own for it.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
_THIS_THREAD = (1, 0)  # IOPRIO_WHO_PROCESS, the caller
_BEST_EFFORT_LAST = 2 << 13 | 7  # idle would mean never on a disk that is always busy


def lower_io_priority() -> bool:
    """Put the calling thread last among those that wait for the disk; say whether that worked."""
    number = _IOPRIO_SET.get(platform.machine())
    if number is None or sys.platform != "linux":
        return False
    return bool(ctypes.CDLL(None).syscall(number, *_THIS_THREAD, _BEST_EFFORT_LAST) == 0)
