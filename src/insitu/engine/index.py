"""The line index: sparse, exact, cheap to keep, and never believed when stale.

A file is cut into *granules* of at most 256 KiB; of each the index knows its size and how many line ends
it holds. That is 8 bytes per granule: 61 KB for 2 GB, 32 MB for 1 TB, in memory as on disk. Any question
is answered by finding the granule in the sums and reading that one granule.

Granules start out equal and become irregular as our own commits change sizes. Invariants:

    I1  every granule has between 1 and ``granule_bytes`` bytes;
    I2  two neighbours have more than ``granule_bytes`` together.

So a question never reads more than one granule, and there are at most ``2 * size / granule_bytes + 1``.

An index belongs to the bytes its reader shows. It is saved beside the file under a stamp that names the
generation, and can always be built again: damage, another stamp or another version read as "no index".
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import accumulate, chain, islice, pairwise, starmap
from struct import Struct
from typing import Final, NamedTuple

from insitu.core.columns import Block
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import InternalError, RequestError, SpanError, StaleError, StorageError
from insitu.formats.lines import LF, NEWLINES
from insitu.scan.windows import WINDOW_BYTES, Window, parallel
from insitu.storage.base import Volume

# Small enough to be read and counted in 0.2 ms, large enough that the index of 2 GB is 61 KB.
GRANULE_BYTES: Final = 256 << 10

# Granules per entry of the sums: walking 64 takes about 2 us, and the sums of 1 TB are 1 MB.
_FAN: Final = 64

# Untouched granules between two touched stretches that are counted again rather than starting a pass
# for each stretch, which costs as much as counting one granule and cannot use several threads.
_NEAR_GRANULES: Final = 4

# NumPy counts twice as fast as stringzilla on two threads, but takes 80 ms to import: even at 1 GB.
_NUMPY_FROM_BYTES: Final = 1 << 30

_MAGIC: Final = b"insitu-l"
_VERSION: Final = 1
# Magic, version, newline, size of the stamp, greatest granule, count of granules. The stamp follows, then
# the sizes, then the counts (32 bits each), then xxh3_64 of all that. All in the machine's own byte order:
# in the other one the version does not fit.
_HEADER: Final = Struct("=8sHcxIIQ")
_CHECKSUM: Final = Struct("=Q")


class _Place(NamedTuple):
    """One granule: which it is, where it starts and stops, how many line ends precede it."""

    granule: int
    start: int
    stop: int
    ends: int


class _Run(NamedTuple):
    """Granules ``first .. last``, bytes ``[start, stop)``, that splices touch; what follows moves."""

    first: int
    last: int
    start: int
    stop: int
    displacement: int


class _Granules:
    """Sizes and line-end counts of all granules; complete once ``seal`` has added them up."""

    def __init__(self, granule_bytes: int) -> None:
        self.granule_bytes = granule_bytes
        self.sizes = array("I")
        self.counts = array("I")
        # Bytes, and line ends, before every _FAN-th granule; the last entry holds the totals.
        self._offsets = array("q", [0])
        self._ends = array("q", [0])

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

    def keep(self, other: _Granules, first: int, stop: int) -> None:
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
    def size(self) -> int:
        """Bytes in all granules."""
        return self._offsets[-1]

    @property
    def ends(self) -> int:
        """Line ends in all granules."""
        return self._ends[-1]

    def at_offset(self, offset: int) -> _Place:
        """The granule that holds the byte at ``offset``; the last one for offsets from the end on."""
        offset = min(offset, self.size - 1)
        entry = bisect_right(self._offsets, offset) - 1
        granule, start, ends = entry * _FAN, self._offsets[entry], self._ends[entry]
        while start + self.sizes[granule] <= offset:
            start += self.sizes[granule]
            ends += self.counts[granule]
            granule += 1
        return _Place(granule, start, start + self.sizes[granule], ends)

    def at_end(self, number: int) -> _Place:
        """The granule that holds the line end ``number`` (from 1), which must exist."""
        entry = bisect_left(self._ends, number) - 1
        granule, start, ends = entry * _FAN, self._offsets[entry], self._ends[entry]
        while ends + self.counts[granule] < number:
            start += self.sizes[granule]
            ends += self.counts[granule]
            granule += 1
        return _Place(granule, start, start + self.sizes[granule], ends)


class LineIndex:
    """Where the lines of a file begin, told from one count per 256 KiB.

    Lines are numbered from 0 and include their ending; a last line without ending counts; an empty file
    has no lines. Never changes: ``extended`` and ``patched`` return the index of the changed file.

    Cost: every question reads at most one granule, in well under a millisecond (a line that reaches
    into further granules: one granule for each of its ends); memory as the module says.
    """

    def __init__(self, reader: Reader, newline: bytes, granules: _Granules) -> None:
        self._reader = reader
        self._newline = newline
        self._granules = granules

    @classmethod
    def build(
        cls,
        reader: Reader,
        newline: bytes = LF,
        *,
        granule_bytes: int = GRANULE_BYTES,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> LineIndex:
        """Counts the line ends of the whole file, on every core.

        Args:
            newline: the byte that ends lines, as ``formats.lines.detect_newline`` tells.
            granule_bytes: the greatest granule.

        Raises:
            CancelledError: ``cancel`` said so.

        Cost: one read of the file; memory of one window per thread beside the index.
        """
        return cls(reader, newline, _Granules(granule_bytes)).extended(
            reader, progress=progress, cancel=cancel
        )

    @property
    def newline(self) -> bytes:
        """The byte that ends lines."""
        return self._newline

    @property
    def size(self) -> int:
        """How many bytes of the file the index covers."""
        return self._granules.size

    @property
    def count(self) -> int:
        """How many line ends there are."""
        return self._granules.ends

    @property
    def line_count(self) -> int:
        """How many lines there are: as many as line ends, and one where the last line has none."""
        size = self.size
        return self.count + (size > 0 and self._reader.read(size - 1, 1) != self._newline)

    def ends_before(self, offset: int) -> int:
        """How many line ends lie in ``[0, offset)``: the index of the line that holds the byte there.

        Raises:
            SpanError: the offset lies outside the file.
        """
        if not 0 <= offset <= self.size:
            message = f"Byte {offset} lies outside the file, which has {self.size} bytes."
            raise SpanError(message, offset=offset, size=self.size)
        if offset == self.size:
            return self.count
        place = self._granules.at_offset(offset)
        return place.ends + self._reader.read(place.start, offset - place.start).count(self._newline)

    def end_offset(self, number: int) -> int:
        """The offset just after the line end ``number``, counted from 1; 0 for number 0.

        Raises:
            SpanError: there are fewer line ends.
            StaleError: the reader no longer shows the bytes the index was made of.
        """
        if not 0 <= number <= self.count:
            message = f"There is no line end {number}; the file has {self.count}."
            raise SpanError(message, number=number, count=self.count)
        return next(self._ends_from(number))

    def span_of(self, index: int) -> Span:
        """The span of a line, its ending included; raises as ``spans``."""
        return next(self.spans(index, index + 1))

    def span_between(self, first: int, stop: int) -> Span:
        """The span of the lines ``[first, stop)``, empty for none; raises as ``spans``."""
        self._check(first, stop)
        size, count = self.size, self.count
        return Span(*(size if line > count else self.end_offset(line) for line in (first, stop)))

    def spans(self, first: int = 0, stop: int | None = None) -> Iterator[Span]:
        """Returns the spans of the lines ``[first, stop)`` (None: to the last), in order, lazily.

        Raises:
            SpanError: there are fewer lines, or the bounds are reversed or negative; raised at once.
            StaleError: the reader no longer shows the bytes the index was made of.

        Cost: one read of each granule the lines lie in, one granule in memory.
        """
        stop = self.line_count if stop is None else stop
        self._check(first, stop)
        # The end of the file ends a line that has no ending; after one that has, it is never reached.
        bounds = chain(self._ends_from(first), (self.size,))
        return islice(starmap(Span, pairwise(bounds)), stop - first)

    def extended(
        self, reader: Reader, *, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> LineIndex:
        """The index of the file after something was appended to it, and nothing else happened.

        Args:
            reader: the file as it is now.

        Raises:
            InternalError: the file is shorter than the index.
            CancelledError: ``cancel`` said so.

        Cost: one read of what is new, and of the last granule.
        """
        if reader.size < self.size:
            message = f"An index of {self.size} bytes cannot be extended to a file of {reader.size}."
            raise InternalError(message, indexed=self.size, size=reader.size)
        old = self._granules
        kept, start = len(old.sizes), old.size
        if kept and old.sizes[-1] < old.granule_bytes:
            kept, start = kept - 1, start - old.sizes[-1]
        granules = _Granules(old.granule_bytes)
        granules.keep(old, 0, kept)
        granules.count(reader, Span(start, reader.size), self._newline, progress, cancel)
        granules.seal()
        return LineIndex(reader, self._newline, granules)

    def patched(self, blocks: Iterable[Block], reader: Reader) -> LineIndex:
        """The index of the file after a commit of ours.

        Args:
            blocks: the splices of the commit (``Splices.blocks()``, or ``[block_of(triples)]``), in the
                coordinates of the file this index belongs to.
            reader: the file after the commit.

        Raises:
            InternalError: the splices do not lead from the old size to the new one.

        Cost: one read of the granules that splices touch, with what they became; a splice costs
        nothing beyond its granule. Copies the index (under a millisecond for 2 GB).
        """
        old = self._granules
        if not old.sizes:
            return self.extended(reader)
        granules = _Granules(old.granule_bytes)
        kept = displacement = 0
        for run in self._touched(blocks):
            granules.keep(old, kept, run.first)
            span = Span(run.start + displacement, run.stop + run.displacement)
            kept, displacement = run.last + 1, run.displacement
            if span.stop > reader.size:
                break
            granules.count(reader, span, self._newline, None, None)
        if old.size + displacement != reader.size:
            message = f"The splices add {displacement} bytes to {old.size}; the file has {reader.size}."
            raise InternalError(message, indexed=old.size, growth=displacement, size=reader.size)
        granules.keep(old, kept, len(old.sizes))
        granules.seal()
        return LineIndex(reader, self._newline, granules)

    def to_bytes(self, stamp: bytes) -> bytes:
        """The index as bytes.

        Args:
            stamp: names the generation of the file the index belongs to; ``from_bytes`` asks for it.
        """
        from xxhash import xxh3_64_intdigest

        granules = self._granules
        count = len(granules.sizes)
        header = _HEADER.pack(_MAGIC, _VERSION, self._newline, len(stamp), granules.granule_bytes, count)
        body = b"".join((header, stamp, granules.sizes, granules.counts))
        return body + _CHECKSUM.pack(xxh3_64_intdigest(body))

    @classmethod
    def from_bytes(cls, data: bytes, reader: Reader, stamp: bytes) -> LineIndex | None:
        """Returns the index that ``to_bytes`` made; None where it is damaged, or not of this stamp.

        Args:
            reader: the file. Where it is longer than the index, it was appended to: see ``extended``.
            stamp: names the generation of the file; another one makes the index stale.
        """
        from xxhash import xxh3_64_intdigest

        if len(data) != _saved_bytes(data, stamp):
            return None
        body = memoryview(data)[: -_CHECKSUM.size]
        if _CHECKSUM.unpack(data[len(body) :]) != (xxh3_64_intdigest(body),):
            return None
        _magic, _version, newline, _stamp_size, granule_bytes, count = _HEADER.unpack_from(data)
        granules = _Granules(granule_bytes)
        saved_stamp, columns = body[_HEADER.size :][: len(stamp)], body[_HEADER.size + len(stamp) :]
        granules.sizes.frombytes(columns[: 4 * count])
        granules.counts.frombytes(columns[4 * count :])
        granules.seal()
        if saved_stamp != stamp or granules.size > reader.size:
            return None
        return cls(reader, newline, granules)

    def save(self, volume: Volume, path: str, stamp: bytes) -> None:
        """Writes the index to a file of its own, replacing the last one.

        Args:
            path: ``lines.index`` in the state folder of the file.
            stamp: as for ``to_bytes``.

        Raises:
            StorageError, RequestError: it could not be written; the index in memory is as good as before.

        Crash: nothing is synced: a power cut may leave the old index, the new one, or damage that
            ``load`` recognizes.
        """
        draft = path + ".new"
        volume.remove(draft)
        with closing(volume.open(draft, write=True, create=True)) as file:
            try:
                file.write(0, self.to_bytes(stamp))
            except StorageError:
                volume.remove(draft)
                raise
        volume.rename(draft, path)

    @classmethod
    def load(cls, volume: Volume, path: str, reader: Reader, stamp: bytes) -> LineIndex | None:
        """Returns the index saved at ``path``; None where there is none that can be used."""
        try:
            with closing(volume.open(path)) as file:
                size = file.size()
                # A file of another kind or size is not read into memory.
                if size != _saved_bytes(file.read(0, _HEADER.size), stamp):
                    return None
                return cls.from_bytes(file.read(0, size), reader, stamp)
        except (RequestError, StorageError):
            return None

    def _check(self, first: int, stop: int) -> None:
        if not 0 <= first <= stop or stop > self.line_count:
            message = f"Lines {first}:{stop} do not fit a file of {self.line_count} lines."
            hint = "Give a first line and a stop between 0 and the number of lines."
            raise SpanError(message, hint=hint, first=first, stop=stop, line_count=self.line_count)

    def _ends_from(self, number: int) -> Iterator[int]:
        """Yields the offsets just after the line ends from ``number`` (0: the start of the file) on."""
        if number == 0:
            yield 0
            number = 1
        if number > self.count:
            return
        first, start, _stop, ends = self._granules.at_end(number)
        skipped = number - ends
        for granule in range(first, len(self._granules.sizes)):
            size = self._granules.sizes[granule]
            if self._granules.counts[granule]:
                data = self._reader.read(start, size)
                at = _nth_end(data, self._newline, skipped)
                skipped = 1
                while at:
                    yield start + at
                    at = data.find(self._newline, at) + 1
            start += size

    def _touched(self, blocks: Iterable[Block]) -> Iterator[_Run]:
        """Yields the runs of granules that splices touch, in order, apart by some that none touches.

        An insertion between two granules touches the right one; at the end of the file, the last.
        """
        run: _Run | None = None
        for block in blocks:
            at = 0
            while at < len(block.starts):
                place = self._granules.at_offset(block.starts[at])
                if run is not None and place.granule - run.last > _NEAR_GRANULES:
                    yield run
                    run = None
                first, start = (place.granule, place.start) if run is None else (run.first, run.start)
                # All splices that start in the granule belong to the run: step over them at once.
                at = max(at + 1, bisect_left(block.starts, place.stop, at))
                if block.stop(at - 1) > place.stop:
                    place = self._granules.at_offset(block.stop(at - 1) - 1)
                run = _Run(first, place.granule, start, place.stop, int(block.displacement(at - 1)))
        if run is not None:
            yield run


def _counter(newline: bytes, size: int) -> Callable[[memoryview], int]:
    """The fastest way to count a byte in windows of ``size`` bytes in all, imports included."""
    if size < _NUMPY_FROM_BYTES:
        import stringzilla

        return lambda view: stringzilla.count(view, newline)
    import numpy as np

    value = newline[0]
    return lambda view: int(np.count_nonzero(np.frombuffer(view, np.uint8) == value))


def _nth_end(data: bytes, newline: bytes, number: int) -> int:
    """The offset just after the line end ``number`` (from 1) in ``data``, by halving."""
    low, high = 0, len(data)
    while number > 1 and high - low > 1:
        middle = (low + high) // 2
        found = data.count(newline, low, middle)
        if found < number:
            low = middle
            number -= found
        else:
            high = middle
    end = data.find(newline, low) + 1
    if not end:
        message = "The file no longer holds the lines its index knows; somebody else changed it."
        raise StaleError(message, hint="Open the file again.")
    return end


def _saved_bytes(data: bytes, stamp: bytes) -> int | None:
    """How many bytes a saved index has that begins like ``data``; None where it is none we can use."""
    if len(data) < _HEADER.size:
        return None
    magic, version, newline, stamp_size, granule_bytes, count = _HEADER.unpack_from(data)
    known = magic == _MAGIC and version == _VERSION and newline in NEWLINES
    if not known or stamp_size != len(stamp) or not granule_bytes:
        return None
    return _HEADER.size + len(stamp) + 8 * int(count) + _CHECKSUM.size
