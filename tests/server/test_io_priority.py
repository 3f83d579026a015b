"""The thread that reads back what is to be committed waits behind everybody else."""

import ctypes
import platform
import sys
import threading

import pytest

from isocenter.server.io_priority import lower_io_priority

IOPRIO_GET = 252  # of x86_64
BEST_EFFORT, LAST = 2, 7


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="asks the kernel of x86_64"
)
def test_only_the_calling_thread_is_put_last():
    seen: list[int] = []

    def read() -> None:
        assert lower_io_priority()
        seen.append(ctypes.CDLL(None).syscall(IOPRIO_GET, 1, 0))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert seen == [BEST_EFFORT << 13 | LAST]
    assert ctypes.CDLL(None).syscall(IOPRIO_GET, 1, 0) != seen[0]
