"""What of a neighbour is shown beside a chunk: whole lines if there are any, else words or characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from insitu.formats.chunk_measures import Measure
from insitu.formats.chunk_places import boundaries, line_places, word_places
from insitu.formats.chunk_tape import AROUND, Stretch, Tape

if TYPE_CHECKING:
    from insitu.formats.cells import Column


def context_before(data: bytes, encoding: str, measure: Measure, limit: int, newline: int) -> int:
    """How many of the last bytes of a neighbour fit a limit, cut at the best boundary there is.

    Args:
        limit: in shares.
    """
    import numpy as np

    stretch = Tape(encoding).feed(data, last=True)
    sizes = measure.sizes(stretch)
    for at in _levels(stretch, newline):
        bounds = np.unique(np.concatenate((at, [stretch.low, stretch.high])))
        left = np.cumsum(sizes.of(bounds[:-1], bounds[1:])[::-1])
        count = int(np.searchsorted(left, limit, "right"))
        if count:
            return int(stretch.high - bounds[-1 - count]) * stretch.unit
    return 0


def context_after(data: bytes, encoding: str, measure: Measure, limit: int, newline: int) -> int:
    """How many of the first bytes of a neighbour fit a limit. Otherwise as ``context_before``."""
    import numpy as np

    stretch = Tape(encoding).feed(data, last=True)
    sizes = measure.sizes(stretch)
    for at in _levels(stretch, newline):
        bounds = np.unique(np.concatenate((at, [stretch.low, stretch.high])))
        count = int(np.searchsorted(np.cumsum(sizes.of(bounds[:-1], bounds[1:])), limit, "right"))
        if count:
            return int(bounds[count] - stretch.low) * stretch.unit
    return 0


def _levels(stretch: Stretch, newline: int) -> tuple[Column, ...]:
    import numpy as np

    free = boundaries(stretch.array)
    found = []
    for at in (line_places(stretch, newline), word_places(stretch), np.flatnonzero(free)):
        inside = at[(at > AROUND) & (at < stretch.high)]
        found.append(inside[free[inside]])
    return tuple(found)
