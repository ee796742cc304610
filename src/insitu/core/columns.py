"""Splices as columns: how one splice or ten million reach the planners and the executor.

A *block* holds consecutive splices as three integer columns; ``Splices`` is a sequence of blocks that can
be loaded in any order, so that the columns of a mass patch stay on disk. The bytes that splices bring are
one long string, the *pool*, addressed by the same cumulative column. For splice ``i`` of a block:

    replaced span      [starts[i], starts[i] + olds[i+1] - olds[i])       in the base
    place in result    starts[i] + news[i] - olds[i]
    new bytes          pool[news[i] : news[i+1]]
    displacement       news[i+1] - olds[i+1]     of every kept byte between it and the next splice
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from insitu.core.spans import Span

# Below this many splices a Python loop is done before NumPy would be imported (about 95 ms).
_VECTOR_SPLICES = 1 << 12


class Pool(Protocol):
    """The new bytes of a patch as one long string."""

    def read(self, offset: int, size: int) -> bytes:
        """Exactly these bytes."""
        ...

    def unit(self, span: Span) -> bytes | None:
        """The unit, where the span lies in a stretch that repeats one unit and starts at a repeat."""
        ...


class Block(NamedTuple):
    """Consecutive splices as columns; ``olds`` and ``news`` have one entry more than ``starts``."""

    starts: Sequence[int]
    olds: Sequence[int]
    news: Sequence[int]

    def stop(self, i: int) -> int:
        """Where the replaced span of splice ``i`` stops."""
        return self.starts[i] + self.olds[i + 1] - self.olds[i]

    def result_start(self, i: int) -> int:
        """Where splice ``i`` begins in the result."""
        return self.starts[i] + self.news[i] - self.olds[i]

    def displacement(self, i: int) -> int:
        """How far kept bytes after splice ``i`` move."""
        return self.news[i + 1] - self.olds[i + 1]

    def inverted(self) -> Block:
        """The same splices as the inverse patch has them."""
        starts: Sequence[int]
        if len(self.starts) < _VECTOR_SPLICES:
            starts = [s + n - o for s, n, o in zip(self.starts, self.news, self.olds, strict=False)]
        else:
            starts = _column(vector(self.starts) + vector(self.news)[:-1] - vector(self.olds)[:-1])
        return Block(starts, self.news, self.olds)


class Summary(NamedTuple):
    """What planners see of a patch: no list, however many splices."""

    places: int
    """How many splices."""
    first: int
    """Base offset of the first change."""
    last: int
    """Base offset where the last replaced span stops."""
    old_bytes: int
    new_bytes: int
    displacement_min: int
    displacement_max: int
    """Least and greatest displacement of what is kept after a splice."""
    moved_bytes: int
    """Kept bytes between first and last change that do not stay where they are."""

    @property
    def growth(self) -> int:
        """How much longer the file becomes."""
        return self.new_bytes - self.old_bytes

    def inverted(self) -> Summary:
        """The summary of the inverse patch."""
        return Summary(
            self.places,
            self.first,
            self.last + self.growth,
            self.new_bytes,
            self.old_bytes,
            -self.displacement_max,
            -self.displacement_min,
            self.moved_bytes,
        )


NO_SPLICES = Summary(0, 0, 0, 0, 0, 0, 0, 0)


def summarize(block: Block, before: Summary) -> Summary:
    """The summary of ``before``'s splices followed by ``block``."""
    count = len(block.starts)
    if not count:
        return before
    starts, olds, news = block
    if count >= _VECTOR_SPLICES:
        low, high, moved = _extremes(block, before.last)
    else:
        after = [n - o for n, o in zip(news[1:], olds[1:], strict=True)]
        low, high = min(after), max(after)
        moved, at, displacement = 0, before.last, news[0] - olds[0]
        for i, start in enumerate(starts):
            if displacement:
                moved += start - at
            at, displacement = block.stop(i), after[i]
    if before.places:
        low, high = min(low, before.displacement_min), max(high, before.displacement_max)
    first = before.first if before.places else starts[0]
    last = block.stop(count - 1)
    moved += before.moved_bytes
    return Summary(before.places + count, first, last, olds[count], news[count], low, high, moved)


def _extremes(block: Block, last: int) -> tuple[int, int, int]:
    """Least and greatest displacement after a splice of the block, and the kept bytes that move."""
    starts, olds, news = (vector(column) for column in block)
    displacements = news - olds
    stops = starts + olds[1:] - olds[:-1]
    gaps = starts.copy()
    gaps[1:] -= stops[:-1]
    gaps[0] -= last
    moved = int(gaps[displacements[:-1] != 0].sum())
    return int(displacements[1:].min()), int(displacements[1:].max()), moved


def _column(vector: Any) -> Sequence[int]:
    return array("q", vector.tobytes())


