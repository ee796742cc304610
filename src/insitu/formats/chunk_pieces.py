"""Cutting a text into pieces that fit a budget, as coarsely as possible: from units down to characters.

A unit (a block, a row, a definition) is a piece as it is if it fits. One that does not is cut at finer
boundaries, and what still does not fit at finer ones, down to single characters. What a piece is depends on
the unit it lies in and on nothing else, however the text is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from insitu.formats.chunk_measures import Measure, Sizes
from insitu.formats.chunk_places import FORCED, UNIT, Places, boundaries, ranks
from insitu.formats.chunk_tape import Stretch

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask

# A piece of more bytes does not fit, however small it is by the measure: it is held in memory.
PIECE_BYTES_MAX: Final = 2 << 20

# So far a cut between characters moves to the left so that it splits no cluster of them.
_CLUSTER_MAX: Final = 32


class Finer(Protocol):
    """Finds boundaries inside units that are too large."""

    def inside(self, stretch: Stretch, starts: Column, stops: Column) -> Places:
        """Boundaries in the pieces that start and stop there, and perhaps others.

        The first of the pieces may be the rest of one that was handed over before; the last may go on.
        """
        ...


class Pieces(NamedTuple):
    """Neighbouring pieces, as columns."""

    starts: Column
    """In code units of the text."""
    sizes: Column
    """In shares of the measure."""
    worths: Column
    """Of the boundaries they start at."""
    ranks: Column
    """Numbers that depend on the bytes around these boundaries only."""
    stop: int
    """Where the last one ends."""


class Cutter:
    """Cuts a text, stretch by stretch.

    Args:
        limit: of a piece, in shares of the measure.
        finer: what finds boundaries inside units, the coarsest first.
        worth: of the very first boundary.
    """

    def __init__(self, measure: Measure, limit: int, finer: Sequence[Finer], worth: int = UNIT) -> None:
        self._measure = measure
        self._limit = limit
        self._finer = finer
        # The piece that is not complete: what its boundary is worth, and how often what it lies in was cut.
        self._worth = worth
        self._depth = 0

    def cut(self, stretch: Stretch, coarse: Places) -> tuple[Pieces, int]:
        """The pieces that are certain, and the place where the rest begins.

        Args:
            coarse: the boundaries of units in the stretch, from ``low`` to ``high``, both excluded.
        """
        import numpy as np

        low, high = stretch.low, stretch.high
        coarse = _whole(stretch, coarse)
        sizes = self._measure.sizes(stretch)
        starts = np.concatenate(([low], coarse.at)) if high > low else coarse.at[:0]
        worths = np.concatenate(([self._worth], coarse.worth)) if high > low else coarse.worth[:0]
        depths = np.zeros(len(starts), np.int64)
        held = starts
        for depth in range(len(self._finer) + 2):
            bounds = np.append(starts, high)
            held = sizes.between(bounds) if len(starts) else starts
            over = self._over(bounds, held, stretch.unit, depths, depth)
            if depth > len(self._finer) or not over.any():
                break
            depths[over] = depth + 1
            stops = bounds[1:]
            if depth == len(self._finer):
                found = self._forced(stretch, sizes, starts[over].tolist(), stops[over].tolist())
            else:
                found = _whole(stretch, self._finer[depth].inside(stretch, starts[over], stops[over]))
            starts, worths, depths = _inserted(starts, worths, depths, over, found, depth + 1)
        count = len(starts)
        if count and not stretch.last:
            count -= 1
            self._worth, self._depth = int(worths[count]), int(depths[count])
        rest = int(starts[count]) if count < len(starts) else high
        base = stretch.base
        starts = starts[:count]
        pieces = Pieces(starts + base, held[:count], worths[:count], ranks(stretch, starts), rest + base)
        return pieces, rest

    def _over(self, bounds: Column, held: Column, unit: int, depths: Column, depth: int) -> Mask:
        """Which pieces are too large and were not yet cut at this depth."""
        import numpy as np

        over: Mask = (held > self._limit) | (np.diff(bounds) * unit > PIECE_BYTES_MAX)
        if self._depth > depth:
            over[:1] = True
        return np.asarray(over & (depths == depth))

    def _forced(self, stretch: Stretch, sizes: Sizes, starts: list[int], stops: list[int]) -> Places:
        """Boundaries between characters, as far apart as fits."""
        import numpy as np

        free = boundaries(stretch.array)
        at: list[int] = []
        most = PIECE_BYTES_MAX // stretch.unit
        for start, stop in zip(starts, stops, strict=True):
            while start < stop:
                fits = min(sizes.fitting(start, stop, self._limit), start + most)
                if fits >= stop:
                    break
                start = self._between(stretch, free, start, fits)
                if start < stop:
                    at.append(start)
        return Places(np.array(at, np.int64), np.full(len(at), FORCED, np.int64))

    def _between(self, stretch: Stretch, free: Mask, start: int, place: int) -> int:
        """The last boundary of characters up to a place, of clusters if one is near; else the next one."""
        low = place
        while low > start and not free[low]:
            low -= 1
        if low <= start:
            low = start + 1
            while not free[low] and low < stretch.high:
                low += 1
            return low
        back = low
        for _ in range(_CLUSTER_MAX):
            if back <= start:
                return low
            if free[back] and not _joined(stretch, back):
                return back
            back -= 1
        return low


def _joined(stretch: Stretch, place: int) -> bool:
    """Whether the character at a place belongs to a cluster with the one before it."""
    import unicodedata

    width = 8 // stretch.unit * stretch.unit
    low = max(stretch.low, place - width // stretch.unit)
    before = stretch.bytes_of(low, place).decode(stretch.encoding, "ignore")[-1:]
    after = stretch.bytes_of(place, place + width // stretch.unit).decode(stretch.encoding, "ignore")[:1]
    if not after or after.isascii():
        return False
    return (
        unicodedata.combining(after) != 0
        or unicodedata.category(after) in ("Mn", "Mc", "Me")
        or after in "\u200d\ufe0e\ufe0f"
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    )


def _whole(stretch: Stretch, found: Places) -> Places:
    """The boundaries in what can be decided that split no character and no CR LF."""
    array, at = stretch.array, found.at
    inside = (at > stretch.low) & (at < stretch.high)
    if not inside.all():
        found = Places(at[inside], found.worth[inside])
        at = found.at
    kept = (array[at] & 0xC0) != 0x80
    kept &= (array[at] != 0x0A) | (array[at - 1] != 0x0D)
    return found if kept.all() else Places(at[kept], found.worth[kept])


def _inserted(
    starts: Column, worths: Column, depths: Column, over: Mask, found: Places, depth: int
) -> tuple[Column, Column, Column]:
    """The pieces with more boundaries put in, where these lie inside those that are too large."""
    import numpy as np

    index = np.searchsorted(starts, found.at, "right") - 1
    kept = over[index] & (found.at > starts[index])
    at = np.concatenate((starts, found.at[kept]))
    order = np.argsort(at, kind="stable")
    all_worths = np.concatenate((worths, found.worth[kept]))
    all_depths = np.concatenate((depths, np.full(int(kept.sum()), depth, np.int64)))
    return at[order], all_worths[order], all_depths[order]
