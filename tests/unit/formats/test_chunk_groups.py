"""The groups that the chooser tells locally are those of cutting at the highest boundary, again and again."""

from __future__ import annotations

import random

import numpy as np
import pytest

from insitu.formats.chunk_groups import REACH_BUDGETS, Chooser
from insitu.formats.chunk_pieces import Pieces


def _cut_at_the_highest(sums: list[int], ranks: list[int], start: int, stop: int, reach: int) -> list[int]:
    """The oracle: a span that is too long is cut at its highest boundary, and both parts again."""
    if sums[stop] - sums[start] <= reach or stop - start < 2:
        return []
    top = max(range(start + 1, stop), key=lambda index: ranks[index])
    return [
        *_cut_at_the_highest(sums, ranks, start, top, reach),
        top,
        *_cut_at_the_highest(sums, ranks, top, stop, reach),
    ]


def _pieces(sizes: list[int], worths: list[int], ranks: list[int], first: int, offset: int) -> Pieces:
    starts = np.cumsum([0, *sizes]) + offset
    columns = (np.array(values, np.int64) for values in (sizes, worths, ranks))
    return Pieces(starts[:-1], *columns, int(starts[-1]))


@pytest.mark.parametrize("seed", range(60))
def test_groups_are_those_of_cutting_at_the_highest_boundary(seed: int) -> None:
    random_ = random.Random(seed)
    limit = random_.choice((8, 40, 100))
    count = random_.randrange(1, 400)
    sizes = [random_.randrange(1, limit + 1) for _ in range(count)]
    worths = [random_.choice((100, 100, 100, 120, 140)) for _ in range(count)]
    ranks = random_.sample(range(1 << 40), count)
    chooser = Chooser(limit)
    starts: list[int] = []
    offset = 0
    index = 0
    while index < count:
        step = random_.randrange(1, 50)
        part = slice(index, index + step)
        starts += chooser.feed(_pieces(sizes[part], worths[part], ranks[part], index, offset)).sums.tolist()
        offset += sum(sizes[part])
        index += step
    starts += chooser.close().sums.tolist()
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert all(b - a <= limit for a, b in zip(starts, [*starts[1:], sum(sizes)], strict=True))
    sums = [0, *np.cumsum(sizes).tolist()]
    keys = [worth << 48 | rank for worth, rank in zip(worths, ranks, strict=True)]
    first, expected = 0, []
    for index in _cut_at_the_highest(sums, keys, 0, count, REACH_BUDGETS * limit):
        if sums[index] - sums[first] >= limit // 8:
            expected.append(sums[index])
            first = index
    assert set(expected) <= set(starts)


def test_a_chunk_ends_at_the_boundary_worth_most() -> None:
    chooser = Chooser(10)
    found = chooser.feed(_pieces([3] * 6, [100, 100, 140, 100, 100, 100], [1, 2, 3, 4, 5, 6], 0, 0))
    assert found.then(chooser.close()).sums.tolist() == [0, 6, 12]
