"""Granules: the columns behind the line index.

A file is cut into *granules* of at most 256 KiB; of each are known its size and how many line ends it
holds. That is 8 bytes per granule: 61 KB for 2 GB, 32 MB for 1 TB, in memory as on disk.

Granules start out equal and become irregular as our own commits change sizes. Invariants:

    I1  every granule has between 1 and ``granule_bytes`` bytes;
    I2  two neighbours have more than ``granule_bytes`` together.

So there are at most ``2 * size / granule_bytes + 1``, and whatever is asked about lies in one of them.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain
from operator import le
from typing import Final, NamedTuple

from insitu.core.columns import Block
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.scan.windows import WINDOW_BYTES, Window, parallel

# Small enough to be read and counted in 0.2 ms, large enough that the index of 2 GB is 61 KB.
GRANULE_BYTES: Final = 256 << 10

# Granules per entry of the sums: walking 64 takes about 2 us, and the sums of 1 TB are 1 MB.
_FAN: Final = 64

# Untouched granules between two touched stretches that are counted again rather than starting a pass
# for each stretch, which costs as much as counting one granule and cannot use several threads.
_NEAR_GRANULES: Final = 4

# NumPy counts faster than stringzilla on two threads, but takes 80 ms to import, if nobody has: even at 1 GB.
_NUMPY_FROM_BYTES: Final = 1 << 30


class Place(NamedTuple):
    """One granule: which it is, where it starts and stops, how many line ends precede it."""

    granule: int
    start: int
    stop: int
    ends: int

    @property
    def span(self) -> Span:
        """The bytes it holds."""
        return Span(self.start, self.stop)


class Run(NamedTuple):
    """Granules ``first .. last``, bytes ``[start, stop)``, that splices touch; what follows moves."""

    first: int
    last: int
    start: int
    stop: int
    displacement: int


class Granules:
    """Sizes and line-end counts of all granules; complete once ``seal`` has added them up."""

    def __init__(self, granule_bytes: int) -> None:
        self.granule_bytes = granule_bytes
        self.sizes = array("I")
        self.counts = array("I")
        # Bytes, and line ends, before every _FAN-th granule; the last entry holds the totals.
        self._offsets = array("q", [0])
        self._ends = array("q", [0])

    @property
    def columns(self) -> tuple[array[int], ...]:
        """What is known of each granule."""
        return self.sizes, self.counts

    def append(self, size: int, count: int) -> None:
        """Adds a granule behind the others, or to the last one where I2 wants it."""
        if self.sizes and self.sizes[-1] + size <= self.granule_bytes:
            self.sizes[-1] += size
            self.counts[-1] += count
        else:
            self.sizes.append(size)
            self.counts.append(count)

    def count(
        self, reader: Reader, span: Span, newline: bytes, progress: Progress | None, cancel: Cancel | None
    ) -> None:
        """Adds granules for a span of the file, counting their line ends."""
        unit = self.granule_bytes
        count = _counter(newline, span.size)

        def work(window: Window) -> list[tuple[int, int]]:
            own = window.own
            parts = (own[at : at + unit] for at in range(0, len(own), unit))
            return [(len(part), count(part)) for part in parts]

        window_bytes = unit * max(1, WINDOW_BYTES // unit)
        passes = parallel(reader, work, *span, window_bytes=window_bytes, progress=progress, cancel=cancel)
        for size, ends in chain.from_iterable(passes):
            self.append(size, ends)

    def keep(self, other: Granules, first: int, stop: int) -> None:
        """Adds the granules ``[first, stop)`` of another index, uncounted."""
        if first < stop:
            self.append(other.sizes[first], other.counts[first])
            self.sizes.extend(other.sizes[first + 1 : stop])
            self.counts.extend(other.counts[first + 1 : stop])

    def seal(self) -> None:
        """Adds up sizes and counts; to be called after the last change."""
        starts = range(0, len(self.sizes), _FAN)
        for sums, column in ((self._offsets, self.sizes), (self._ends, self.counts)):
            sums[1:] = array("q", accumulate(sum(column[i : i + _FAN]) for i in starts))

    @property
    def sound(self) -> bool:
        """Whether these can be granules at all; false of what somebody made up."""
        if not self.sizes:
            return True
        sizes = min(self.sizes) > 0 and max(self.sizes) <= self.granule_bytes
        return sizes and all(map(le, self.counts, self.sizes))

    @property
    def size(self) -> int:
        """Bytes in all granules."""
        return self._offsets[-1]

    @property
    def ends(self) -> int:
        """Line ends in all granules."""
        return self._ends[-1]

    def at(self, granule: int) -> Place:
        """The granule of this index (from 0), which must exist."""
        entry = granule // _FAN
        before = slice(entry * _FAN, granule)
        start = self._offsets[entry] + sum(self.sizes[before])
        ends = self._ends[entry] + sum(self.counts[before])
        return Place(granule, start, start + self.sizes[granule], ends)

    def at_offset(self, offset: int) -> Place:
        """The granule that holds the byte at ``offset``; the last one for offsets from the end on."""
        offset = min(offset, self.size - 1)
        entry = bisect_right(self._offsets, offset) - 1
        granule, start, ends = entry * _FAN, self._offsets[entry], self._ends[entry]
        while start + self.sizes[granule] <= offset:
            start += self.sizes[granule]
            ends += self.counts[granule]
            granule += 1
        return Place(granule, start, start + self.sizes[granule], ends)

    def at_end(self, number: int) -> Place:
        """The granule that holds the line end ``number`` (from 1), which must exist."""
        entry = bisect_left(self._ends, number) - 1
        granule, start, ends = entry * _FAN, self._offsets[entry], self._ends[entry]
        while ends + self.counts[granule] < number:
            start += self.sizes[granule]
            ends += self.counts[granule]
            granule += 1
        return Place(granule, start, start + self.sizes[granule], ends)

    def touched(self, blocks: Iterable[Block]) -> Iterator[Run]:
        """Yields the runs of granules that splices touch, in order, apart by some that none touches.

        An insertion between two granules touches the right one; at the end of the file, the last.
        """
        run: Run | None = None
        for block in blocks:
            at = 0
            while at < len(block.starts):
                place = self.at_offset(block.starts[at])
                if run is not None and place.granule - run.last > _NEAR_GRANULES:
                    yield run
                    run = None
                first, start = (place.granule, place.start) if run is None else (run.first, run.start)
                # All splices that start in the granule belong to the run: step over them at once.
                at = max(at + 1, bisect_left(block.starts, place.stop, at))
                if block.stop(at - 1) > place.stop:
                    place = self.at_offset(block.stop(at - 1) - 1)
                run = Run(first, place.granule, start, place.stop, int(block.displacement(at - 1)))
        if run is not None:
            yield run


def _counter(newline: bytes, size: int) -> Callable[[memoryview], int]:
    """The fastest way to count a byte in windows of ``size`` bytes in all, imports included."""
    if size < _NUMPY_FROM_BYTES and "numpy" not in sys.modules:
        import stringzilla

        return lambda view: stringzilla.count(view, newline)
    import numpy as np

    value = newline[0]
    return lambda view: int(np.count_nonzero(np.frombuffer(view, np.uint8) == value))
