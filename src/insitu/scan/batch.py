"""Many small reads at scattered offsets."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from insitu.errors import SpanError, StaleError

# Asked for ahead: measured on 10,000 cold reads, with 1,024 on their way they are five times faster than one
# read after the other; 16 threads are three and a half times. Read in smaller batches, of which the next is
# asked for before one is read, so that the device never waits for us: a sixth less time.
AHEAD_READS = 1024
BATCH_READS = 256

# So many reads of a batch tell whether its pages are in memory already, and asking ahead is wasted.
PROBE_READS = 8

_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)


def read_many(fileno: int, file_size: int, offsets: Sequence[int], size: int) -> list[bytes]:
    """Reads ``size`` bytes of an open file at each offset, in order.

    Raises:
        SpanError: an offset lies too near to the end, or before the start.
        StaleError: the file was cut shorter.

    Cost: about a microsecond each from the page cache. From disk the kernel is asked for many ahead, so
        that the device works on all of them at once.
    """
    places = checked(file_size, offsets, size)
    advise: Callable[[int, int, int, int], None] | None = getattr(os, "posix_fadvise", None)
    pread = os.pread
    found: list[bytes] = []
    asked = 0
    for first in range(0, len(places), BATCH_READS):
        ahead = places[asked : first + BATCH_READS + AHEAD_READS]
        asked += len(ahead)
        if advise is not None and not _cached(fileno, ahead[:PROBE_READS]):
            for offset in ahead:
                advise(fileno, offset, size, os.POSIX_FADV_WILLNEED)
        found += [pread(fileno, size, offset) for offset in places[first : first + BATCH_READS]]
    if any(len(data) != size for data in found):
        raise StaleError("The file was cut shorter by somebody else while it was being read.")
    return found


def checked(file_size: int, offsets: Sequence[int], size: int) -> list[int]:
    """The offsets as a list, each of which leaves so many bytes.

    Raises:
        SpanError: one does not.
    """
    places: list[int] = offsets.tolist() if hasattr(offsets, "tolist") else list(offsets)
    if places and not (min(places) >= 0 and max(places) + size <= file_size):
        raise SpanError(f"Some offsets leave no {size} bytes in a file of {file_size:,}.", size=file_size)
    return places


def _cached(fileno: int, offsets: Sequence[int]) -> bool:
    """Whether the pages at all these offsets are in memory."""
    if not _NOWAIT:
        return False
    byte = bytearray(1)
    try:
        return all(os.preadv(fileno, [byte], offset, _NOWAIT) == 1 for offset in offsets)
    except OSError:
        return False
