"""Which boundaries to use: groups that the content itself delimits, and in each of them chunks that are full.

Boundaries have ranks: what they are worth first, then a number made of the bytes around them. A boundary
delimits a group if, between its nearest neighbours of at least its rank, there is more than ``reach``. That is
what cutting a text at its highest boundary, and the parts again until they fit, comes to; but it is told from at
most ``reach`` bytes on either side. So an edit changes the groups that near, and no others.

Within a group of distinct ranks, which is at most ``reach`` long, chunks are made from its start, about
equally full, at the boundaries worth most. Where ranks repeat (lines that are all the same) groups may
be longer; then chunks are made as full as they can be until the rest is short enough.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

from insitu.formats.chunk_pieces import Pieces

# A rank is below 2 ** 48.
_WORTH_SHIFT: Final = 48

_HIGHEST: Final = 1 << 64
_FAR: Final = -(1 << 64)

# A group as long as the budget and seven more: long enough to be filled well, short enough to stay local.
REACH_BUDGETS: Final = 8

# A group of less than a part of the budget goes with the next one.
_RUNT_PART: Final = 8

# How full a chunk is at least, in 1/16 of what it would be if all were equally full, so that it can end at a better
# boundary.
_FILLED_SIXTEENTHS: Final = 7


class Start(NamedTuple):
    """Where a chunk starts."""

    offset: int
    """In code units of the text."""
    worth: int
    """What the boundary there is worth."""
    sum: int
    """How much lies before it, in shares."""


class Chooser:
    """Chooses among the boundaries of pieces that come in order.

    Args:
        limit: the budget, in shares.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._reach = REACH_BUDGETS * limit
        # The pieces that are in no chunk yet: where they start, how much lies before them, and what they rank.
        self._offsets: list[int] = []
        self._sums: list[int] = []
        self._worths: list[int] = []
        self._ranks: list[int] = []
        # Where, for each boundary, the nearest of at least its rank is on the left; whether it delimits a group.
        self._lefts: list[int] = []
        self._delimits: list[bool] = []
        # Indexes of the boundaries that no later one reaches in rank, the highest first.
        self._open: list[int] = []
        self._sum = 0
        self._told = 1

    @property
    def sum(self) -> int:
        """How much all pieces come to, in shares."""
        return self._sum

    def feed(self, pieces: Pieces) -> list[Start]:
        """Takes pieces in; returns the starts of chunks that are certain by now, each once."""
        sums, ranks, lefts, delimits, opened = (
            self._sums, self._ranks, self._lefts, self._delimits, self._open
        )  # fmt: skip
        at, reach, index = self._sum, self._reach, len(self._sums)
        keys = (pieces.worths << _WORTH_SHIFT) | pieces.ranks
        for rank, size in zip(keys.tolist(), pieces.sizes.tolist(), strict=True):
            if at == 0 and not index:
                rank = _HIGHEST
            left = _FAR
            while opened and ranks[opened[-1]] <= rank:
                top = opened.pop()
                delimits[top] = at - lefts[top] > reach
                if ranks[top] == rank:
                    left = sums[top]
            if left == _FAR and opened:
                left = sums[opened[-1]]
            opened.append(index)
            sums.append(at)
            ranks.append(rank)
            lefts.append(left)
            delimits.append(True)
            at += size
            index += 1
        self._offsets += pieces.starts.tolist()
        self._worths += pieces.worths.tolist()
        self._sum = at
        return self._starts(bisect_left(sums, at - reach), last=False)

    def close(self) -> list[Start]:
        """The starts of the chunks that were not yet certain."""
        for index in self._open:
            self._delimits[index] = self._sum - self._lefts[index] > self._reach
        self._open = []
        told = len(self._sums)
        # The end of the text is where its last chunk ends.
        self._sums.append(self._sum)
        self._worths.append(0)
        return self._starts(told, last=True)

    def _starts(self, told: int, *, last: bool) -> list[Start]:
        """Makes chunks of the groups that are known.

        Args:
            told: how many boundaries are known to delimit groups or not to.
        """
        found: list[Start] = []
        sums, delimits = self._sums, self._delimits
        first, runt = 0, self._limit // _RUNT_PART
        for index in range(self._told, told):
            if delimits[index] and sums[index] - sums[first] >= runt:
                self._fill(first, index, found)
                first = index
        if last and first < told:
            self._fill(first, told, found)
            first = told
        elif told > first:
            # Ranks repeat: the group is longer than distinct ones make it.
            while sums[told - 1] - sums[first] > 2 * self._reach:
                found.append(self._start(first))
                first = self._next(first, told - 1, self._limit)
        for column in (self._offsets, sums, self._worths, self._ranks, self._lefts, delimits):
            del column[:first]
        self._open = [index - first for index in self._open if index >= first]
        self._told = max(1, told - first)
        return found

    def _fill(self, first: int, stop: int, found: list[Start]) -> None:
        """Makes chunks of a group."""
        sums, limit = self._sums, self._limit
        while first < stop:
            found.append(self._start(first))
            left = sums[stop] - sums[first]
            if left <= limit:
                return
            first = self._next(first, stop, limit if left > 2 * self._reach else left // -(-left // limit))

    def _next(self, first: int, stop: int, goal: int) -> int:
        """Where the chunk ends that starts at a boundary and should have a size.

        Args:
            stop: where it has to end at the latest.
        """
        sums, worths = self._sums, self._worths
        start = sums[first]
        high = max(first + 1, bisect_right(sums, start + self._limit, first + 1, stop) - 1)
        low = min(high, bisect_left(sums, start + goal * _FILLED_SIXTEENTHS // 16, first + 1, high + 1))
        inside = worths[low : high + 1]
        best = max(inside)
        if inside.count(best) == 1:
            return low + inside.index(best)
        goal += start
        return min(
            (index for index in range(low, high + 1) if worths[index] == best),
            key=lambda index: abs(sums[index] - goal),
        )

    def _start(self, index: int) -> Start:
        return Start(self._offsets[index], self._worths[index], self._sums[index])
