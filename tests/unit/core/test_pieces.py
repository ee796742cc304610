"""Pieces are values that can be cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.pieces import Content, Copy, Fill, Kept, Literal, Padding
from insitu.core.spans import Span
from insitu.errors import RequestError, SpanError

BASE = bytes(range(200))

pieces = st.one_of(
    st.binary(max_size=30).map(Literal),
    st.builds(Fill, st.integers(0, 255), st.integers(0, 30)),
    st.builds(Padding, st.integers(0, 255), st.integers(0, 30)),
    st.builds(lambda a, n: Copy(None, Span(a, a + n)), st.integers(0, 150), st.integers(0, 50)),
    st.builds(lambda a, n: Kept(Span(a, a + n)), st.integers(0, 150), st.integers(0, 50)),
)


def bytes_of(content: Content) -> bytes:
    match content:
        case Literal(data):
            return data
        case Fill(byte, count):
            return bytes([byte]) * count
        case Copy(_, span) | Kept(span):
            return BASE[span.start : span.stop]


@given(pieces, st.data())
def test_a_part_yields_those_bytes_of_the_whole(piece: Content, data: st.DataObject) -> None:
    stop = data.draw(st.integers(0, piece.size))
    start = data.draw(st.integers(0, stop))
    part = piece.part(start, stop)
    assert part.size == stop - start
    assert bytes_of(part) == bytes_of(piece)[start:stop]
    assert type(part) is type(piece)


@given(pieces)
def test_the_whole_part_is_the_piece(piece: Content) -> None:
    assert piece.part(0, piece.size) == piece


def test_a_part_of_a_copy_keeps_its_source() -> None:
    assert Copy("other", Span(10, 20)).part(2, 5) == Copy("other", Span(12, 15))


def test_pieces_of_different_kinds_are_never_equal() -> None:
    assert Copy(None, Span(1, 2)) != Kept(Span(1, 2))
    assert Fill(1, 2) != Span(1, 2)
    assert Fill(1, 2) != Padding(1, 2)


@pytest.mark.parametrize("span", [Span(5, 4), Span(-1, 4)])
def test_a_copy_of_an_impossible_span_is_refused(span: Span) -> None:
    with pytest.raises(SpanError):
        Copy(None, span)


@pytest.mark.parametrize(("byte", "count"), [(-1, 1), (256, 1), (0, -1)])
def test_an_impossible_fill_is_refused(byte: int, count: int) -> None:
    with pytest.raises(RequestError):
        Fill(byte, count)
