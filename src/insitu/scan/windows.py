"""Windows over a reader: one after the other, backwards, or on every core at once.

A window's bytes sit in a buffer that is used again for the next window, so whoever wants to keep
bytes copies them. Neighbouring bytes (context) can be had on both sides; a window owns only its span.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import CancelledError, SpanError
from insitu.scan.scratch import keep_scratch

# The knee of the read-speed curve; 256 KiB costs about 20 %, 4 MiB gains nothing and leaves the cache.
WINDOW_BYTES: Final = 1 << 20

# Below this many windows a pass takes less time than starting threads is worth (about 0.2 ms).
THREADS_FROM_WINDOWS: Final = 4

# How many windows a thread takes at once: fewer hand-overs between threads, still little read ahead.
STRIDE_WINDOWS: Final = 4

PROGRESS_INTERVAL_S: Final = 0.25


T = TypeVar("T")


class Window(NamedTuple):
    """Bytes of one span with the context asked for; ``view`` is valid until the next window.

    ``view[before : before + span.size]`` is the span itself; ``view[:before]`` precedes it (shorter
    than asked for only where the file starts) and what is left follows it (where the file ends).
    """

    span: Span
    view: memoryview
    before: int

    @property
    def offset(self) -> int:
        """The file offset of ``view[0]``."""
        return self.span.start - self.before

    @property
    def own(self) -> memoryview:
        """The bytes of the span without context."""
        return self.view[self.before : self.before + self.span.size]


def bounds(reader: Reader, start: int, stop: int | None) -> Span:
    """The span from ``start`` to ``stop`` (None: the end), checked against the reader's size.

    Raises:
        SpanError: the span is reversed or reaches past the end.
    """
    end = reader.size if stop is None else stop
    if not 0 <= start <= end <= reader.size:
        raise SpanError(
            f"The span {start}:{end} does not fit a file of {reader.size} bytes.",
            hint="Give a start and a stop between 0 and the size, the start first.",
            start=start,
            stop=end,
            size=reader.size,
        )
    return Span(start, end)


def window_at(reader: Reader, span: Span, before: int = 0, after: int = 0) -> Window:
    """Reads one span, with context, into a buffer of its own."""
    return Buffer(reader, span.size + before + after).fill(span, before, after)


def windows(
    reader: Reader,
    start: int = 0,
    stop: int | None = None,
    *,
    window_bytes: int = WINDOW_BYTES,
    before: int = 0,
    after: int = 0,
    backward: bool = False,
) -> Iterator[Window]:
    """Yields the windows that tile ``[start, stop)``, first to last or (``backward``) last to first.

    Args:
        before: bytes of context wanted ahead of each span.
        after: bytes of context wanted behind it (the overlap).

    Returns:
        Nothing for an empty span. All spans but the last (backward: the first of the file) have
        ``window_bytes`` bytes.
    """
    span = bounds(reader, start, stop)
    buffer = Buffer(reader, min(window_bytes, span.size) + before + after)
    count = -(-span.size // window_bytes)
    for index in range(count):
        if backward:
            high = span.stop - index * window_bytes
            own = Span(max(high - window_bytes, span.start), high)
        else:
            low = span.start + index * window_bytes
            own = Span(low, min(low + window_bytes, span.stop))
        yield buffer.fill(own, before, after)


def parallel(
    reader: Reader,
    work: Callable[[Window], T],
    start: int = 0,
    stop: int | None = None,
    *,
    window_bytes: int = WINDOW_BYTES,
    before: int = 0,
    after: int = 0,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[T]:
    """Calls ``work`` with every window of ``[start, stop)`` and yields the results in file order.

    ``work`` runs on several threads at once: it may not keep the window's view nor share state
    without a lock, and gains where it frees the GIL (NumPy, RE2; stringzilla does not). A pass of a few
    windows runs on the calling thread. Threads end when the iterator is used up or closed.

    Args:
        before: bytes of context ahead of each span; ``after``: behind it.
        threads: how many; None means as many as there are cores.
        progress: called, from the thread that iterates, a few times a second and at the end.
        cancel: asked between results.

    Raises:
        CancelledError: ``cancel`` said so.
        Exception: whatever ``work`` raised first in file order; the results before it were yielded.

    Cost: one read of the span; memory of ``threads`` windows, and at most two strides of
    results per thread wait for their turn.
    """
    span = bounds(reader, start, stop)
    count = -(-span.size // window_bytes)
    wanted = threads or os.cpu_count() or 1
    report = Report(span, progress, cancel)
    if wanted == 1 or count < THREADS_FROM_WINDOWS:
        for window in windows(
            reader, span.start, span.stop, window_bytes=window_bytes, before=before, after=after
        ):
            report.check()
            result = work(window)
            report.done(window.span.stop)
            yield result
    else:
        keep_scratch()
        run = _Run(reader, work, span, window_bytes, before, after, min(wanted, count))
        yield from run.results(report)
    report.finish()


class Buffer:
    """One reused buffer that windows are read into."""

    def __init__(self, reader: Reader, size: int) -> None:
        self._reader = reader
        self._view = memoryview(bytearray(size))

    def fill(self, own: Span, before: int, after: int) -> Window:
        low = max(own.start - before, 0)
        high = min(own.stop + after, self._reader.size)
        view = self._view[: high - low]
        self._reader.read_into(low, view)
        return Window(own, view, own.start - low)


class Report:
    """Progress and cancelling of one pass, on the thread that iterates."""

    def __init__(self, span: Span, progress: Progress | None, cancel: Cancel | None) -> None:
        self._span = span
        self._progress = progress
        self._cancel = cancel
        self._reported_s = time.monotonic()

    def check(self) -> None:
        if self._cancel is not None and self._cancel():
            raise CancelledError("The pass over the file was cancelled; the file is unchanged.")

    def done(self, offset: int) -> None:
        if self._progress is not None:
            now_s = time.monotonic()
            if now_s - self._reported_s >= PROGRESS_INTERVAL_S:
                self._reported_s = now_s
                self._progress(offset - self._span.start, self._span.size)

    def finish(self) -> None:
        if self._progress is not None:
            self._progress(self._span.size, self._span.size)


class _Failure(NamedTuple):
    """Stands in the results where work raised instead."""

    error: BaseException


class _Run(Generic[T]):
    """Threads that take strides of windows in turn, and the consumer that restores file order.

    Invariant: strides ``_given .. _taken`` (given to the consumer, taken by threads) never number
    more than ``_ahead``, so results waiting for their turn are bounded.
    """

    def __init__(
        self,
        reader: Reader,
        work: Callable[[Window], T],
        span: Span,
        window_bytes: int,
        before: int,
        after: int,
        threads: int,
    ) -> None:
        self._reader = reader
        self._work = work
        self._span = span
        self._window_bytes = window_bytes
        self._before = before
        self._after = after
        self._count = -(-span.size // window_bytes)
        # Every thread gets a share even where there are few windows.
        self._stride = min(STRIDE_WINDOWS, -(-self._count // threads))
        self._strides = -(-self._count // self._stride)
        self._ahead = 2 * threads
        self._taken = 0
        self._given = 0
        self._ready: dict[int, list[T | _Failure]] = {}
        self._ended = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve, name=f"insitu-scan-{number}", daemon=True)
            for number in range(threads)
        ]

    def results(self, report: Report) -> Iterator[T]:
        """Yields results in file order; ends the threads however it is left."""
        try:
            for thread in self._threads:
                thread.start()
            for stride in range(self._strides):
                report.check()
                with self._changed:
                    while stride not in self._ready:
                        self._changed.wait()
                    batch = self._ready.pop(stride)
                    self._given = stride + 1
                    self._changed.notify_all()
                for result in batch:
                    if isinstance(result, _Failure):
                        raise result.error
                    yield result
                report.done(self._stride_span(stride).stop)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()

    def _stride_span(self, stride: int) -> Span:
        size = self._stride * self._window_bytes
        low = self._span.start + stride * size
        return Span(low, min(low + size, self._span.stop))

    def _serve(self) -> None:
        buffer: Buffer | None = None
        while (stride := self._take()) is not None:
            batch: list[T | _Failure] = []
            try:
                if buffer is None:
                    buffer = Buffer(self._reader, self._window_bytes + self._before + self._after)
                whole = self._stride_span(stride)
                for low in range(whole.start, whole.stop, self._window_bytes):
                    if self._ended:
                        return
                    own = Span(low, min(low + self._window_bytes, whole.stop))
                    batch.append(self._work(buffer.fill(own, self._before, self._after)))
            except BaseException as error:
                batch.append(_Failure(error))
            with self._changed:
                self._ready[stride] = batch
                self._changed.notify_all()

    def _take(self) -> int | None:
        """The next stride for a thread, once there is room for its results; None at the end."""
        with self._changed:
            while not self._ended and self._taken < self._strides:
                if self._taken < self._given + self._ahead:
                    self._taken += 1
                    return self._taken - 1
                self._changed.wait()
            return None
