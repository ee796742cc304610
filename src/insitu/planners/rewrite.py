"""Rewrite: a new file is built beside the old one and renamed over it.

Any reader sees old or new. Kept stretches are cloned where the file system shares ranges, else copied
inside the kernel; the old file stays whole until the rename, which is the commit point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from insitu.core.columns import Splices
from insitu.core.facts import Facts
from insitu.core.plan import WINDOW_BYTES, Cost, Layout, Plan, Rejected, Segment, Target, windows
from insitu.core.policy import Policy
from insitu.core.spans import Span, floor
from insitu.core.steps import Place, Step, Transfer

NAME = "rewrite"

# Kept stretches from this size on are handed to the kernel; shorter ones are written with their neighbours.
TRANSFER_BYTES = WINDOW_BYTES


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The program: a single segment, since a crash before the swap leaves the old file."""

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

    def covers(self) -> Iterator[Span]:
        """Nothing: the old file is not written to."""
        return iter(())

    def segments(self) -> Iterator[Segment]:
        """Runs of transfers and placements, each small enough to hold as a tuple."""
        for step in self._steps():
            yield (step,)

    def _steps(self) -> Iterator[Step]:
        placed = 0
        for kept, start in self._long_runs():
            yield from _places(Span(placed, start))
            yield Transfer(kept, start)
            placed = start + kept.size
        yield from _places(Span(placed, self.result_size))

    def _long_runs(self) -> Iterator[tuple[Span, int]]:
        """Yields kept stretches worth a transfer, with where they begin in the result."""
        at = displacement = 0
        for block in self.splices.blocks():
            for i, start in enumerate(block.starts):
                if start - at >= TRANSFER_BYTES:
                    yield Span(at, start), at + displacement
                at, displacement = block.stop(i), block.displacement(i)
        if self.base_size - at >= TRANSFER_BYTES:
            yield Span(at, self.base_size), at + displacement


def _places(span: Span) -> Iterator[Step]:
    return (Place(window, window.start) for window in windows(span))


def plan(splices: Splices, facts: Facts, policy: Policy, target: Target) -> Plan | Rejected:
    """The rewrite plan, or why there is none."""
    if target.links > 1:
        return Rejected(NAME, f"the file has {target.links} hard links, and a swap would part them")
    if not target.swappable:
        return Rejected(NAME, "the file is a mount point of its own and cannot be renamed over")
    summary = splices.summary
    layout = Layout(facts.atom_bytes, facts.block_bytes, WINDOW_BYTES)
    cloned = floor(summary.first, facts.block_bytes) if facts.clone else 0
    if facts.clone and summary.growth % facts.block_bytes == 0:
        cloned += max(0, splices.base_size - summary.last - facts.block_bytes)
    copied = splices.result_size - cloned
    old = summary.old_bytes if target.history else 0
    cost = Cost(
        read_bytes=copied + old,
        overwritten_bytes=0,
        fresh_bytes=copied + old,
        syncs=5,
        space_bytes=copied + summary.new_bytes + old,
    )
    return Plan(
        planner=NAME,
        form="swap",
        layout=layout,
        program=Rewrite(splices, layout),
        cost=cost,
        visibility="atomic",
        swaps=True,
    )
