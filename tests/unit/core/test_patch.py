"""Patches: sorted, disjoint, simultaneous; the oracle of everything else is checked against slices."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.patch import Patch, Splice, splices_of
from insitu.core.pieces import Copy, Fill, Literal
from insitu.core.spans import Span
from insitu.errors import InternalError, SpanError

BASE = b"0123456789"


def patch(*splices: tuple[int, int, bytes], size: int = len(BASE)) -> Patch:
    return Patch(size, tuple(Splice(Span(a, b), (Literal(new),)) for a, b, new in splices))


def test_all_spans_are_those_of_the_base() -> None:
    assert patch((0, 1, b"zero"), (4, 4, b"-"), (8, 10, b"")).apply(BASE) == b"zero123-4567"


def test_every_kind_of_piece_yields_its_bytes() -> None:
    pieces = (Literal(b"a"), Fill(ord("b"), 3), Copy(None, Span(2, 4)), Copy("other", Span(1, 3)), Fill(0, 0))
    made = Patch(10, (Splice(Span(1, 9), pieces),))
    assert made.result_size == 2 + 8 and made.splices[0].growth == 0
    assert made.apply(BASE, lambda path, span: b"OTHER"[span.start : span.stop]) == b"0abbb23TH9"
    with pytest.raises(InternalError):
        made.apply(BASE)


@pytest.mark.parametrize(
    "spans", [[(3, 2)], [(0, 11)], [(-1, 2)], [(4, 6), (5, 7)], [(5, 6), (2, 3)], [(11, 11)]]
)
def test_spans_that_are_no_patch_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(SpanError):
        patch(*((a, b, b"x") for a, b in spans))


def test_splices_may_meet() -> None:
    assert patch((2, 4, b"a"), (4, 4, b"b"), (4, 6, b"c")).apply(BASE) == b"01abc6789"


def test_what_follows_must_be_over_the_result() -> None:
    with pytest.raises(InternalError):
        patch((0, 1, b"")).then(patch((0, 1, b"")))


def test_a_copy_of_the_middle_state_becomes_a_copy_of_what_made_it_up() -> None:
    first = patch((2, 4, b"abc"))
    second = Patch(11, (Splice(Span(11, 11), (Copy(None, Span(1, 7)),)),))
    both = first.then(second)
    assert both.apply(BASE) == second.apply(first.apply(BASE)) == b"01abc456789" + b"1abc45"


def test_undoing_everything_leaves_no_splice() -> None:
    first = patch((2, 4, b"abc"), (6, 6, b"x"))
    back = first.inverse(BASE)
    assert first.then(back).apply(BASE) == BASE
    assert [splice.span for splice in back.splices] == [Span(2, 5), Span(7, 8)]


@given(st.binary(max_size=30), st.lists(st.integers(0, 30), max_size=8), st.binary(max_size=5))
def test_tiles_tile_the_result(base: bytes, cuts: list[int], new: bytes) -> None:
    places = sorted(min(cut, len(base)) for cut in cuts)
    made = patch(*((a, b, new) for a, b in zip(places[::2], places[1::2], strict=False)), size=len(base))
    assert sum(tile.piece.size for tile in made.tiles()) == made.result_size == len(made.apply(base))
    again = Patch(len(base), tuple(splices_of(made.tiles(), len(base))))
    assert again.apply(base) == made.apply(base)
    assert all(a.span.stop < b.span.start for a, b in zip(again.splices, again.splices[1:], strict=False))
