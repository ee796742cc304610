from __future__ import annotations

import threading

import pytest

from insitu.core.spans import Span
from insitu.errors import CancelledError, SpanError
from insitu.scan.windows import Window, parallel, window_at, windows

DATA = bytes(range(256)) * 5


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("window_bytes", [1, 7, 1279, 1280, 5000])
def test_windows_tile_the_span_with_the_context_asked_for(memory, window_bytes, backward):
    start, stop = 3, 1270
    spans = []
    for window in windows(
        memory(DATA), start, stop, window_bytes=window_bytes, before=2, after=5, backward=backward
    ):
        low, high = window.span
        assert bytes(window.own) == DATA[low:high]
        assert bytes(window.view) == DATA[low - 2 : high + 5]
        assert window.offset == low - 2
        spans.append(window.span)
    spans = spans[::-1] if backward else spans
    assert [spans[0].start, *(span.stop for span in spans)] == [*(span.start for span in spans), stop]


def test_context_ends_where_the_file_does(memory):
    window = window_at(memory(b"abc"), Span(1, 2), 10, 10)
    assert (bytes(window.view), window.before, bytes(window.own)) == (b"abc", 1, b"b")


def test_an_empty_span_has_no_windows(memory):
    assert list(windows(memory(DATA), 5, 5)) == []
    assert list(parallel(memory(DATA), bytes, 5, 5)) == []


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 4), (4, None)])
def test_a_span_outside_of_the_file_is_refused(memory, start, stop):
    with pytest.raises(SpanError):
        list(windows(memory(b"abc"), start, stop))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_parallel_results_come_in_file_order(memory, threads):
    found = parallel(
        memory(DATA),
        lambda window: bytes(window.own),
        1,
        1279,
        window_bytes=9,
        before=1,
        after=3,
        threads=threads,
    )
    assert b"".join(found) == DATA[1:1279]


def test_few_windows_start_no_thread(memory):
    def work(window: Window) -> str:
        return threading.current_thread().name

    assert set(parallel(memory(DATA), work, window_bytes=500)) == {threading.current_thread().name}


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_the_work_comes_after_the_results_before_it_and_ends_the_threads(memory, threads):
    before = threading.active_count()

    def work(window: Window) -> int:
        if window.span.start >= 500:
            raise KeyError(window.span.start)
        return window.span.start

    results = []
    with pytest.raises(KeyError, match="500"):
        for result in parallel(memory(DATA), work, window_bytes=10, threads=threads):
            results.append(result)
    assert results == list(range(0, 500, 10))
    assert threading.active_count() == before


def test_leaving_early_ends_the_threads_and_reads_a_bounded_part(memory):
    before = threading.active_count()
    reader = memory(bytes(100_000))
    results = parallel(reader, lambda window: window.span.start, window_bytes=10, threads=2)
    assert next(results) == 0
    results.close()
    assert threading.active_count() == before
    assert reader.highest <= 10 * 4 * 6


@pytest.mark.parametrize("threads", [1, 2])
def test_cancelling_ends_the_pass_and_its_threads(memory, threads):
    before = threading.active_count()
    asked = []
    results = parallel(
        memory(bytes(10_000)),
        len_of,
        window_bytes=10,
        threads=threads,
        cancel=lambda: len(asked) > 3 or asked.append(1),
    )
    with pytest.raises(CancelledError):
        sum(results)
    assert threading.active_count() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_grows_to_the_whole_span(memory, threads, monkeypatch):
    monkeypatch.setattr("insitu.scan.windows.PROGRESS_INTERVAL_S", 0.0)
    told = []
    for _ in parallel(
        memory(DATA), len_of, 80, window_bytes=30, threads=threads, progress=lambda *facts: told.append(facts)
    ):
        pass
    assert told == sorted(told)
    assert len(told) > 2
    assert told[-1] == (1200, 1200)


def len_of(window: Window) -> int:
    return window.span.size
