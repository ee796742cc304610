"""Chunks from their boundaries: what lies between two of them is read, hashed, numbered and given context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.spans import Span
from insitu.formats.byte_tables import counts_before
from insitu.formats.chunk_context import context_after, context_before
from insitu.formats.chunk_groups import Starts
from insitu.formats.chunk_measures import Count
from insitu.formats.chunk_narrow import unit_of
from insitu.formats.chunk_places import UNIT
from insitu.formats.chunk_tape import Tape
from insitu.views.chunk import Chunk
from insitu.views.chunk_kinds import Kind
from insitu.views.chunk_options import Budget
from insitu.views.readable import Readable

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask

# Chunks are made from reads of about so many bytes, unless one of them is longer.
_READ_BYTES: Final = 1 << 20

# What has no whole code unit is measured as bytes that are no text, for so a model gets them.
_BYTES: Final = "ascii"
_NO_TEXT: Final = b"\xff"

# Makes a span of a pair, in a third of the time.
_SPAN: Final = partial(tuple.__new__, Span)


class _Bounds(NamedTuple):
    """Neighbouring chunks, as columns."""

    starts: Column
    stops: Column
    """In bytes, as the starts."""
    sizes: Column
    """In whole units of the budget."""
    splits: Mask
    """Whether they have only a part of a unit."""

    def part(self, first: int, stop: int) -> _Bounds:
        """Some of them."""
        part = slice(first, stop)
        return _Bounds(self.starts[part], self.stops[part], self.sizes[part], self.splits[part])


class Maker:
    """Makes the chunks of a content."""

    def __init__(self, source: Readable, budget: Budget, kind: Kind) -> None:
        self._source = source
        self._reader = source.reader
        self._budget = budget
        self._kind = kind
        self._unit = unit_of(kind.encoding)
        self._torn = source.size % self._unit
        self._number = 0
        self._line = 1
        # The headings of the last chunk, and what their hash makes of the hashes of chunks.
        self._path: tuple[str, ...] | None = None
        self._seed = 0

    def chunks(self, starts: Iterable[tuple[Starts, int]], overlap: int) -> Iterator[Chunk]:
        """Yields the chunks that start there, each with its context.

        Args:
            starts: batches, each with the size of all up to then; the last one is followed by the end.
        """
        made = self._made(self._bounds(starts))
        return self._with_context(made, overlap) if overlap else made

    def _bounds(self, starts: Iterable[tuple[Starts, int]]) -> Iterator[_Bounds]:
        """Yields batches of chunks as their bounds."""
        import numpy as np

        none = np.zeros(0, np.int64)
        held, total = Starts(none, none, none), 0
        for batch, reached in starts:
            total = reached
            joined = held.then(batch)
            held = Starts(*(column[-1:] for column in joined))
            if len(joined.offsets) > 1:
                yield self._between(joined)
        if len(held.offsets):
            end = Starts(held.offsets, np.full(1, UNIT), np.full(1, total))
            last = self._between(held.then(end))
            yield last._replace(stops=np.full(1, self._source.size - self._torn))
        if self._torn:
            yield self._last_of_torn()

    def _last_of_torn(self) -> _Bounds:
        """The bytes after the last whole code unit, each of which is no text: a chunk of their own."""
        import numpy as np

        stop = np.full(1, self._source.size)
        stretch = Tape(_BYTES).feed(_NO_TEXT * self._torn, last=True)
        measure = self._budget.measure
        shares = measure.sizes(stretch).of(np.full(1, stretch.low), np.full(1, stretch.high))
        return _Bounds(stop - self._torn, stop, -(-shares // measure.shares), np.full(1, False))

    def _between(self, starts: Starts) -> _Bounds:
        """What lies between neighbouring starts."""
        import numpy as np

        offsets = starts.offsets * self._unit
        sizes = -(-np.diff(starts.sums) // self._budget.measure.shares)
        cut = starts.worths < UNIT
        return _Bounds(offsets[:-1], offsets[1:], sizes, cut[:-1] | cut[1:])

    def _made(self, batches: Iterable[_Bounds]) -> Iterator[Chunk]:
        import numpy as np

        count = self._budget.measure.counter
        for batch in batches:
            at = 0
            while at < len(batch.starts):
                low = int(batch.starts[at])
                stop = max(at + 1, int(np.searchsorted(batch.stops, low + _READ_BYTES, "right")))
                bounds = batch.part(at, stop)
                data = self._reader.read(low, int(bounds.stops[-1]) - low)
                if count is not None:
                    bounds = self._fitting(data, bounds, count)
                yield from self._chunks(data, low, bounds)
                at = stop

    def _fitting(self, data: bytes, bounds: _Bounds, count: Count) -> _Bounds:
        """Chunks as somebody else counts them; of those that they find too large, the parts instead."""
        import numpy as np

        parts: list[tuple[int, int, int, bool]] = []
        low = int(bounds.starts[0])
        for start, stop, _, split in zip(*(column.tolist() for column in bounds), strict=True):
            left = data[start - low : stop - low]
            while left:
                part, size = self._counted(left, count)
                split = split or part < len(left)
                parts.append((start, start + part, size, split))
                start, left = start + part, left[part:]
        starts, stops, sizes, splits = np.array(parts, np.int64).T
        return _Bounds(starts, stops, sizes, splits.astype(np.bool_))

    def _counted(self, data: bytes, count: Count) -> tuple[int, int]:
        """How many of the first bytes fit the budget as it is counted, and how much that is."""
        kind, limit = self._kind, self._budget.most
        part = len(data)
        while True:
            size = count(data[:part].decode(kind.encoding, "replace"))
            limit = min(limit, max(size, 1)) // 2
            if size <= self._budget.most or not limit:
                return part, size
            # What the parts of a text come to is less than what the whole does: less of it is tried.
            found = context_after(data[:part], kind.encoding, self._budget.measure, limit, kind.newline)
            if not found or found == part:
                return part, size
            part = found

    def _chunks(self, data: bytes, low: int, bounds: _Bounds) -> Iterator[Chunk]:
        """Makes chunks whose bytes are all there, while they are asked for.

        Args:
            low: where the bytes start.
        """
        from xxhash import xxh3_64_hexdigest

        kind, records = self._kind, self._kind.units.records
        spans = list(zip(bounds.starts.tolist(), bounds.stops.tolist(), strict=True))
        parts = [data[start - low : stop - low] for start, stop in spans]
        paths = kind.paths([start for start, _ in spans], data)
        header = kind.header
        first, self._number = self._number + 1, self._number + len(spans)
        return map(
            Chunk,
            repeat(self._source),
            range(first, first + len(spans)),
            map(_SPAN, spans),
            self._lines(data, -((low - bounds.stops) // self._unit)),
            repeat(None) if records is None else [records.numbers(*span) for span in spans],
            paths,
            bounds.sizes.tolist(),
            map(xxh3_64_hexdigest, parts),
            map(xxh3_64_hexdigest, parts, self._seeds(paths)),
            repeat(None)
            if header is None
            else [header if start >= header.stop else None for start, _ in spans],
            bounds.splits.tolist(),
            (bounds.sizes > self._budget.most).tolist(),
        )

    def _lines(self, data: bytes, stops: Column) -> Iterator[tuple[int, int]]:
        """Numbers of the first and the last line of each chunk.

        Args:
            stops: of the chunks, in code units of their bytes.
        """
        import numpy as np

        ends = self._kind.line_ends(data)
        behind = counts_before(ends, stops) + self._line
        firsts = np.concatenate(([self._line], behind[:-1]))
        self._line = int(behind[-1])
        return zip(firsts.tolist(), (behind - ends[stops - 1]).tolist(), strict=True)

    def _seeds(self, paths: list[tuple[str, ...]]) -> Iterator[int]:
        """What the hash makes of each path; neighbours mostly share one."""
        from xxhash import xxh3_64_intdigest

        for path in paths:
            if path is not self._path:
                self._path = path
                self._seed = xxh3_64_intdigest("\n".join(path).encode("utf-8", "surrogateescape"))
            yield self._seed

    def _with_context(self, made: Iterator[Chunk], overlap: int) -> Iterator[Chunk]:
        """Adds what surrounds each chunk, from its neighbours."""
        held: Chunk | None = None
        known = b""
        measure, limit = self._budget.measure, overlap * self._budget.measure.shares
        kind = self._kind
        for chunk in made:
            data = self._reader.read(chunk.span.start, chunk.span.size)
            if held is not None:
                held.after_bytes = context_after(data, kind.encoding, measure, limit, kind.newline)
                yield held
                chunk.before_bytes = context_before(known, kind.encoding, measure, limit, kind.newline)
            held, known = chunk, data
        if held is not None:
            yield held
