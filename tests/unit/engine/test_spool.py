"""The spool turns splices of any kind and number into a journal's columns and strings."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Copy, Fill, Literal
from insitu.core.rendering import render
from insitu.core.replacements import Few, Uniform, varied
from insitu.core.spans import Span
from insitu.engine import journal as journals
from insitu.engine import pools, spool
from insitu.engine.journal import Journal
from insitu.engine.spool import Spool
from insitu.storage.memory import MemoryVolume

BASE = random.Random(1).randbytes(300)
OTHER = random.Random(2).randbytes(200)


class Bytes:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.reads: list[int] = []

    def read(self, offset: int, size: int) -> bytes:
        self.reads.append(size)
        return self.data[offset : offset + size]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "BLOCK_SPLICES", 3)
    for module in (spool, pools, journals):
        monkeypatch.setattr(module, "PAYLOAD_BYTES", 32)


def begun() -> tuple[Journal, Spool, Bytes]:
    header = {"before": {"size": len(BASE)}}
    journal = Journal.create(MemoryVolume(), "/journal", 1, header)
    other = Bytes(OTHER)
    return journal, Spool(journal, Bytes(BASE), {"other": other}.__getitem__), other


def rendered(journal: Journal) -> bytes:
    splices = journal.splices
    window = splices.window(Span(0, splices.result_size))
    return bytes(render(window, journal.new, lambda offset, size: BASE[offset : offset + size]))


pieces = st.one_of(
    st.builds(Literal, st.binary(max_size=50)),
    st.builds(Fill, st.integers(0, 255), st.integers(0, 80)),
    st.builds(lambda a, b: Copy(None, Span(min(a, b), max(a, b))), st.integers(0, 300), st.integers(0, 300)),
    st.builds(
        lambda a, b: Copy("other", Span(min(a, b), max(a, b))), st.integers(0, 200), st.integers(0, 200)
    ),
)


@pytest.mark.slow
@given(
    st.lists(st.integers(0, 300), max_size=20),
    st.lists(st.lists(pieces, max_size=3).map(tuple), min_size=10, max_size=10),
)
def test_what_is_spooled_is_the_patch(cuts, contents) -> None:
    cuts.sort()
    spans = [Span(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    made = [Splice(span, content) for span, content in zip(spans, contents, strict=False)]
    journal, spooled, _ = begun()
    spooled.add(made)
    spooled.finish()
    expected = Patch(300, tuple(made)).apply(BASE, lambda path, span: OTHER[span.start : span.stop])
    assert rendered(journal) == expected
    real = [splice for splice in made if splice.new_size or splice.span.size]
    assert journal.splices.summary.places == len(real), "what does nothing is left out"
    assert all(len(block.starts) <= 3 for block in journal.splices.blocks())


def test_columns_and_splices_may_take_turns() -> None:
    journal, spooled, _ = begun()
    spooled.add([Splice(Span(1, 3), (Literal(b"one"),))])
    spooled.add_batch(Uniform(np.array([10, 20, 30]), np.array([12, 21, 30]), b"new"))
    spooled.add_batch(Few([(Span(31, 32), b"few"), (Span(35, 35), b"")]))
    spooled.add([Splice(Span(40, 41), (Fill(0, 5),))])
    spooled.add_batch(Uniform(np.array([50, 60, 70]), np.array([52, 60, 74]), b""))
    spooled.add_batch(varied([(Span(80, 81), b"eighty"), (Span(85, 85), b""), (Span(90, 90), b"ninety")]))
    spooled.finish()
    made = [(1, 3, b"one"), (10, 12, b"new"), (20, 21, b"new"), (30, 30, b"new"), (31, 32, b"few")]
    made += [(40, 41, bytes(5)), (50, 52, b""), (70, 74, b""), (80, 81, b"eighty"), (90, 90, b"ninety")]
    expected = Patch(300, tuple(Splice(Span(a, b), (Literal(new),)) for a, b, new in made)).apply(BASE)
    assert rendered(journal) == expected
    assert journal.splices.summary.places == len(made)


def test_empty_columns_are_nothing() -> None:
    journal, spooled, _ = begun()
    spooled.add_batch(Uniform(np.array([], np.int64), np.array([], np.int64), b"new"))
    spooled.add_batch(varied([]))
    spooled.add_batch(Uniform(np.array([5, 6]), np.array([5, 6]), b""))
    spooled.finish()
    assert journal.splices.summary.places == 0 and journal.new.size == 0


def test_a_copy_is_read_in_payloads() -> None:
    journal, spooled, other = begun()
    spooled.add([Splice(Span(0, 0), (Copy("other", Span(5, 105)),))])
    spooled.finish()
    assert other.reads == [32, 32, 32, 4]
    assert journal.new.read(0, 100) == OTHER[5:105]


def test_a_fill_takes_no_space() -> None:
    journal, spooled, _ = begun()
    spooled.add([Splice(Span(0, 0), (Fill(7, 1 << 50),))])
    spooled.finish()
    assert journal.new.size == 1 << 50 and journal.new.read(1 << 49, 3) == b"\7\7\7"
    assert journal.splices.result_size == len(BASE) + (1 << 50)
