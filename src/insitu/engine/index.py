"""The line index: sparse, exact, cheap to keep, and never believed when stale.

Of each granule of the file (``engine.granules``: at most 256 KiB) the index knows its size and how many
line ends it holds. Any question is answered by finding the granule in the sums and reading that one.

An index belongs to the bytes its reader shows. It is saved beside the file under a stamp that names the
generation, and can always be built again: damage, another stamp or another version read as "no index".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise, starmap
from typing import Final

from insitu.core.columns import Block
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.engine.granules import GRANULE_BYTES, Granules
from insitu.engine.saved_index import Layout, Sample, Saved
from insitu.errors import InternalError, SpanError, StaleError
from insitu.formats.lines import LF, NEWLINES
from insitu.storage.base import Volume

LINES_LAYOUT: Final = Layout(b"insitu-l", 2, frozenset(map(ord, NEWLINES)), Granules)
"""How it is saved; the mark is the newline."""


class LineIndex:
    """Where the lines of a file begin, told from one count per 256 KiB.

    Lines are numbered from 0 and include their ending; a last line without ending counts; an empty file
    has no lines. Never changes: ``extended`` and ``patched`` return the index of the changed file.

    Cost: every question reads at most one granule, in well under a millisecond (a line that reaches
    into further granules: one granule for each of its ends); memory as the module says.
    """

    def __init__(
        self, reader: Reader, newline: bytes, granules: Granules, samples: tuple[Sample, ...] = ()
    ) -> None:
        self._reader = reader
        self._newline = newline
        self._granules = granules
        self._samples = samples

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
        return cls(reader, newline, Granules(granule_bytes)).extended(
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
    def samples(self) -> tuple[Sample, ...]:
        """Of a loaded index: what some granules held when it was saved, the last one last."""
        return self._samples

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

    def find_end(self, number: int, stop: int) -> int | None:
        """As ``end_offset``; None where there are fewer before ``stop``."""
        if number > self.count:
            return None
        end = self.end_offset(number)
        return end if end <= stop else None

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
        granules = Granules(old.granule_bytes)
        granules.keep(old, 0, kept)
        granules.count(reader, Span(start, reader.size), self._newline, progress, cancel)
        granules.seal()
        return LineIndex(reader, self._newline, granules)

    def patched(self, blocks: Iterable[Block], reader: Reader, *, cancel: Cancel | None = None) -> LineIndex:
        """The index of the file after a commit of ours, or several.

        Args:
            blocks: the splices of the commit (``Splices.blocks()``, or ``[block_of(triples)]``), in the
                coordinates of the file this index belongs to.
            reader: the file after the commit.

        Raises:
            InternalError: the splices do not lead from the old size to the new one.
            CancelledError: ``cancel`` said so.

        Cost: one read of the granules that splices touch, with what they became; a splice costs
        nothing beyond its granule. Copies the index (under a millisecond for 2 GB).
        """
        old = self._granules
        if not old.sizes:
            return self.extended(reader, cancel=cancel)
        granules = Granules(old.granule_bytes)
        kept = displacement = 0
        for run in old.touched(blocks):
            granules.keep(old, kept, run.first)
            span = Span(run.start + displacement, run.stop + run.displacement)
            kept, displacement = run.last + 1, run.displacement
            if span.stop > reader.size:
                break
            granules.count(reader, span, self._newline, None, cancel)
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

        Cost: reads the samples.
        """
        return LINES_LAYOUT.to_bytes(self._granules, self._newline[0], self._reader, stamp)

    @classmethod
    def from_bytes(cls, data: bytes, reader: Reader, stamp: bytes) -> LineIndex | None:
        """Returns the index that ``to_bytes`` made; None where it is damaged, or not of this stamp.

        Args:
            reader: the file. An index of an older generation answers nothing before it was ``extended`` or
                ``patched``.
            stamp: names the generation the index is wanted of; another one makes it no index.
        """
        return cls._of(LINES_LAYOUT.from_bytes(data, stamp), reader)

    @classmethod
    def load(cls, volume: Volume, path: str, reader: Reader, stamp: bytes) -> LineIndex | None:
        """Returns the index saved at ``path``; None where there is none that can be used."""
        return cls._of(LINES_LAYOUT.load(volume, path, stamp), reader)

    @classmethod
    def _of(cls, saved: Saved[Granules] | None, reader: Reader) -> LineIndex | None:
        return saved and cls(reader, bytes([saved.mark]), saved.granules, saved.samples)

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


def _nth_end(data: bytes, newline: bytes, number: int) -> int:
    """The offset just after the line end ``number`` (from 1) in ``data``, by halving."""
    import stringzilla

    view = memoryview(data)
    low, high = 0, len(data)
    while number > 1 and high - low > 1:
        middle = (low + high) // 2
        found = stringzilla.count(view[low:middle], newline)
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
