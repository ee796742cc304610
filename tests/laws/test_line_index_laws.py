"""Laws of the line index, against bytes counted and split the obvious way.

For every content and every way to get there: an index built, extended, patched or loaded answers alike,
and as the bytes themselves do. Granules are tiny here, so that a few dozen bytes have many of them.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.columns import Block, block_of
from insitu.core.spans import Span
from insitu.engine.index import LineIndex
from insitu.errors import SpanError
from tests.readers import BytesReader

# Few values, so that every other byte ends a line; short ones for the edges, long ones for many granules.
ALPHABET = bytes(b"\n\rx\n"[value % 4] for value in range(256))
CONTENTS = st.one_of(
    st.binary(max_size=8), st.binary(max_size=100), st.binary(min_size=60, max_size=100)
).map(lambda values: values.translate(ALPHABET))
GRANULES = st.integers(1, 40)
NEWLINES = st.sampled_from([b"\n", b"\r"])


def spans_of(data: bytes, newline: bytes) -> list[Span]:
    """The spans of all lines, byte by byte."""
    cuts = [0, *(at + 1 for at in range(len(data)) if data[at : at + 1] == newline)]
    if cuts[-1] < len(data):
        cuts.append(len(data))
    return [Span(start, stop) for start, stop in pairwise(cuts)]


def assert_answers(index: LineIndex, data: bytes, newline: bytes) -> None:
    """Asserts that the index answers every question as the bytes do, and keeps its invariants."""
    spans = spans_of(data, newline)
    assert index.size == len(data)
    assert index.count == data.count(newline)
    assert index.line_count == len(spans)
    assert list(index.spans()) == spans
    assert [index.span_of(line) for line in range(len(spans))] == spans
    assert [index.ends_before(at) for at in range(len(data) + 1)] == [
        data.count(newline, 0, at) for at in range(len(data) + 1)
    ]
    ends = [0, *(span.stop for span in spans)][: index.count + 1]
    assert [index.end_offset(number) for number in range(index.count + 1)] == ends
    granules = index._granules
    assert sum(granules.sizes) == len(data)
    assert all(1 <= size <= granules.granule_bytes for size in granules.sizes)
    assert all(a + b > granules.granule_bytes for a, b in pairwise(granules.sizes))


@st.composite
def edits(draw: st.DrawFn, size: int) -> list[tuple[int, int, bytes]]:
    """Sorted, disjoint splices over ``size`` bytes, insertions and whole-file ones among them."""
    cuts = sorted(
        draw(st.lists(st.integers(0, size), min_size=draw(st.sampled_from([0, 2, 8])), max_size=10))
    )
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return [(start, stop, draw(CONTENTS)) for start, stop in pairs]


def apply(data: bytes, splices: list[tuple[int, int, bytes]]) -> bytes:
    for start, stop, new in reversed(splices):
        data = data[:start] + new + data[stop:]
    return data


def blocks_of(splices: list[tuple[int, int, bytes]], cut: int, *, vector: bool) -> list[Block]:
    """The splices as two consecutive blocks of columns."""
    sizes = [(start, stop, len(new)) for start, stop, new in splices]
    first = block_of(sizes[:cut])
    blocks = [first, block_of(sizes[cut:], olds=first.olds[-1], news=first.news[-1])]
    if vector:
        numpy = pytest.importorskip("numpy")
        blocks = [Block(*(numpy.asarray(column, numpy.int64) for column in block)) for block in blocks]
    return blocks


@given(data=CONTENTS, granule_bytes=GRANULES, newline=NEWLINES)
def test_a_built_index_answers_as_the_bytes_do(data: bytes, granule_bytes: int, newline: bytes) -> None:
    assert_answers(LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes), data, newline)


@given(parts=st.lists(CONTENTS, min_size=1, max_size=5), granule_bytes=GRANULES, newline=NEWLINES)
def test_extending_over_appended_parts_equals_building(
    parts: list[bytes], granule_bytes: int, newline: bytes
) -> None:
    data = parts[0]
    index = LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes)
    for part in parts[1:]:
        data += part
        index = index.extended(BytesReader(data))
    assert_answers(index, data, newline)
    built = LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes)
    assert index.to_bytes(b"") == built.to_bytes(b"")


@given(data=CONTENTS, granule_bytes=GRANULES, newline=NEWLINES, drawn=st.data())
def test_patching_over_edits_and_appends_equals_building(
    data: bytes, granule_bytes: int, newline: bytes, drawn: st.DataObject
) -> None:
    index = LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes)
    for _ in range(drawn.draw(st.integers(1, 4))):
        splices = drawn.draw(edits(len(data)))
        data = apply(data, splices)
        cut = drawn.draw(st.integers(0, len(splices)))
        index = index.patched(blocks_of(splices, cut, vector=drawn.draw(st.booleans())), BytesReader(data))
        assert_answers(index, data, newline)
        if drawn.draw(st.booleans()):
            data += drawn.draw(CONTENTS)
            index = index.extended(BytesReader(data))
            assert_answers(index, data, newline)


@given(data=CONTENTS, granule_bytes=GRANULES, newline=NEWLINES, bounds=st.data())
def test_slices_of_lines_are_slices_of_the_spans(
    data: bytes, granule_bytes: int, newline: bytes, bounds: st.DataObject
) -> None:
    index = LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes)
    spans = spans_of(data, newline)
    first = bounds.draw(st.integers(0, len(spans)))
    stop = bounds.draw(st.integers(first, len(spans)))
    assert list(index.spans(first, stop)) == spans[first:stop]
    start = spans[first].start if first < len(spans) else len(data)
    assert index.span_between(first, stop) == Span(start, spans[stop - 1].stop if first < stop else start)
    for bad in ((-1, 0), (stop, first - 1), (0, len(spans) + 1)):
        with pytest.raises(SpanError):
            index.spans(*bad)


@given(data=CONTENTS, granule_bytes=GRANULES, newline=NEWLINES, stamp=st.binary(max_size=40))
def test_a_saved_index_is_the_same_index(
    data: bytes, granule_bytes: int, newline: bytes, stamp: bytes
) -> None:
    saved = LineIndex.build(BytesReader(data), newline, granule_bytes=granule_bytes).to_bytes(stamp)
    loaded = LineIndex.from_bytes(saved, BytesReader(data), stamp)
    assert loaded is not None
    assert_answers(loaded, data, newline)
    assert loaded.to_bytes(stamp) == saved
    assert LineIndex.from_bytes(saved, BytesReader(data), stamp + b"!") is None
    assert LineIndex.from_bytes(saved, BytesReader(data), stamp[:-1] + b"\xff!") is None


@given(data=CONTENTS, damage=st.data())
def test_damaged_bytes_are_no_index(data: bytes, damage: st.DataObject) -> None:
    saved = LineIndex.build(BytesReader(data), granule_bytes=5).to_bytes(b"stamp")
    at = damage.draw(st.integers(0, len(saved) - 1))
    flip = damage.draw(st.integers(1, 255))
    cut = damage.draw(st.integers(0, len(saved) - 1))
    flipped = saved[:at] + bytes([saved[at] ^ flip]) + saved[at + 1 :]
    noise = damage.draw(st.binary(min_size=1, max_size=30))
    for damaged in (flipped, saved[:cut], saved + noise, saved[:at] + noise + saved[at:], noise):
        assert LineIndex.from_bytes(damaged, BytesReader(data), b"stamp") is None


@given(noise=st.binary(max_size=200), stamp=st.binary(max_size=4))
def test_noise_is_no_index(noise: bytes, stamp: bytes) -> None:
    assert LineIndex.from_bytes(noise, BytesReader(b"a\n"), stamp) is None