def vector(column: Sequence[int]) -> Any:
    """A column as a NumPy array of ``int64``."""
    import numpy as np

    if isinstance(column, range):
        return np.arange(column.start, column.stop, column.step, dtype=np.int64)
    return np.asarray(column, dtype=np.int64)


class Window(NamedTuple):
    """The splices that make up a stretch of the result, cut to it, with the kept runs between them.

    Run ``i`` of the kept bytes ends at ``starts[i]``; the next begins at ``stops[i]``; the first begins at
    ``base.start`` and the last ends at ``base.stop``. ``news`` bounds each splice's bytes in the pool.
    """

    result: Span
    base: Span
    starts: Sequence[int]
    stops: Sequence[int]
    news: Sequence[int]

    def parts(self, places: int) -> Iterator[Window]:
        """Yields windows of at most so many splices, which are this one when joined."""
        base, result = self.base.start, self.result.start
        for first in range(0, len(self.starts), places):
            starts, stops = self.starts[first : first + places], self.stops[first : first + places]
            news = self.news[first : first + len(starts) + 1]
            stop = stops[-1] if first + places < len(self.starts) else self.base.stop
            deleted = sum(stops) - sum(starts)
            end = result + stop - base - deleted + news[-1] - news[0]
            yield Window(Span(result, end), Span(base, stop), starts, stops, news)
            base, result = stop, end

    def runs(self) -> Iterator[Span]:
        """Yields the kept runs, in order, without empty ones."""
        at = self.base.start
        for start, stop in zip(self.starts, self.stops, strict=True):
            if at < start:
                yield Span(at, start)
            at = stop
        if at < self.base.stop:
            yield Span(at, self.base.stop)


class Extent(NamedTuple):
    """A stretch of the result in brief: a window without the list of its splices."""

    places: int
    """Splices that bring bytes to it, or delete inside it."""
    base: Span
    """What its kept bytes and the splices that lie in it whole span in the base."""
    front: int
    back: int
    """Bytes at its edges that a splice brings which the edge cuts."""


class Head(NamedTuple):
    """Where a block begins: what is needed to find the block without loading it."""

    start: int
    result_start: int


class _Loaded(NamedTuple):
    """A block with the two columns that look-ups bisect in."""

    block: Block
    results: Sequence[int]
    stops: Sequence[int]

    @staticmethod
    def of(block: Block) -> _Loaded:
        starts, olds, news = block
        if len(starts) < _VECTOR_SPLICES:
            results = [s + n - o for s, n, o in zip(starts, news, olds, strict=False)]
            stops = [s + b - a for s, a, b in zip(starts, olds, olds[1:], strict=False)]
            return _Loaded(block, results, stops)
        start, old, new = (vector(column) for column in block)
        return _Loaded(block, _column(start + new[:-1] - old[:-1]), _column(start + old[1:] - old[:-1]))


