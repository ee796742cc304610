"""Batches of columns say what a list of spans and bytes says, however they are cut and put together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core import replacements
from insitu.core.replacements import Few, Replacements, Uniform, Varied, filled, gathered, listed, varied
from insitu.core.spans import Span

news = st.one_of(st.sampled_from([b"", b"x"]), st.binary(max_size=5))


@st.composite
def edits(draw: st.DrawFn) -> list[tuple[Span, bytes]]:
    """Sorted, disjoint spans and what replaces each."""
    cuts = sorted(draw(st.lists(st.integers(0, 1000), max_size=30)))
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    return [(span, draw(news)) for span in spans]


def batches_of(made: list[tuple[Span, bytes]], cuts: list[int]) -> list[Replacements]:
    """The same edits in batches, uniform where they can be, or a few."""
    bounds = sorted({0, len(made), *(min(cut, len(made)) for cut in cuts)})
    parts = [made[a:b] for a, b in pairwise(bounds)] or [[]]
    return [_batch(part) for part in parts]


def _batch(part: list[tuple[Span, bytes]]) -> Replacements:
    if len(part) % 3 == 1:
        return Few(part)
    return _uniform(part) if len({new for _, new in part}) == 1 else varied(part)


def _uniform(part: list[tuple[Span, bytes]]) -> Uniform:
    spans = np.array([span for span, _ in part], np.int64)
    return Uniform(spans[:, 0], spans[:, 1], part[0][1])


@given(edits())
def test_a_batch_lists_what_it_was_made_of(made: list[tuple[Span, bytes]]) -> None:
    assert list(listed(varied(made))) == made == list(listed(Few(made)))


@given(edits(), st.lists(st.integers(0, 15), max_size=6), st.integers(1, 20), st.integers(1, 20))
def test_gathering_changes_nothing_but_the_cuts(
    made: list[tuple[Span, bytes]], cuts: list[int], splices: int, new_bytes: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replacements, "GATHER_SPLICES", splices)
        patch.setattr(replacements, "GATHER_BYTES", new_bytes)
        parts = list(gathered(batches_of(made, cuts)))
    assert [edit for part in parts for edit in listed(part)] == made
    assert all(part.places for part in parts)


def test_uniform_batches_of_the_same_bytes_become_one() -> None:
    made = [(Span(at, at + 1), b"new") for at in range(0, 40, 4)]
    (only,) = gathered([_uniform(made[:3]), _uniform(made[3:4]), _uniform(made[4:])])
    assert isinstance(only, Uniform) and len(only.starts) == len(made)


def test_what_uniform_batches_replace_is_told_as_long_as_it_is_the_same() -> None:
    first, second, third = (_uniform([(Span(at, at + 1), b"new")]) for at in range(3))
    told = gathered([first._replace(old=b"o"), second._replace(old=b"o"), third._replace(old=b"p")])
    assert [batch.old for batch in told if isinstance(batch, Uniform)] == [b"o", b"p"]


def test_columns_are_filled_with_the_bytes_of_each() -> None:
    batch = filled(np.array([1, 5]), np.array([2, 5]), [b"one", b""])
    assert isinstance(batch, Varied) and batch.bounds.tolist() == [0, 3, 3] and batch.data == b"one"
