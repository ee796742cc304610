"""Memory that is freed with each window of a pass, and wanted again for the next."""

from __future__ import annotations

import gc
from contextlib import suppress
from functools import cache
from typing import Final

# The allocator keeps twice as much: the arrays of a window and more.
_BLOCK_BYTES: Final = 8 << 20

# The parts of some dozen windows; Python's own figure is 700, which is less than half of one window's.
_YOUNG_OBJECTS: Final = 50_000


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


def collect_rarely() -> None:
    """Has cycles of objects looked for rarely; for processes of our own, as it holds for all that they do.

    A window leaves no cycles and thousands of objects: looking for them took 0.5 of 6 s of a command that
    changes 2 million rows of 2 GB.
    """
    gc.set_threshold(_YOUNG_OBJECTS)
