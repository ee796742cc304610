"""Memory that is freed with each window of a pass, and wanted again for the next."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Final

# The allocator keeps twice as much: the arrays of a window and more.
_BLOCK_BYTES: Final = 8 << 20


@cache
def keep_scratch() -> None:
    """Has the allocator keep what a window frees, instead of giving it back and asking for it again.

    That costs a page fault for every 4 KiB: some 250 for a MiB of CSV, which is a third of the time of its
    row index (measured: 1.8 and 1.25 ms). glibc keeps more for good once a block was freed that it had
    mapped by itself; this one is never touched, so that it takes no memory. Other allocators may not.

    Source: mallopt(3), the dynamic M_MMAP_THRESHOLD, and M_TRIM_THRESHOLD, which follows it.
    """
    with suppress(MemoryError):  # where memory is limited, it is done without
        bytes(_BLOCK_BYTES)
