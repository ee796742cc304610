"""Spans are half-open; their arithmetic is that of sets of offsets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from insitu.core.spans import Span, ceil, floor

spans = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: Span(min(pair), max(pair)))
units = st.integers(1, 16)


def offsets(span: Span) -> set[int]:
    return set(range(span.start, span.stop))


@given(spans, spans)
def test_overlaps_and_holds_are_those_of_sets(a: Span, b: Span) -> None:
    assert a.size == len(offsets(a))
    if a.size and b.size:
        assert a.overlaps(b) == b.overlaps(a) == bool(offsets(a) & offsets(b))
        assert a.holds(b) == (offsets(b) <= offsets(a))


@given(spans, st.integers(-40, 40))
def test_a_moved_span_has_moved_offsets(span: Span, by: int) -> None:
    assert offsets(span.moved(by)) == {offset + by for offset in offsets(span)}


@given(spans, units)
def test_a_widened_span_is_the_smallest_of_whole_units(span: Span, unit: int) -> None:
    wide = span.widened(unit)
    assert wide.holds(span) and wide.start % unit == wide.stop % unit == 0
    assert span.start - wide.start < unit and wide.stop - span.stop < unit


@given(st.integers(0, 1 << 62), units)
def test_floor_and_ceil_are_the_nearest_multiples(offset: int, unit: int) -> None:
    assert floor(offset, unit) == offset // unit * unit
    assert ceil(offset, unit) == -(-offset // unit) * unit


def test_an_empty_span_is_a_place_inside_or_at_an_edge() -> None:
    assert Span(3, 5).holds(Span(5, 5)) and Span(3, 5).holds(Span(3, 3))
    assert not Span(3, 5).overlaps(Span(5, 7)) and not Span(3, 5).overlaps(Span(5, 5))
