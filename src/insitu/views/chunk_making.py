"""Chunks from their boundaries: what lies between two of them is read, hashed, numbered and given context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from insitu.core.spans import Span
from insitu.formats.chunk_context import context_after, context_before
from insitu.formats.chunk_groups import Start
from insitu.formats.chunk_measures import Count
from insitu.formats.chunk_narrow import unit_of
from insitu.formats.chunk_places import UNIT
from insitu.views.chunk import Chunk
from insitu.views.chunk_kinds import Kind
from insitu.views.chunk_options import Budget
from insitu.views.readable import Readable

# Chunks are made from reads of about so many bytes, unless one of them is longer.
_READ_BYTES: Final = 1 << 20

_Bounds = tuple[Start, int, int, bool]
"""Where a chunk starts; its stop, in bytes; its size, in shares; whether its end cuts a unit."""


class Maker:
    """Makes the chunks of a content."""

    def __init__(self, source: Readable, budget: Budget, kind: Kind) -> None:
        from xxhash import xxh3_64_hexdigest, xxh3_64_intdigest

        self._source = source
        self._reader = source.reader
        self._budget = budget
        self._kind = kind
        self._records = kind.units.records
        self._unit = unit_of(kind.encoding)
        self._number = 0
        self._line = 1
        self._hash_of: Callable[[bytes], int] = xxh3_64_intdigest
        self._hexadecimal: Callable[..., str] = xxh3_64_hexdigest
        # The headings of the last chunk, and what their hash makes of the hashes of chunks.
        self._path: tuple[str, ...] | None = None
        self._seed = 0

    def chunks(self, starts: Iterable[tuple[list[Start], int]], overlap: int) -> Iterator[Chunk]:
        """Yields the chunks that start there, each with its context.

        Args:
            starts: batches, each with the size of all up to then; the last one is followed by the end.
        """
        made = self._made(self._bounds(starts))
        return self._with_context(made, overlap) if overlap else (chunk for chunk, _ in made)

    def _bounds(self, starts: Iterable[tuple[list[Start], int]]) -> Iterator[list[_Bounds]]:
        """Yields batches of chunks as their bounds."""
        held: Start | None = None
        total = 0
        for batch, reached in starts:
            total = reached
            found: list[_Bounds] = []
            for start in batch:
                if held is not None:
                    stop = start.offset * self._unit
                    found.append((held, stop, start.sum - held.sum, start.worth < UNIT))
                held = start
            if found:
                yield found
        if held is not None:
            yield [(held, self._source.size, total - held.sum, False)]
        elif self._source.size:
            # Less than a code unit.
            yield [(Start(0, UNIT, 0), self._source.size, self._source.size, False)]

    def _made(self, batches: Iterable[list[_Bounds]]) -> Iterator[tuple[Chunk, bytes]]:
        unit, count = self._unit, self._budget.measure.counter
        for batch in batches:
            at = 0
            while at < len(batch):
                low = batch[at][0].offset * self._unit
                stop = at + 1
                while stop < len(batch) and batch[stop][1] - low <= _READ_BYTES:
                    stop += 1
                data = self._reader.read(low, batch[stop - 1][1] - low)
                for start, end, size, cut in batch[at:stop]:
                    first = start.offset * unit
                    own = data[first - low : end - low]
                    split = cut or start.worth < UNIT
                    if count is None:
                        yield self._chunk(Span(first, end), own, size, split), own
                    else:
                        yield from self._fitting(first, own, split, count)
                at = stop

    def _fitting(self, offset: int, data: bytes, split: bool, count: Count) -> Iterator[tuple[Chunk, bytes]]:
        """Yields a chunk as somebody else counts it; where they find it too large, its parts instead."""
        while data:
            part, size = self._counted(data, count)
            split = split or part < len(data)
            yield self._chunk(Span(offset, offset + part), data[:part], size, split), data[:part]
            offset, data = offset + part, data[part:]

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

    def _chunk(self, span: Span, data: bytes, size: int, split: bool) -> Chunk:
        kind, shares = self._kind, self._budget.measure.shares
        ended, terminated = kind.line_ends(data)
        first = self._line
        self._line += ended
        self._number += 1
        path = kind.path_at(span.start)
        if path is not self._path:
            self._path = path
            self._seed = self._hash_of("\n".join(path).encode("utf-8", "surrogateescape"))
        records = self._records
        header = kind.header
        whole = -(-size // shares)
        return Chunk(
            self._source,
            self._number,
            span,
            (first, max(first, self._line - terminated)),
            None if records is None else records.numbers(span.start, span.stop),
            path,
            whole,
            self._hexadecimal(data),
            self._hexadecimal(data, self._seed),
            None if header is None or span.start < header.stop else header,
            split,
            whole > self._budget.most,
        )

    def _with_context(self, made: Iterator[tuple[Chunk, bytes]], overlap: int) -> Iterator[Chunk]:
        """Adds what surrounds each chunk, from its neighbours."""
        held: Chunk | None = None
        known = b""
        measure, limit = self._budget.measure, overlap * self._budget.measure.shares
        kind = self._kind
        for chunk, data in made:
            if held is not None:
                held.after_bytes = context_after(data, kind.encoding, measure, limit, kind.newline)
                yield held
                chunk.before_bytes = context_before(known, kind.encoding, measure, limit, kind.newline)
            held, known = chunk, data
        if held is not None:
            yield held
