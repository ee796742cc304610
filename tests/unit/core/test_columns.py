"""Columns say of a patch, in any number of blocks and however computed, what its list of splices says."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core import columns, rendering
from insitu.core.columns import NO_SPLICES, Block, Head, Splices, block_of, summarize
from insitu.core.rendering import render
from insitu.core.spans import Span

Triples = list[tuple[int, int, int]]


@st.composite
def triples(draw: st.DrawFn) -> tuple[int, Triples]:
    """The size of a base, and (start, stop, new size) of splices over it, none of which does nothing."""
    at = 0
    made: Triples = []
    even = draw(st.booleans())
    for _ in range(draw(st.integers(1, 14))):
        start = at + draw(st.integers(0, 6))
        stop = start + (2 if even else draw(st.integers(0, 5)))
        new = 3 if even else draw(st.integers(0 if stop > start else 1, 6))
        made.append((start, stop, new))
        at = stop
    return at + draw(st.integers(0, 9)), made


def in_blocks(size: int, given_triples: Triples, block_splices: int) -> Splices:
    blocks: list[Block] = []
    summary = NO_SPLICES
    olds = news = 0
    for at in range(0, len(given_triples), block_splices):
        blocks.append(block_of(given_triples[at : at + block_splices], olds=olds, news=news))
        olds, news = blocks[-1].olds[-1], blocks[-1].news[-1]
        summary = summarize(blocks[-1], summary)
    heads = [Head(block.starts[0], block.result_start(0)) for block in blocks]
    return Splices(size, summary, heads, blocks.__getitem__)


class Letters:
    """A pool of upper-case letters; with ``unit``, one that repeats."""

    def __init__(self, unit: bytes | None = None) -> None:
        self.repeated = unit

    def read(self, offset: int, size: int) -> bytes:
        letters = self.repeated or bytes(range(65, 91))
        times = (offset + size) // len(letters) + 1
        return (letters * times)[offset : offset + size]

    def unit(self, span: Span) -> bytes | None:
        return self.repeated if self.repeated and span.start % len(self.repeated) == 0 else None


def applied(base: bytes, given_triples: Triples, pool: Letters) -> bytes:
    out, at, taken = b"", 0, 0
    for start, stop, new in given_triples:
        out += base[at:start] + pool.read(taken, new)
        at, taken = stop, taken + new
    return out + base[at:]


@pytest.fixture(params=[2, 1 << 12], ids=["with NumPy", "in Python"], autouse=True)
def vectors(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks and windows take the way of large ones, too."""
    monkeypatch.setattr(columns, "_VECTOR_SPLICES", request.param)
    monkeypatch.setattr(rendering, "_RENDERED_SPLICES", request.param)


@given(triples(), st.integers(1, 5))
def test_the_summary_is_that_of_the_list(made, block_splices) -> None:
    size, given_triples = made
    summary = in_blocks(size, given_triples, block_splices).summary
    displacements = []
    displacement = moved = at = 0
    for start, stop, new in given_triples:
        moved += (start - at) * (displacement != 0)
        displacement += new - (stop - start)
        displacements.append(displacement)
        at = stop
    assert summary == columns.Summary(
        places=len(given_triples),
        first=given_triples[0][0],
        last=given_triples[-1][1],
        old_bytes=sum(stop - start for start, stop, _ in given_triples),
        new_bytes=sum(new for _, _, new in given_triples),
        displacement_min=min(displacements),
        displacement_max=max(displacements),
        moved_bytes=moved,
    )
    assert summary.growth == displacement
    assert summary.inverted().inverted() == summary
    assert in_blocks(size, given_triples, block_splices).inverted().inverted().summary == summary


