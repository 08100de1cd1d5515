"""What the C library does with memory that is given back.

By itself glibc learns: once a large block was freed, blocks of its size come from its heaps, of which every thread may have one,
and a hole in a heap stays with the process. In one that reads, compresses and inserts by turns, over several threads, that grows
for hours; where a table of a few megabytes is made anew now and then, in steps. Where the threshold is set, glibc does not learn
(mallopt(3)).
"""

import ctypes
from typing import Final

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
LARGE_BYTES: Final = 1 << 20
HEAPS: Final = 2


def give_back() -> None:
    """From now on large blocks go back to the system as they are freed, and threads share two heaps. Another C library than
    glibc is left as it is.
    """
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(M_ARENA_MAX, HEAPS)
