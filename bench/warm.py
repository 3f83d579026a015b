"""Makes sure that servers write into memory that the machine really has.

On a virtual machine a page that was not used for a while costs many times what a used one costs,
because the host has to find it first; a storage server would be charged for that, at random.
"""

import mmap

_POPULATE_WRITE = 23  # madvise(2), since Linux 5.14; Python has no name for it yet


def touch_free_memory(size: int) -> None:
    """Uses `size` bytes of memory and gives them back, for the page cache to take next."""
    with mmap.mmap(-1, size) as memory:
        try:
            memory.madvise(_POPULATE_WRITE)
        except OSError:
            for page in range(0, size, mmap.PAGESIZE):
                memory[page] = 1