@given(triples(), st.integers(1, 5), st.data())
def test_windows_and_extents_agree_with_the_result(made, block_splices, data) -> None:
    size, given_triples = made
    splices = in_blocks(size, given_triples, block_splices)
    base = bytes(97 + n % 26 for n in range(size))
    result = applied(base, given_triples, Letters())
    assert splices.result_size == len(result)
    start = data.draw(st.integers(0, len(result)))
    stop = data.draw(st.integers(start, len(result)))
    window = splices.window(Span(start, stop))
    assert bytes(render(window, Letters(), lambda at, count: base[at : at + count])) == result[start:stop]
    kept = b"".join(base[run.start : run.stop] for run in window.runs())
    assert kept == bytes(byte for byte in result[start:stop] if byte >= 97)
    extent = splices.extent(Span(start, stop))
    assert extent.places == len(window.starts)
    if extent.places > 1:
        # The executor puts what lies between the cut splices together from these; see its dense windows.
        news = [b - a for a, b in zip(window.news, window.news[1:], strict=False)]
        assert extent.front in (0, news[0]) and extent.back in (0, news[-1])
        inner = slice(bool(extent.front), len(news) - bool(extent.back))
        replaced = sum(b - a for a, b in zip(window.starts[inner], window.stops[inner], strict=True))
        kept_size = stop - start - sum(news)
        assert extent.base.size == kept_size + replaced


@given(triples(), st.integers(1, 5), st.data())
def test_kept_before_and_after_are_the_nearest_kept_bytes(made, block_splices, data) -> None:
    size, given_triples = made
    splices = in_blocks(size, given_triples, block_splices)
    origins: list[int | None] = []
    at = 0
    for start, stop, new in given_triples:
        origins += [*range(at, start), *[None] * new]
        at = stop
    origins += range(at, size)
    offset = data.draw(st.integers(0, len(origins)))
    behind = [origin for origin in origins[offset:] if origin is not None]
    before = [origin for origin in origins[:offset] if origin is not None]
    if behind:
        assert before == [] or before[-1] < splices.kept_after(offset)
        assert splices.kept_after(offset) <= behind[0]
        assert not any(splices.kept_after(offset) <= x < behind[0] for x in before)
    if before:
        assert splices.kept_before(offset) > before[-1]


@given(triples(), st.integers(1, 5))
def test_inverting_twice_is_the_same(made, block_splices) -> None:
    size, given_triples = made
    splices = in_blocks(size, given_triples, block_splices)
    again = splices.inverted().inverted()
    assert [[list(column) for column in block] for block in again.blocks()] == [
        [list(column) for column in block] for block in splices.blocks()
    ]
    assert again.base_size == size and splices.inverted().base_size == splices.result_size


@given(st.integers(0, 40), st.integers(1, 6), st.sampled_from([b"U", b"UNIT"]), st.data())
def test_a_repeated_unit_renders_like_any_other(gap, count, unit, data) -> None:
    made = [(gap + n * (gap + 2), gap + n * (gap + 2) + 2, len(unit)) for n in range(count)]
    size = made[-1][1] + gap
    base = bytes(97 + n % 26 for n in range(size))
    splices = in_blocks(size, made, 2)
    result = applied(base, made, Letters(unit))
    start = data.draw(st.integers(0, len(result)))
    stop = data.draw(st.integers(start, len(result)))
    rendered = render(splices.window(Span(start, stop)), Letters(unit), lambda at, n: base[at : at + n])
    assert bytes(rendered) == result[start:stop]


def test_long_deletions_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_READ_THROUGH_BYTES", 10)
    base = bytes(1000)
    reads: list[int] = []

    def read(offset: int, size: int) -> bytes:
        reads.append(size)
        return base[offset : offset + size]

    splices = Splices.of(1000, block_of([(10, 500, 1), (510, 990, 0)]))
    assert len(render(splices.window(Span(0, 31)), Letters(), read)) == 31
    assert sum(reads) == 30


def test_two_loaded_blocks_are_kept() -> None:
    loads: list[int] = []
    blocks = [Block(array("q", [n * 10]), array("q", [n, n + 1]), array("q", [n, n + 1])) for n in range(4)]
    heads = [Head(block.starts[0], block.result_start(0)) for block in blocks]
    summary = NO_SPLICES
    for block in blocks:
        summary = summarize(block, summary)
    splices = Splices(50, summary, heads, lambda number: loads.append(number) or blocks[number])
    for offset in (1, 2, 11, 5, 12):
        splices.kept_after(offset)
    assert loads == [0, 1]


def test_a_patch_without_splices_is_the_base() -> None:
    splices = Splices.of(9, block_of([]))
    assert splices.result_size == 9 and list(splices.blocks()) == []
    assert splices.kept_before(4) == splices.kept_after(4) == 4
    assert splices.moved(Span(2, 5)) == Span(2, 5)
    assert splices.window(Span(2, 5)).base == splices.extent(Span(2, 5)).base == Span(2, 5)