class Splices:
    """All splices of a patch over a base of ``base_size`` bytes, in blocks that ``load`` fetches.

    Args:
        heads: one per block, ascending; blocks are not empty.
        load: fetches a block by its number; the last two are kept, so walking either way is cheap.
    """

    def __init__(
        self,
        base_size: int,
        summary: Summary,
        heads: Sequence[Head],
        load: Callable[[int], Block],
    ) -> None:
        self.base_size = base_size
        self.summary = summary
        self.result_size = base_size + summary.growth
        self._starts = [head.start for head in heads]
        self._results = [head.result_start for head in heads]
        self._load = load
        self._recent: dict[int, _Loaded] = {}

    @staticmethod
    def of(base_size: int, block: Block) -> Splices:
        """A patch small enough for one block in memory."""
        if not len(block.starts):
            return Splices(base_size, NO_SPLICES, (), lambda number: block)
        summary = summarize(block, NO_SPLICES)
        return Splices(
            base_size, summary, (Head(block.starts[0], block.result_start(0)),), lambda number: block
        )

    def inverted(self) -> Splices:
        """The inverse patch's splices: over the result, back to the base."""
        heads = list(map(Head, self._results, self._starts))
        inverse = Splices(
            self.result_size, self.summary.inverted(), heads, lambda number: self._load(number).inverted()
        )
        return inverse

    def blocks(self) -> Iterator[Block]:
        """Yields every block, in order."""
        for number in range(len(self._starts)):
            yield self._loaded(number).block

    def kept_before(self, result_offset: int) -> int:
        """Base offset where the kept bytes that come before ``result_offset`` end."""
        number = bisect_left(self._results, result_offset) - 1
        if number < 0:
            return result_offset
        block, results, stops = self._loaded(number)
        i = bisect_left(results, result_offset) - 1
        past = result_offset - results[i] - (block.news[i + 1] - block.news[i])
        return block.starts[i] if past <= 0 else stops[i] + past

    def kept_after(self, result_offset: int) -> int:
        """Base offset where the kept bytes that come from ``result_offset`` on begin."""
        number = bisect_right(self._results, result_offset) - 1
        if number < 0:
            return result_offset
        block, results, stops = self._loaded(number)
        i = bisect_right(results, result_offset) - 1
        past = result_offset - results[i] - (block.news[i + 1] - block.news[i])
        return stops[i] + max(past, 0)

    def moved(self, span: Span) -> Span | None:
        """Where a span of the base lies in the result; None where a splice touches it.

        A span that merely meets a splice is not touched by it; it lies behind what the splice brings.
        An empty span is a place between two bytes.
        """
        number = max(0, bisect_left(self._starts, span.start) - 1)
        passed = 0
        while number < len(self._starts) and self._starts[number] <= max(span.start, span.stop - 1):
            block, _, stops = self._loaded(number)
            i = bisect_right(stops, span.start)
            if i:
                passed = block.displacement(i - 1)
            if i < len(stops):
                if block.starts[i] < (span.stop if span.size else span.start):
                    return None
                break
            number += 1
        return span.moved(passed)

    def window(self, result: Span) -> Window:
        """The splices that make up a stretch of the result.

        Cost: memory for the splices in it; callers keep windows near a MiB.
        """
        starts: Sequence[int] = ()
        stops: Sequence[int] = ()
        news: Sequence[int] = ()
        first_at = last_end = 0
        for (block, results, block_stops), first, last in self._stretches(result):
            if not starts:
                # Parts of columns, as nearly every window lies in one block.
                first_at = results[first]
                starts, stops = block.starts[first:last], block_stops[first:last]
                news = block.news[first : last + 1]
            else:
                starts = [*starts, *block.starts[first:last]]
                stops = [*stops, *block_stops[first:last]]
                news = [*news[:-1], *block.news[first : last + 1]]
            last_end = results[last - 1] + news[-1] - news[-2]
        if not starts:
            start = self.kept_after(result.start)
            return Window(result, Span(start, start + result.size), starts, stops, news)
        # The first and last splice may reach over the window's edges: their new bytes are cut to it.
        front, back = max(0, result.start - first_at), max(0, last_end - result.stop)
        if front or back:
            news = list(news)
            news[0] += front
            news[-1] -= back
        base = Span(starts[0] - max(0, first_at - result.start), stops[-1] + max(0, result.stop - last_end))
        return Window(result, base, starts, stops, news)

    def extent(self, result: Span) -> Extent:
        """What makes up a window, told without listing its splices."""
        places = front = back = start = stop = 0
        for (block, results, stops), first, last in self._stretches(result):
            if not places:
                cut = results[first] < result.start
                brought = block.news[first + 1] - block.news[first]
                front = results[first] + brought - result.start if cut else 0
                start = stops[first] if cut else block.starts[first] - (results[first] - result.start)
            places += last - first
            end = results[last - 1] + block.news[last] - block.news[last - 1]
            back = result.stop - results[last - 1] if end > result.stop else 0
            stop = block.starts[last - 1] if back else stops[last - 1] + result.stop - end
        if not places:
            start = self.kept_after(result.start)
            return Extent(0, Span(start, start + result.size), 0, 0)
        return Extent(places, Span(start, max(start, stop)), front, back)

    def _stretches(self, result: Span) -> Iterator[tuple[_Loaded, int, int]]:
        """Yields (block, first, last) for the splices that bring bytes to, or delete inside, a window."""
        number = max(0, bisect_left(self._results, result.start) - 1)
        while number < len(self._results) and self._results[number] < result.stop:
            loaded = self._loaded(number)
            block, results, _ = loaded
            first = bisect_left(results, result.start)
            if first:
                previous = first - 1
                size = block.news[first] - block.news[previous]
                first -= results[previous] + size > result.start
            last = bisect_left(results, result.stop)
            if first < last:
                yield loaded, first, last
            number += 1

    def _loaded(self, number: int) -> _Loaded:
        loaded = self._recent.get(number)
        if loaded is None:
            while len(self._recent) >= 2:
                del self._recent[next(iter(self._recent))]
            loaded = self._recent[number] = _Loaded.of(self._load(number))
        return loaded


def evenly(first: int, stride: int, count: int) -> Sequence[int]:
    """A cumulative column of ``count`` sizes that are all ``stride``."""
    if stride:
        return range(first, first + stride * (count + 1), stride)
    return array("q", (first,)) * (count + 1)


def block_of(splices: Iterable[tuple[int, int, int]], *, olds: int = 0, news: int = 0) -> Block:
    """A block from (start, stop, new size) triples, following ``olds`` replaced and ``news`` new bytes."""
    starts, old_column, new_column = array("q"), array("q", (olds,)), array("q", (news,))
    for start, stop, new_size in splices:
        olds += stop - start
        news += new_size
        starts.append(start)
        old_column.append(olds)
        new_column.append(news)
    return Block(starts, old_column, new_column)
