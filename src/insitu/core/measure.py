"""Counts of marks, line ends above all, over content that is being edited."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Protocol

from insitu.core.pieces import Content
from insitu.core.rope import Block, Column, Rope, content_of
from insitu.errors import InternalError


class Counter(Protocol):
    """Counts marks in content, each of them one byte long, so that counts add up however content is cut.

    A piece that an edit cuts is counted again, both halves, when next asked for. Counting any part of the
    base, or of anything else that is long, must therefore be cheap once it was counted: keep an index of
    the source (two look-ups in a line index count any kept piece). Literals come in slices of at most
    64 KiB.
    """

    def count(self, content: Content) -> int:
        """How many marks there are."""
        ...

    def count_before(self, content: Content, offset: int) -> int:
        """How many there are in the first ``offset`` bytes."""
        ...

    def find(self, content: Content, index: int) -> int | None:
        """The offset in ``content`` of the ``index``-th mark, or None where there are fewer.

        Asked before ``count``, so that a view of the first lines need not count a whole file.
        """
        ...


class Measure:
    """What one counter counts, over a whole rope; counts are remembered per part and per block.

    Cost: a query counts the parts that lie before what it asks for and were not counted yet; none of
        those behind. O(log n) once they are known.
    """

    def __init__(self, rope: Rope, counter: Counter) -> None:
        self._rope = rope
        self._counter = counter
        self._column = rope.add_column()

    def count_before(self, offset: int) -> int:
        """How many marks there are in the first ``offset`` bytes, which must exist."""
        at, index, cut = self._rope.seek(offset)
        if cut == 0:
            return 0
        block = self._rope.blocks[at]
        whole = cut == block.columns[0].values[index]
        count = self._sum(self._rope.columns[self._column], at, self._count_block)
        count += self._sum_of_parts(block, index + 1 if whole else index)
        return count if whole else count + self._counter.count_before(content_of(block.parts[index]), cut)

    def find(self, index: int) -> int | None:
        """The offset of the ``index``-th mark, counted from 0; None where there are fewer."""
        blocks = self._rope.blocks
        place = self._find(
            self._rope.columns[self._column],
            index,
            lambda at, rest: self._find_in_block(blocks[at], rest),
            self._count_block,
        )
        return None if place is None else self._rope.columns[0].before(place[0]) + place[1]

    def _find_in_block(self, block: Block, index: int) -> int | None:
        place = self._find(
            block.columns[self._column],
            index,
            lambda at, rest: self._counter.find(content_of(block.parts[at]), rest),
            lambda at: self._counter.count(content_of(block.parts[at])),
        )
        return None if place is None else block.columns[0].before(place[0]) + place[1]

    def _count_block(self, at: int) -> int:
        block = self._rope.blocks[at]
        return self._sum_of_parts(block, len(block.parts))

    def _sum_of_parts(self, block: Block, stop: int) -> int:
        return self._sum(
            block.columns[self._column], stop, lambda at: self._counter.count(content_of(block.parts[at]))
        )

    @staticmethod
    def _sum(column: Column, stop: int, count: Callable[[int], int]) -> int:
        """The sum of the first ``stop`` values; ``count`` supplies unknown ones."""
        while len(column.sums) <= stop and (known := column.extend_known()) < stop:
            column.values[known] = count(known)
        return column.sums[stop]

    @staticmethod
    def _find(
        column: Column,
        index: int,
        find: Callable[[int, int], int | None],
        count: Callable[[int], int],
    ) -> tuple[int, int] | None:
        """Which value holds the ``index``-th mark, and where in it; None if none does."""
        while True:
            known = column.extend_known()
            at = min(bisect_right(column.sums, index) - 1, known)
            if at == len(column.values):
                return None
            offset = find(at, index - column.sums[at])
            if offset is not None:
                return at, offset
            if at < known:
                raise InternalError("A counter does not find what it counted.")
            column.values[known] = count(known)
