"""The checker: proves of a plan, before it runs, that it is *right* and *restartable*.

*Right*: run over provenance ("base byte 100 is here", "result byte 7 is here") instead of bytes, the steps
leave exactly the result. *Restartable*: within a segment nothing is read from the target that the segment
writes, once writes are widened to whole atoms, and what shares an atom with a write counts as lost; so a
segment that a crash spoiled can be run again from its start.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any

from insitu.core.columns import Splices, vector
from insitu.core.plan import Plan, Segment
from insitu.core.spans import Span
from insitu.core.steps import Collapse, Insert, Move, Place, Resize, Step, Transfer
from insitu.errors import InternalError

# Above this many splices in a step, the stretch from its first to its last kept byte stands for the kept
# runs: a stricter test that costs the same for any number of them. Where it fails the runs are listed.
_RUNS_LISTED = 0

# From so many steps on, a segment that places in place is worth importing NumPy for.
_COLUMNS_STEPS = 1 << 12


class Origin(Enum):
    """Whose byte a position of the target holds."""

    BASE = "base"
    RESULT = "result"
    VOID = "void"


class Provenance:
    """What the target holds, as intervals: position ``p`` holds byte ``p + delta`` of its origin."""

    def __init__(self, origin: Origin, size: int) -> None:
        self._starts = [0] if size else []
        self._held: list[tuple[Origin, int]] = [(origin, 0)] if size else []
        self.size = size

    @property
    def changed(self) -> bool:
        """Whether anything but the base from its start is held."""
        return self._held != [(Origin.BASE, 0)]

    def put(self, span: Span, origin: Origin, delta: int) -> None:
        """Records that ``span`` now holds bytes of ``origin``, extending the file where it must."""
        if not span.size:
            return
        if span.start > self.size:
            self.put(Span(self.size, span.start), Origin.VOID, 0)
        first = self._split(span.start)
        last = self._split(span.stop)
        held = (origin, delta)
        self.size = max(self.size, span.stop)
        self._starts[first:last] = [span.start]
        self._held[first:last] = [held]
        if first + 1 < len(self._held) and self._held[first + 1] == held:
            del self._starts[first + 1], self._held[first + 1]
        if first and self._held[first - 1] == held:
            del self._starts[first], self._held[first]

    def cut(self, size: int) -> None:
        """Records that the file ends at ``size`` now."""
        if size > self.size:
            self.put(Span(self.size, size), Origin.VOID, 0)
        else:
            at = self._split(size)
            del self._starts[at:], self._held[at:]
            self.size = size

    def slide(self, offset: int, by: int) -> None:
        """Records an insert (``by`` > 0) or collapse (``by`` < 0) of whole blocks at ``offset``."""
        if by < 0:
            first, last = self._split(offset), self._split(offset - by)
            del self._starts[first:last], self._held[first:last]
        else:
            first = self._split(offset)
        for i in range(first, len(self._starts)):
            origin, delta = self._held[i]
            self._starts[i] += by
            self._held[i] = (origin, delta - by)
        self.size += by
        if by > 0:
            self._starts.insert(first, offset)
            self._held.insert(first, (Origin.VOID, 0))

    def holds(self, span: Span, origin: Origin, delta: int) -> bool:
        """Whether all of ``span`` holds bytes of ``origin`` at this delta."""
        return all(held == (origin, delta) for _, held in self.within(span)) and span.stop <= self.size

    def within(self, span: Span) -> Iterable[tuple[Span, tuple[Origin, int]]]:
        """Yields the intervals that tile ``span``, cut to it."""
        i = max(0, bisect_right(self._starts, span.start) - 1)
        while i < len(self._starts) and self._starts[i] < span.stop:
            stop = self._starts[i + 1] if i + 1 < len(self._starts) else self.size
            yield Span(max(span.start, self._starts[i]), min(span.stop, stop)), self._held[i]
            i += 1

    def _split(self, offset: int) -> int:
        """Makes an interval start at ``offset``; returns its number."""
        i = bisect_left(self._starts, offset)
        if (i < len(self._starts) and self._starts[i] == offset) or offset >= self.size:
            return i
        self._starts.insert(i, offset)
        self._held.insert(i, self._held[i - 1])
        return i


class Checker:
    """Follows a plan's segments and refuses the first that could lose a byte.

    Raises:
        InternalError: from ``segment`` and ``finish``; planners are at fault, never the caller.
    """

    def __init__(self, plan: Plan, splices: Splices) -> None:
        self._plan = plan
        self._splices = splices
        self._covers = list(plan.program.covers())
        self._cover_stops = [cover.stop for cover in self._covers]
        new_file = Provenance(Origin.VOID, 0)
        self._right_so_far = False
        self._target = new_file if plan.swaps else Provenance(Origin.BASE, splices.base_size)

    def segment(self, segment: Segment) -> None:
        """Checks one segment, in the order they run."""
        if len(segment) >= _COLUMNS_STEPS and self._right_in_place(segment):
            self._right_so_far = True
            return
        self._right_so_far = False
        writes = [self._written(step) for step in segment]
        spoiled = _merged(writes)
        reads = [source for step in segment for source in self._sources(step, spoiled)]
        if not self._plan.swaps:
            self._require(_disjoint(reads, spoiled), "a segment reads what it writes")
            self._spoil(segment, writes)
        for step in segment:
            match step:
                case Resize(size):
                    self._target.cut(size)
                case Place(result, offset):
                    self._target.put(step.written, Origin.RESULT, result.start - offset)
                case Move(source, offset):
                    by = offset - source.start
                    for span, (origin, delta) in list(self._target.within(source)):
                        self._target.put(span.moved(by), origin, delta - by)
                case Transfer(base, offset):
                    self._require(self._plan.swaps, "only a rewrite copies from the old file")
                    written = Span(offset, offset + base.size)
                    self._target.put(written, Origin.BASE, base.start - offset)
                case Insert(offset, size) | Collapse(offset, size):
                    self._require(len(segment) == 1, "a range step shares a segment")
                    block = self._plan.layout.block_bytes
                    self._require(not offset % block and not size % block, "a range step is not whole blocks")
                    self._target.slide(offset, size if isinstance(step, Insert) else -size)

    def _spoil(self, segment: Segment, writes: list[Span]) -> None:
        """Records that a crash inside the segment may spoil whole atoms around what it writes."""
        for step, span in zip(segment, writes, strict=True):
            if not isinstance(step, Place) or span != step.written:
                self._target.put(Span(span.start, min(span.stop, self._target.size)), Origin.VOID, 0)

    def finish(self) -> None:
        """Checks that what the target holds now is the result, and nothing but the result."""
        splices = self._splices
        if self._right_so_far:
            return
        self._require(self._target.size == splices.result_size, "the size is not the result's")
        for span, (origin, delta) in self._target.within(Span(0, splices.result_size)):
            if origin is Origin.RESULT and delta == 0:
                continue
            right = origin is Origin.BASE and self._keeps(span, span.moved(delta))
            self._require(right, f"bytes {span.start}:{span.stop} are not the result's")

    def _sources(self, step: Step, writes: Sequence[Span]) -> list[Span]:
        """What a step reads from the target, after proving that the right bytes are there.

        Args:
            writes: what the step's segment writes, merged.
        """
        if isinstance(step, Move):
            return [step.source]
        if self._plan.swaps or not isinstance(step, Place):
            return []
        result, splices = step.result, self._splices
        stretch = Span(splices.kept_after(result.start), splices.kept_before(result.stop))
        if self._covered(stretch):
            return []
        if splices.extent(result).places > _RUNS_LISTED and not self._meets_cover(stretch):
            whole = stretch.moved(step.displacement)
            held = self._target.holds(whole, Origin.BASE, -step.displacement)
            if held and not any(write.overlaps(whole) for write in writes):
                return [whole]
        sources = []
        for run in self._uncovered(splices.window(result).runs()):
            source = run.moved(step.displacement)
            there = self._target.holds(source, Origin.BASE, -step.displacement)
            self._require(there, f"base bytes {run.start}:{run.stop} are gone")
            sources.append(source)
        return sources

    def _right_in_place(self, segment: Segment) -> bool:
        """Proves a long segment at once, as columns, where the patch moves nothing.

        Base and result then agree on every offset, so steps that place covered stretches where they lie
        are right if every splice lies in one, and restartable since they read nothing but the journal.
        Only the first segment is looked at in this way, before anything was written.
        """
        import numpy as np

        summary = self._splices.summary
        if summary.displacement_min or summary.displacement_max or self._target.changed:
            return False
        if not segment or any(not isinstance(step, Place) or step.result != step.written for step in segment):
            return False
        starts, stops = np.array([step.result for step in segment if isinstance(step, Place)]).T
        covers = np.array(self._covers)

        def covered(starts: Any, stops: Any) -> bool:
            at = np.searchsorted(covers[:, 0], starts, "right") - 1
            return bool((at >= 0).all() and (covers[at, 1] >= stops).all())

        all_placed = (
            bool((starts[1:] >= stops[:-1]).all()) and (stops - starts).sum() == np.ptp(covers, 1).sum()
        )
        blocks = (
            (vector(b.starts), vector(b.starts) + np.diff(vector(b.olds))) for b in self._splices.blocks()
        )
        return all_placed and covered(starts, stops) and all(covered(*block) for block in blocks)

    def _keeps(self, result: Span, base: Span) -> bool:
        """Whether a stretch of the result is this stretch of the base, all of it kept."""
        extent = self._splices.extent(result)
        if not extent.places:
            return extent.base == base
        return list(self._splices.window(result).runs()) == [base]

    def _covered(self, span: Span) -> bool:
        i = bisect_right(self._cover_stops, span.start)
        return i < len(self._covers) and self._covers[i].holds(span)

    def _meets_cover(self, span: Span) -> bool:
        """Whether part of the span is saved: then what is replaced in it may be what is not."""
        i = bisect_right(self._cover_stops, span.start)
        return i < len(self._covers) and self._covers[i].overlaps(span)

    def _uncovered(self, runs: Iterable[Span]) -> Iterable[Span]:
        for run in runs:
            at = run.start
            i = bisect_right(self._cover_stops, at)
            while i < len(self._covers) and self._covers[i].start < run.stop:
                if at < self._covers[i].start:
                    yield Span(at, self._covers[i].start)
                at = self._covers[i].stop
                i += 1
            if at < run.stop:
                yield Span(at, run.stop)

    def _written(self, step: Step) -> Span:
        """What a crash inside a step can spoil: whole atoms around what it writes."""
        match step:
            case Resize(size):
                return Span(*sorted((size, self._target.size)))
            case Place() | Move():
                return step.written.widened(self._plan.layout.atom_bytes)
            case _:
                return Span(0, 0)

    def _require(self, true: bool, what: str) -> None:
        if not true:
            raise InternalError(
                f"The plan {self._plan.planner}/{self._plan.form} is illegal: {what}. The file is unchanged.",
                hint="This is a bug of insitu; please report it with the plan printed by --dry-run.",
            )


def check(plan: Plan, splices: Splices) -> None:
    """Checks a whole plan; see ``Checker``."""
    checker = Checker(plan, splices)
    for segment in plan.program.segments():
        checker.segment(segment)
    checker.finish()


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same bytes as spans that are sorted and do not touch."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start <= merged[-1].stop:
            merged[-1] = Span(merged[-1].start, max(span.stop, merged[-1].stop))
        else:
            merged.append(span)
    return merged


def _disjoint(reads: Sequence[Span], writes: Sequence[Span]) -> bool:
    """Whether no read overlaps any of the writes, which are merged."""
    stops = [span.stop for span in writes]
    for read in reads:
        i = bisect_right(stops, read.start)
        if read.size and i < len(writes) and writes[i].overlaps(read):
            return False
    return True
