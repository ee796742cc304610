"""Streaming reads: what comes, in which order, and how little memory and reading it takes."""

from __future__ import annotations

import codecs
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.errors import LimitError, RequestError, SpanError, TextError
from insitu.scan.windows import WINDOW_BYTES
from insitu.views import streams
from insitu.views.streams import stream, tail
from insitu.views.text import Encoding
from tests.readers import BytesReader

UTF8 = Encoding("utf-8")


def read(data: bytes, *args: Any, text: Encoding = UTF8, **options: Any) -> list[Any]:
    return list(stream(BytesReader(data), text, "file", *args, **options))


@given(
    st.lists(st.sampled_from([b"a", b"b\xff", b"\n", b"\r\n", b"\r"]), max_size=30).map(b"".join),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(1, 9),
)
def test_lines_that_start_in_the_span_come_in_order(data: bytes, low: int, high: int, window: int) -> None:
    start, stop = sorted((min(low, len(data)), min(high, len(data))))
    newline = b"\n" if b"\n" in data or b"\r" not in data else b"\r"
    lines = [part + newline for part in data.split(newline)]
    lines[-1] = lines[-1].removesuffix(newline)
    expected, at = [], 0
    for line in lines:
        if line and start <= at < stop:
            expected.append(line)
        at += len(line)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_FIRST_WINDOW_BYTES", window)
        assert read(data, start=start, stop=stop, as_bytes=True) == expected
        assert read(data, start=start, stop=stop, as_bytes=True, reverse=True) == expected[::-1]
        texts = [line.decode("utf-8", "surrogateescape") for line in expected]
        assert read(data, start=start, stop=stop) == texts
        batches = read(data, start=start, stop=stop, batch=3)
        assert [line for batch in batches for line in batch] == texts
        assert [len(batch) for batch in batches[:-1]] == [3] * (len(batches) - 1)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_lines_of_wide_units(name: str) -> None:
    text = Encoding(name)
    # U+0A0A and U+0A00 hold bytes that look like line ends.
    lines = ["eins \u0a0a\u0a00\r\n", "\U0001f600\n", "\n", "vier"]
    data = text.mark + "".join(lines).encode(name)
    assert read(data, text=text) == lines
    assert read(data, text=text, reverse=True) == lines[::-1]
    assert tail(BytesReader(data), text, "file", 2) == lines[-2:]
    with pytest.raises(TextError, match="more than whole"):
        read(data + b"x", text=text)


def test_a_mark_is_part_of_no_line() -> None:
    assert read(codecs.BOM_UTF8 + b"a\nb\n") == ["a\n", "b\n"]
    assert read(codecs.BOM_UTF8) == []


@pytest.mark.parametrize("reverse", [False, True])
def test_chunks_tile_the_span(reverse: bool) -> None:
    data = bytes(range(256)) * 3
    chunks = read(data, "chunks", start=5, stop=700, size=100, reverse=reverse)
    assert b"".join(chunks[::-1] if reverse else chunks) == data[5:700]
    assert {len(chunk) for chunk in chunks[:-1]} == {100}


def test_a_reused_buffer_is_one_buffer() -> None:
    data = b"abcdef"
    views = stream(BytesReader(data), UTF8, "file", "chunks", size=2, reuse=True)
    first = next(views)
    assert bytes(first) == b"ab"
    assert [bytes(next(views)), bytes(first)] == [b"cd", b"cd"]


def test_the_tail_of_a_huge_file_takes_one_small_read() -> None:
    reader = BytesReader(b"some line\n" * 1_000_000)
    assert tail(reader, UTF8, "file", 3) == ["some line\n"] * 3
    # The first window tells what ends lines.
    assert reader.read_bytes < WINDOW_BYTES + (64 << 10)
    assert tail(reader, UTF8, "file", 0) == []
    assert tail(BytesReader(b"a\nb"), UTF8, "file", 9) == ["a\n", "b"]


def test_a_line_that_is_too_long_is_refused_and_never_cut() -> None:
    data = b"short\n" + b"x" * (3 * WINDOW_BYTES) + b"\nshort\n"
    found = stream(BytesReader(data), UTF8, "file", line_bytes_max=2 * WINDOW_BYTES)
    assert next(found) == "short\n"
    with pytest.raises(LimitError, match="offset 6 ") as caught:
        next(found)
    assert caught.value.facts["offset"] == 6
    assert len(read(data, line_bytes_max=4 * WINDOW_BYTES)) == 3


@pytest.mark.slow
def test_memory_is_bounded_by_a_window() -> None:
    reader = BytesReader(b"some line of text\n" * 600_000)
    tracemalloc.start()
    try:
        for reverse in (False, True):
            assert sum(1 for _ in stream(reader, UTF8, "file", reverse=reverse, as_bytes=True)) == 600_000
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "options",
    [
        {"by": "words"},
        {"by": "chunks", "batch": 2},
        {"by": "chunks", "size": 0},
        {"batch": 0},
        {"reuse": True},
    ],
)
def test_arguments_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        read(b"a\n", **options)


def test_a_span_outside_is_refused_at_once() -> None:
    with pytest.raises(SpanError):
        stream(BytesReader(b"a\n"), UTF8, "file", start=3)
