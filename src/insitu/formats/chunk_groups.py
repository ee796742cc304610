"""Which boundaries to use: groups that the content itself delimits, and in each of them chunks that are full.

Boundaries have ranks: what they are worth first, then a number made of the bytes around them. A boundary
delimits a group if, between its nearest neighbours of at least its rank, there is more than ``reach``. That
is what cutting a text at its highest boundary, and the parts again until they fit, comes to; but it is told
from at most ``reach`` bytes on either side. So an edit changes the groups that near, and no others.

Within a group of distinct ranks, which is at most ``reach`` long, chunks are made from its start, about
equally full, at the boundaries worth most. Where ranks repeat (lines that are all the same) groups may
be longer; then chunks are made as full as they can be until the rest is short enough.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.formats.chunk_pieces import Pieces

if TYPE_CHECKING:
    from insitu.formats.cells import Column

# A rank is below 2 ** 48.
_WORTH_SHIFT: Final = 48

_HIGHEST: Final = (1 << 63) - 1
_FAR: Final = -(1 << 64)

# Each time about a third of the boundaries goes.
_SIEVES: Final = 9

# Long enough for groups to be filled well, short enough to stay local: retrieval is better than with 8.
REACH_BUDGETS: Final = 16

# A group of less than a part of the budget goes with the next one.
_RUNT_PART: Final = 8

# How full a chunk is at least, in 1/16 of what it would be if all were equally full, so that it can end at
# a better boundary.
_FILLED_SIXTEENTHS: Final = 2


_Peak = tuple[int, int, int, int]
"""A boundary: its rank; how much lies before it, and before the next of no lower rank; its number."""


class Starts(NamedTuple):
    """Where chunks start, as columns."""

    offsets: Column
    """In code units of the text."""
    worths: Column
    """What the boundaries there are worth."""
    sums: Column
    """How much lies before them, in shares."""

    def then(self, behind: Starts) -> Starts:
        """These, and others behind them."""
        import numpy as np

        return Starts(*(np.concatenate(columns) for columns in zip(self, behind, strict=True)))


class Chooser:
    """Chooses among the boundaries of pieces that come in order.

    Args:
        limit: the budget, in shares.
    """

    def __init__(self, limit: int) -> None:
        import numpy as np

        self._limit = limit
        self._reach = REACH_BUDGETS * limit
        # The pieces that are in no chunk yet: where they start, how much lies before them, their worth.
        self._offsets: Column = np.zeros(0, np.int64)
        self._sums: list[int] = []
        self._worths: list[int] = []
        # How many pieces came before them.
        self._passed = 0
        # Boundaries that no later one reaches in rank, the highest first; those that delimit groups.
        self._open: list[_Peak] = []
        self._delimiters: list[int] = []
        self._sum = 0

    @property
    def sum(self) -> int:
        """How much all pieces come to, in shares."""
        return self._sum

    def feed(self, pieces: Pieces) -> Starts:
        """Takes pieces in; returns the starts of chunks that are certain by now, each once."""
        import numpy as np

        sizes, reach, opened = pieces.sizes, self._reach, self._open
        index = self._passed + len(self._sums)
        sums = np.cumsum(sizes) - sizes + self._sum
        keys = (pieces.worths << _WORTH_SHIFT) | pieces.ranks
        if not index:
            keys[:1] = _HIGHEST
        peaks = _peaks(keys, sums, reach)
        columns = (keys[peaks].tolist(), sums[peaks].tolist(), (peaks + index).tolist())
        for rank, at, number in zip(*columns, strict=True):
            left = _FAR
            while opened and opened[-1][0] <= rank:
                low = opened.pop()
                if at - low[2] > reach:
                    self._delimiters.append(low[3])
                if low[0] == rank:
                    left = low[1]
            if left == _FAR and opened:
                left = opened[-1][1]
            opened.append((rank, at, left, number))
        self._offsets = np.concatenate((self._offsets, pieces.starts))
        self._sums += sums.tolist()
        self._worths += pieces.worths.tolist()
        self._sum += int(sizes.sum())
        return self._starts(bisect_left(self._sums, self._sum - reach), last=False)

    def close(self) -> Starts:
        """The starts of the chunks that were not yet certain."""
        self._delimiters += [peak[3] for peak in self._open if self._sum - peak[2] > self._reach]
        self._open = []
        told = len(self._sums)
        # The end of the text is where its last chunk ends.
        self._sums.append(self._sum)
        self._worths.append(0)
        return self._starts(told, last=True)

    def _starts(self, told: int, *, last: bool) -> Starts:
        """Makes chunks of the groups that are known.

        Args:
            told: how many boundaries are known to delimit groups or not to.
        """
        found: list[int] = []
        sums, passed = self._sums, self._passed
        first, runt = 0, self._limit // _RUNT_PART
        # What is open and further back than the reach delimits, whatever follows.
        sure = [peak[3] for peak in self._open if peak[3] < passed + told]
        self._open = self._open[len(sure) :]
        known = sorted(self._delimiters + sure)
        self._delimiters = [number for number in known if number >= passed + told]
        for number in known[: len(known) - len(self._delimiters)]:
            index = number - passed
            if index > 0 and sums[index] - sums[first] >= runt:
                self._fill(first, index, found)
                first = index
        if last and first < told:
            self._fill(first, told, found)
            first = told
        elif told > first:
            # Ranks repeat: the group is longer than distinct ones make it.
            while sums[told - 1] - sums[first] > 2 * self._reach:
                found.append(first)
                first = self._next(first, told - 1, self._limit)
        return self._taken(found, first)

    def _taken(self, found: list[int], count: int) -> Starts:
        """The starts of chunks at some indexes; forgets the first pieces."""
        import numpy as np

        sums, worths = self._sums, self._worths
        starts = Starts(
            self._offsets[found],
            np.array([worths[index] for index in found], np.int64),
            np.array([sums[index] for index in found], np.int64),
        )
        self._offsets = self._offsets[count:]
        del sums[:count]
        del worths[:count]
        self._passed += count
        return starts

    def _fill(self, first: int, stop: int, found: list[int]) -> None:
        """Makes chunks of a group."""
        sums, limit = self._sums, self._limit
        long, end = 2 * self._reach, sums[stop]
        while first < stop:
            found.append(first)
            left = end - sums[first]
            if left <= limit:
                return
            first = self._next(first, stop, limit if left > long else left // -(-left // limit))

    def _next(self, first: int, stop: int, goal: int) -> int:
        """Where the chunk ends that starts at a boundary and should have a size.

        Args:
            stop: where it has to end at the latest.
        """
        sums, worths = self._sums, self._worths
        start = sums[first]
        high = bisect_right(sums, start + self._limit, first + 1, stop) - 1
        if high <= first + 1:
            return first + 1
        low = bisect_left(sums, start + goal * _FILLED_SIXTEENTHS // 16, first + 1, high)
        there = worths[low : high + 1]
        best = max(there)
        if there.count(best) == 1:
            return low + there.index(best)
        goal += start
        right = bisect_left(sums, goal, low, high + 1)
        left = right - 1
        while right <= high and worths[right] != best:
            right += 1
        while left >= low and worths[left] != best:
            left -= 1
        if left < low or (right <= high and sums[right] - goal < goal - sums[left]):
            return right
        return left


def _peaks(keys: Column, sums: Column, reach: int) -> Column:
    """Indexes of the boundaries without most of those that are lower than both neighbours.

    These delimit nothing, and no other boundary's nearest higher one is among them.
    """
    import numpy as np

    kept: Column = np.arange(len(keys))
    for _ in range(_SIEVES):
        ranks, at = keys[kept], sums[kept]
        low = np.zeros(len(kept), np.bool_)
        low[1:-1] = (ranks[1:-1] < ranks[:-2]) & (ranks[1:-1] < ranks[2:]) & (at[2:] - at[:-2] <= reach)
        kept = kept[~low]
    return kept
