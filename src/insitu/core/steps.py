"""The step set: everything a plan can tell the executor to do to a file."""

from __future__ import annotations

from typing import NamedTuple

from insitu.core.spans import Span


class Resize(NamedTuple):
    """Cut or extend the target to ``size``; extension reads as zeros and is allocated beforehand."""

    size: int


class Place(NamedTuple):
    """Write the result's bytes ``result`` at ``offset``.

    The base bytes they need come from the journal where the plan covers them, else from the target,
    where base byte ``x`` is found at ``x + displacement``.
    """

    result: Span
    offset: int
    displacement: int = 0

    @property
    def written(self) -> Span:
        """Which bytes of the target it writes."""
        return Span(self.offset, self.offset + self.result.size)


class Move(NamedTuple):
    """Copy bytes inside the target; source and target do not overlap."""

    source: Span
    offset: int

    @property
    def written(self) -> Span:
        """Which bytes of the target it writes."""
        return Span(self.offset, self.offset + self.source.size)


class Transfer(NamedTuple):
    """Copy base bytes from the old file into the new one of a rewrite, inside the kernel if it can."""

    base: Span
    offset: int


class Insert(NamedTuple):
    """Shift everything from ``offset`` right by ``size`` (whole blocks), leaving a hole."""

    offset: int
    size: int


class Collapse(NamedTuple):
    """Remove ``size`` bytes (whole blocks) at ``offset``, shifting everything behind them left."""

    offset: int
    size: int


Step = Resize | Place | Move | Transfer | Insert | Collapse
