"""Blocks: the file system inserts or collapses whole blocks, and only the edges are written.

Fits a patch whose size changes by whole blocks in one place; costs the edges, however long the tail is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from insitu.core.columns import Splices
from insitu.core.facts import Facts
from insitu.core.plan import WINDOW_BYTES, Cost, Layout, Plan, Rejected, Segment, Target, windows
from insitu.core.policy import Policy
from insitu.core.spans import Span, ceil, floor
from insitu.core.steps import Collapse, Insert, Place, Step

NAME = "blocks"


@dataclass(frozen=True, slots=True)
class Blocks:
    """The program: one range step, then the edge from the first changed block to the last."""

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
    def unit(self) -> int:
        """What offsets and sizes of the range step are multiples of."""
        return max(self.layout.atom_bytes, self.layout.block_bytes)

    @property
    def edge(self) -> Span:
        """The result bytes that are written: from the block of the first change to that of the last."""
        summary = self.splices.summary
        stop = ceil(summary.last + summary.growth, self.unit)
        return Span(floor(summary.first, self.unit), min(stop, self.result_size))

    def covers(self) -> Iterator[Span]:
        """What the edge keeps of the base."""
        for window in windows(self.edge):
            yield from self.splices.window(window).runs()

    def segments(self) -> Iterator[Segment]:
        """The range step alone, so that recovery can probe how far it came; then the edge."""
        yield (self.range_step(),)
        if self.edge.size:
            yield tuple(Place(window, window.start) for window in windows(self.edge))

    def range_step(self) -> Step:
        """Insert where the file grows, collapse where it shrinks."""
        growth = self.splices.summary.growth
        return Insert(self.edge.start, growth) if growth > 0 else Collapse(self.edge.start, -growth)


def plan(splices: Splices, facts: Facts, policy: Policy, target: Target) -> Plan | Rejected:
    """The blocks plan, or why there is none."""
    summary = splices.summary
    layout = Layout(facts.atom_bytes, facts.block_bytes, WINDOW_BYTES)
    program = Blocks(splices, layout)
    edge, growth = program.edge, summary.growth
    behind = edge.start + max(0, -growth)
    reason = None
    if policy.visibility == "atomic":
        reason = "readers could see it half written, and the policy says atomic"
    elif not facts.ranges:
        reason = "this storage cannot insert or collapse ranges"
    elif growth == 0 or growth % program.unit:
        reason = f"the size changes by {growth:+,} bytes, not by whole blocks of {program.unit:,}"
    elif target.dense_from > edge.start:
        reason = "there are holes behind the change, and a crash could not be told from them"
    elif behind >= splices.base_size:
        reason = "there is nothing behind the change to shift"
    if reason is not None:
        return Rejected(NAME, reason)
    old = summary.old_bytes if target.history else 0
    cost = Cost(
        read_bytes=2 * edge.size + old,
        overwritten_bytes=edge.size,
        fresh_bytes=edge.size + summary.new_bytes + old,
        syncs=7,
        space_bytes=edge.size + summary.new_bytes + old,
    )
    return Plan(
        planner=NAME,
        form="range",
        layout=layout,
        program=program,
        cost=cost,
        visibility="committed",
        moves=True,
    )
