"""Shift: what lies behind a change is moved, in moves that never overlap their own source.

A segment whose writes miss its reads needs no copy of its data in the journal, only a note of how far the
work has come. Four programs make every move disjoint, at different prices:

    right   everything moves right by at least a segment: from the end, straight to its place
    left    everything moves left by at least a segment: from the change on, straight to its place
    gap     from the end, to its place plus a gap of whole blocks that is collapsed at last
    detour  as gap, but the gap is closed by moving everything left again: written twice

Any mix of growing and shrinking splices works in each: only the least and greatest displacement count.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from insitu.core.columns import Splices
from insitu.core.facts import Facts
from insitu.core.plan import WINDOW_BYTES, Cost, Layout, Plan, Rejected, Segment, Target, windows
from insitu.core.policy import Policy
from insitu.core.spans import Span, ceil, floor
from insitu.core.steps import Collapse, Move, Place, Resize

NAME = "shift"

# What a segment moves between two syncs. Measured on 1 GB of tail: 16 MiB 0.32 s, 64 MiB 0.30 s,
# 256 MiB 0.33 s; with 5 ms a flush 1.13, 0.56 and 0.44 s.
SEGMENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Shift(ABC):
    """What the four programs share: where the moved part begins, and the edge before it.

    The first change rarely falls on an atom. The *edge* runs from the atom it lies in to ``body``, where
    whole units begin; what it keeps of the base is covered, because placing it spoils the head's atom.
    """

    splices: Splices
    layout: Layout

    @property
    def base_size(self) -> int:
        """Size before."""
        return self.splices.base_size

    @property
    def result_size(self) -> int:
        """Size afterwards."""
        return self.splices.result_size

    @property
    def edge(self) -> Span:
        """Result bytes from the atom of the first change to the body."""
        first = self.splices.summary.first
        unit = max(self.layout.atom_bytes, self.layout.block_bytes)
        return Span(floor(first, unit), min(ceil(first, unit), self.result_size))

    def covers(self) -> Iterator[Span]:
        """What the edge keeps of the base."""
        yield from self.splices.window(self.edge).runs()

    @abstractmethod
    def segments(self) -> Iterator[Segment]:
        """The program itself."""

    def _place_edge(self) -> Iterator[Segment]:
        if self.edge.size:
            yield (Place(self.edge, self.edge.start),)

    def _place_body_descending(self, gap: int) -> Iterator[Segment]:
        """The body, from its end, each segment ``gap`` bytes right of its place."""
        start, stop = self.edge.stop, self.result_size
        while start < stop:
            cut = max(start, ceil(stop - self.layout.segment_bytes, self.layout.atom_bytes))
            yield tuple(Place(window, window.start + gap) for window in windows(Span(cut, stop)))
            stop = cut


class Right(_Shift):
    """Every kept byte moves right by at least a segment."""

    def segments(self) -> Iterator[Segment]:
        """Extend, place the body from its end, then the edge."""
        yield (Resize(self.result_size),)
        yield from self._place_body_descending(0)
        yield from self._place_edge()


class Left(_Shift):
    """Every kept byte moves left by at least a segment."""

    def covers(self) -> Iterator[Span]:
        """The head's share of the atom of the first change."""
        first = self.splices.summary.first
        if self.edge.start < first:
            yield Span(self.edge.start, first)

    def segments(self) -> Iterator[Segment]:
        """Place everything from the edge on, forwards, then cut."""
        start = self.edge.start
        while start < self.result_size:
            stop = min(start + self.layout.segment_bytes, self.result_size)
            yield tuple(Place(window, window.start) for window in windows(Span(start, stop)))
            start = stop
        yield (Resize(self.result_size),)


class Gap(_Shift):
    """The body is placed over a gap of whole blocks, which is collapsed at last."""

    def segments(self) -> Iterator[Segment]:
        """Extend, place the body behind the gap, then the edge, then collapse the gap."""
        gap = self.layout.gap_bytes
        yield (Resize(self.result_size + gap),)
        yield from self._place_body_descending(gap)
        yield from self._place_edge()
        yield (Collapse(self.edge.stop, gap),)


class Detour(_Shift):
    """The body is placed behind a gap, then moved left over it."""

    def segments(self) -> Iterator[Segment]:
        """Extend, place the body behind the gap, then the edge, move the body back, cut."""
        gap = self.layout.gap_bytes
        yield (Resize(self.result_size + gap),)
        yield from self._place_body_descending(gap)
        yield from self._place_edge()
        start = self.edge.stop
        while start < self.result_size:
            stop = min(start + gap, self.result_size)
            yield tuple(Move(window.moved(gap), window.start) for window in windows(Span(start, stop)))
            start = stop
        yield (Resize(self.result_size),)


PROGRAMS: dict[str, Callable[[Splices, Layout], _Shift]] = {
    "right": Right,
    "left": Left,
    "gap": Gap,
    "detour": Detour,
}


def plan(splices: Splices, facts: Facts, policy: Policy, target: Target) -> Plan | Rejected:
    """The cheapest shift, or why there is none."""
    if policy.visibility == "atomic":
        return Rejected(NAME, "readers could see it half moved, and the policy says atomic")
    form, layout = _form(splices, facts, target)
    program = PROGRAMS[form](splices, layout)
    summary = splices.summary
    body = splices.result_size - program.edge.stop
    if body <= 0:
        return Rejected(NAME, "there is nothing behind the change to move")
    times = 2 if form == "detour" else 1
    old = summary.old_bytes if target.history else 0
    extra = layout.gap_bytes + max(0, -summary.growth)
    cost = Cost(
        read_bytes=body * times + summary.new_bytes + old,
        overwritten_bytes=body * times,
        fresh_bytes=summary.new_bytes + old,
        syncs=8 + times * (body // layout.segment_bytes),
        space_bytes=extra + summary.new_bytes + old + (body * times if facts.overwrite_allocates else 0),
    )
    return Plan(
        planner=NAME,
        form=form,
        layout=layout,
        program=program,
        cost=cost,
        visibility="committed",
        moves=True,
    )


def _form(splices: Splices, facts: Facts, target: Target) -> tuple[str, Layout]:
    summary = splices.summary
    unit = max(facts.atom_bytes, facts.block_bytes)
    tail = ceil(max(splices.result_size - summary.first, unit), unit)
    segment = min(SEGMENT_BYTES, tail)
    least = floor(min(abs(summary.displacement_min), abs(summary.displacement_max)), unit)
    straight = least >= min(segment, WINDOW_BYTES)
    if straight and summary.displacement_min > 0:
        return "right", Layout(facts.atom_bytes, facts.block_bytes, min(segment, least))
    if straight and summary.displacement_max < 0:
        return "left", Layout(facts.atom_bytes, facts.block_bytes, min(segment, least))
    gap = ceil(segment + max(0, -summary.displacement_min), unit)
    layout = Layout(facts.atom_bytes, facts.block_bytes, segment, gap)
    dense = target.dense_from <= summary.first
    return ("gap" if facts.ranges and dense else "detour"), layout
