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
_ASCII: Final = 0x80


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


class _Sized(NamedTuple):
    """Pieces as columns, in places of a stretch."""

    starts: Column
    sizes: Column
    worths: Column
    depths: Column
    """How often what they lie in was cut."""


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
        stops = np.append(starts[1:], high) if len(starts) else starts
        settled: list[_Sized] = []
        for depth in range(len(self._finer) + 2):
            made = _Sized(starts, sizes.of(starts, stops), worths, np.full(len(starts), depth))
            over = self._over(starts, stops, made.sizes, stretch.unit, depth)
            if depth > len(self._finer) or not over.any():
                settled.append(made)
                break
            settled.append(_Sized(*(column[~over] for column in made)))
            starts, stops, worths = starts[over], stops[over], worths[over]
            if depth == len(self._finer):
                found = self._forced(stretch, sizes, starts.tolist(), stops.tolist())
            else:
                found = _whole(stretch, self._finer[depth].inside(stretch, starts, stops))
            starts, stops, worths = _divided(starts, stops, worths, found)
        starts, held, worths, depths = _in_order(settled)
        count = len(starts)
        if count and not stretch.last:
            count -= 1
            self._worth, self._depth = int(worths[count]), int(depths[count])
        rest = int(starts[count]) if count < len(starts) else high
        base = stretch.base
        starts = starts[:count]
        pieces = Pieces(starts + base, held[:count], worths[:count], ranks(stretch, starts), rest + base)
        return pieces, rest

    def _over(self, starts: Column, stops: Column, sizes: Column, unit: int, depth: int) -> Mask:
        """Which pieces are too large."""
        over: Mask = (sizes > self._limit) | ((stops - starts) * unit > PIECE_BYTES_MAX)
        if self._depth > depth:
            # What was too large with what came before goes on to be cut as finely.
            over[:1] = True
        return over

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
    if place < len(stretch.array) and stretch.array[place] < _ASCII:
        return False
    import unicodedata

    width = 8 // stretch.unit * stretch.unit
    low = max(stretch.low, place - width // stretch.unit)
    before = stretch.bytes_of(low, place).decode(stretch.encoding, "ignore")[-1:]
    after = stretch.bytes_of(place, place + width // stretch.unit).decode(stretch.encoding, "ignore")[:1]
    if not after:
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


def _divided(starts: Column, stops: Column, worths: Column, found: Places) -> tuple[Column, Column, Column]:
    """Pieces, cut at those of some boundaries that lie inside them."""
    import numpy as np

    index = np.searchsorted(starts, found.at, "right") - 1
    kept = (found.at > starts[index]) & (found.at < stops[index]) & (index >= 0)
    if not kept.any():
        return starts, stops, worths
    at = found.at[kept]
    all_starts = np.concatenate((starts, at))
    order = np.argsort(all_starts, kind="stable")
    all_stops = np.sort(np.concatenate((stops, at)))
    return all_starts[order], all_stops, np.concatenate((worths, found.worth[kept]))[order]


def _in_order(settled: list[_Sized]) -> _Sized:
    """Pieces that were settled one level after the other, as they lie in the text."""
    import numpy as np

    if len(settled) == 1:
        return settled[0]
    starts, *others = (np.concatenate(columns) for columns in zip(*settled, strict=True))
    order = np.argsort(starts, kind="stable")
    return _Sized(starts[order], *(column[order] for column in others))
