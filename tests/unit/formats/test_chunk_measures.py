"""Sizes of pieces, against sums over their bytes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from insitu.formats.chunk_measures import in_bytes, in_characters, in_estimated_tokens, in_tokens_at_most
from insitu.formats.chunk_tape import Tape
from insitu.formats.chunk_tokens import token_shares


@pytest.mark.parametrize("seed", range(10))
def test_pieces_are_as_large_as_their_bytes_together(seed: int) -> None:
    random_ = random.Random(seed)
    text = "".join(random_.choice("ab \n.,\u00e9\u6f22\U0001f600") for _ in range(random_.randrange(1, 400)))
    stretch = Tape("utf-8").feed(text.encode(), last=True)
    shares = token_shares(stretch.array).tolist()
    sizes = in_estimated_tokens().sizes(stretch)
    bounds = sorted(random_.sample(range(len(shares) + 1), 20))
    starts, stops = np.array(bounds[:-1]), np.array(bounds[1:])
    wanted = [sum(shares[start:stop]) for start, stop in itertools.pairwise(bounds)]
    assert sizes.of(starts, stops).tolist() == wanted
    for start, stop in itertools.pairwise(bounds):
        limit = random_.randrange(1, 2000)
        fitting = max(place for place in range(start, stop + 1) if sum(shares[start:place]) <= limit)
        assert sizes.fitting(start, stop, limit) == fitting


@pytest.mark.parametrize(
    ("measure", "size"),
    [(in_bytes(), 9), (in_characters(), 6), (in_tokens_at_most(), 9)],
    ids=lambda m: str(m)[:20],
)
def test_each_measure_counts_its_unit(measure: object, size: int) -> None:
    stretch = Tape("utf-8").feed("a\u00e9\u6f22b\rz".encode(), last=True)
    sizes = measure.sizes(stretch)
    assert sizes.of(np.array([stretch.low]), np.array([stretch.high])).tolist() == [size]
