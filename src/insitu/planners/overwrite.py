"""Overwrite: every atom that changes is saved in the journal, then written where it lies.

Fits any patch; costs the changed bytes twice, once in the journal and once in the file, and three syncs.
What changes is what splices touch and, where sizes do not balance, what lies between them or behind.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from insitu.core.columns import Block, Splices, vector
from insitu.core.facts import Facts
from insitu.core.plan import WINDOW_BYTES, Cost, Layout, Plan, Rejected, Segment, Target, windows
from insitu.core.policy import Policy
from insitu.core.spans import Span, ceil, floor
from insitu.core.steps import Place, Resize, Step

NAME = "overwrite"

# One cover costs about 10 us of bookkeeping and 40 bytes of memory; beyond this many, moving everything
# from the first change on is cheaper than picking out atoms.
COVERS_MAX = 1 << 18

# Fewer splices than this are walked in Python; more are worth importing NumPy (about 95 ms).
_VECTOR_SPLICES = 1 << 12


@dataclass(frozen=True, slots=True)
class Overwrite:
    """The program: one segment that places every changed atom from the journal."""

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
        """The changed atoms of the base, joined where they touch."""
        for region in changed(self.splices, self.layout.atom_bytes):
            if region.stop <= self.base_size:
                yield region
            elif region.start < self.base_size:
                yield Span(region.start, self.base_size)

    def segments(self) -> Iterator[Segment]:
        """A single segment: it reads nothing from the target, so it can always run again."""
        yield tuple(self._steps())

    def _steps(self) -> Iterator[Step]:
        if self.result_size > self.base_size:
            yield Resize(self.result_size)
        for region in changed(self.splices, self.layout.atom_bytes):
            if region.stop <= min(region.start + WINDOW_BYTES, self.result_size):
                yield Place(region, region.start)
                continue
            for window in windows(Span(region.start, min(region.stop, self.result_size))):
                yield Place(window, window.start)
        if self.result_size < self.base_size:
            yield Resize(self.result_size)


def changed(splices: Splices, atom: int) -> Iterator[Span]:
    """Yields the stretches of whole atoms in which base and result differ, ascending.

    Base and result agree on where a stretch begins and ends; only the last may be open, when the size
    changes: it then reaches to the end of the longer of the two.
    """
    end = max(splices.base_size, splices.result_size)
    pending: Span | None = None
    for regions in _regions(splices, atom):
        first, *others = regions
        if pending is not None and first.start <= pending.stop:
            first = Span(pending.start, max(first.stop, pending.stop))
        elif pending is not None:
            yield pending
        # The regions of one list do not touch: all but its last are as they will be.
        pending = others[-1] if others else first
        if others:
            yield first
            yield from others[:-1]
    if pending is not None:
        yield Span(pending.start, min(pending.stop, end))


def _regions(splices: Splices, atom: int) -> Iterator[list[Span]]:
    """Yields what changes in whole atoms, in lists whose spans are ascending and apart from each other."""
    open_at: int | None = None
    for block in splices.blocks():
        if open_at is None and len(block.starts) >= _VECTOR_SPLICES and _same_sizes(block):
            yield _vector_regions(block, atom)
            continue
        if len(block.starts) >= _VECTOR_SPLICES and _never_balances(block):
            open_at = block.starts[0] if open_at is None else open_at
            continue
        for i, change in enumerate(block.starts):
            if open_at is None:
                open_at = change
            if block.displacement(i) == 0:
                yield [
                    Span(floor(open_at, atom), max(ceil(block.stop(i), atom), floor(open_at, atom) + atom))
                ]
                open_at = None
    if open_at is not None:
        end = max(splices.base_size, splices.result_size)
        yield [Span(floor(open_at, atom), max(end, floor(open_at, atom)))]


def _same_sizes(block: Block) -> bool:
    return array("q", block.olds) == array("q", block.news)


def _never_balances(block: Block) -> bool:
    """Whether what follows is displaced after every splice of the block."""
    return bool((vector(block.news)[1:] != vector(block.olds)[1:]).all())


def _vector_regions(block: Block, atom: int) -> list[Span]:
    import numpy as np

    starts = vector(block.starts)
    stops = starts + np.diff(vector(block.olds))
    low = starts - starts % atom
    high = stops + -stops % atom
    first = np.flatnonzero(np.concatenate(([True], low[1:] > high[:-1])))
    last = np.concatenate((first[1:] - 1, [len(low) - 1]))
    return list(map(Span, low[first].tolist(), high[last].tolist()))


def plan(splices: Splices, facts: Facts, policy: Policy, target: Target) -> Plan | Rejected:
    """The overwrite plan, or why there is none."""
    if policy.visibility == "atomic":
        return Rejected(NAME, "readers could see it half written, and the policy says atomic")
    if splices.summary.places > COVERS_MAX:
        return Rejected(NAME, f"{splices.summary.places:,} places are more than it keeps track of")
    layout = Layout(facts.atom_bytes, facts.block_bytes, WINDOW_BYTES)
    program = Overwrite(splices, layout)
    saved = sum(cover.size for cover in program.covers())
    placed = saved + max(splices.summary.growth, 0)
    new = splices.summary.new_bytes
    cost = Cost(
        read_bytes=2 * saved + new,
        overwritten_bytes=placed,
        fresh_bytes=saved + new,
        syncs=3,
        space_bytes=saved + new + (placed if facts.overwrite_allocates else 0),
    )
    return Plan(
        planner=NAME,
        form="atoms",
        layout=layout,
        program=program,
        cost=cost,
        visibility="committed",
    )
