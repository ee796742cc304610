"""Where the first of some texts begins in each stretch that holds one, beside a plain search."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insitu.core.spans import Span
from insitu.errors import CancelledError
from insitu.scan.holding import first_in_stretches
from tests.readers import BytesReader


@given(
    st.lists(st.sampled_from((b"a", b"b", b"ab", b"aab", b"xxxxxxxxx")), max_size=60).map(b"".join),
    st.sets(st.sampled_from((b"a", b"ab", b"ba", b"aabx", b"bxb")), min_size=1).map(tuple),
    st.integers(1, 30),
    st.integers(1, 50),
    st.integers(0, 20),
)
@pytest.mark.slow
@settings(max_examples=60, deadline=None)
def test_the_first_text_of_each_stretch_is_found(
    data: bytes, texts: tuple[bytes, ...], stretch_bytes: int, window_bytes: int, start: int
) -> None:
    span = Span(min(start, len(data)), len(data))
    firsts: dict[int, int] = {}
    for at in range(*span):
        if data.startswith(texts, at):
            firsts.setdefault(at // stretch_bytes, at)
    found = first_in_stretches(
        BytesReader(data),
        texts,
        span,
        lambda offset: (offset // stretch_bytes + 1) * stretch_bytes,
        window_bytes=window_bytes,
    )
    assert list(found) == list(firsts.values())


def test_it_tells_how_far_it_is_and_can_be_cancelled() -> None:
    reader, told = BytesReader(b"ab" * 500), []
    whole = Span(0, reader.size)
    found = first_in_stretches(
        reader, (b"ab",), whole, lambda _: reader.size, progress=lambda *at: told.append(at)
    )
    assert (list(found), told[-1]) == ([0], (1000, 1000))
    with pytest.raises(CancelledError):
        list(first_in_stretches(reader, (b"ab",), whole, lambda _: reader.size, cancel=lambda: True))
