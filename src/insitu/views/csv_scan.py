"""The parallel pass over the rows of a CSV file: exact on every core, in one read.

A thread reads a window and makes its table: what the window does to any state it may begin in. The state at
its start then follows from the tables of the windows before, which other threads made meanwhile; with it the
window's rows are split. A row belongs to the window in which it starts; what it lacks is read behind it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import CancelledError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_specials import LazyTable
from insitu.formats.csv_states import START
from insitu.scan.scratch import keep_scratch
from insitu.views.csv_indexed import indexed_rows
from insitu.views.csv_window import Begun, CsvWindow, data_start
from insitu.views.streaming import Source

T = TypeVar("T")

# Three times the knee of scan.windows: a window takes some 250 calls of NumPy, for each of which two threads
# wait for one another (measured on 200 MB: 2 MiB 0.86 s, 4 MiB 0.65 s); but of the shortest rows there are
# a million in so much, and 4 MiB of them took more memory than is promised.
WINDOW_BYTES: Final = 3 << 20

# More threads than this only wait for the interpreter between NumPy's calls.
_THREADS_MAX: Final = 4

_REPORT_SECONDS: Final = 0.2


def scan_rows(
    source: Source,
    dialect: Dialect,
    columns: Iterable[int],
    work: Callable[[Rows], T],
    *,
    start: int | None = None,
    sieve: Sieve | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> Iterator[T]:
    """Calls ``work`` with all data rows, batch by batch, and yields the results in file order.

    ``work`` runs on several threads at once: it may not keep ``Rows.data`` nor share state without a lock.
    Where the index of the rows is kept and few can be let through, only those are split (``csv_indexed``).

    Args:
        columns: indexes (from 0) of the columns whose cells are wanted.
        start: offset of the first data row; None: behind the byte order mark and the header.
        sieve: rows that it does not let through may be left out; None: all are wanted.
        progress: called, from the thread that iterates, a few times a second and at the end.
        cancel: asked between results.

    Raises:
        FormatError: a quote is misplaced and the dialect is strict; a quote is never closed.
        LimitError: a row is longer than 8 MiB.
        StaleError: the file does not hold the rows its index knows.
        CancelledError: ``cancel`` said so.

    Cost: one read; a window of 1 MiB and its offsets for each of at most four threads.
    """
    if start is None:
        passed = indexed_rows(source, dialect, columns, work, sieve, progress, cancel)
        if passed is not None:
            return passed
    reader = source.reader
    begin = data_start(reader, dialect) if start is None else start
    span = Span(begin, reader.size)
    run = _Run(reader, dialect, tuple(dict.fromkeys(columns)), sieve, work, span, window_bytes)
    return run.results(progress, cancel)


class _Failure(NamedTuple):
    error: BaseException


class _Run(Generic[T]):
    """One pass: threads take windows in order, and hand tables and results back."""

    def __init__(
        self,
        reader: Reader,
        dialect: Dialect,
        columns: tuple[int, ...],
        sieve: Sieve | None,
        work: Callable[[Rows], T],
        span: Span,
        window_bytes: int,
    ) -> None:
        self._reader = reader
        self._dialect = dialect
        self._columns = columns
        self._sieve = sieve
        self._work = work
        self._span = span
        self._window_bytes = window_bytes
        self._count = -(-span.size // window_bytes)
        self._threads = max(1, min(os.cpu_count() or 1, _THREADS_MAX, self._count))
        self._taken = self._given = 0
        self._ended = False
        self._tables: dict[int, LazyTable] = {}
        # How windows begin, as far as it follows from the tables: up to the window ``_known``.
        self._known = 0
        self._starts = {0: Begun(START, 0)}
        self._ready: dict[int, list[T] | _Failure] = {}
        self._changed = threading.Condition()

    def results(self, progress: Progress | None, cancel: Cancel | None) -> Iterator[T]:
        """Yields the results in file order; ends the threads however it is left."""
        threads = [
            threading.Thread(target=self._serve, name=f"insitu-csv-{number}", daemon=True)
            for number in range(self._threads)
        ]
        reported = time.monotonic()
        keep_scratch()
        try:
            for thread in threads:
                thread.start()
            for number in range(self._count):
                if cancel is not None and cancel():
                    raise CancelledError("Cancelled before anything was changed.")
                batch = self._result(number)
                if isinstance(batch, _Failure):
                    raise batch.error
                yield from batch
                if progress is not None and time.monotonic() - reported >= _REPORT_SECONDS:
                    progress(self._window(number).stop - self._span.start, self._span.size)
                    reported = time.monotonic()
            if progress is not None:
                progress(self._span.size, self._span.size)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()

    def _result(self, number: int) -> list[T] | _Failure:
        with self._changed:
            while number not in self._ready:
                self._changed.wait()
            self._given = number + 1
            self._changed.notify_all()
            return self._ready.pop(number)

    def _window(self, number: int) -> Span:
        low = self._span.start + number * self._window_bytes
        return Span(low, min(low + self._window_bytes, self._span.stop))

    def _serve(self) -> None:
        window = CsvWindow(self._reader, self._dialect, self._window_bytes)
        while (number := self._take()) is not None:
            batch: list[T] | _Failure | None
            try:
                window.read(self._window(number))
                begun = self._begin(number, window.table)
                if begun is None:
                    return
                batch = [self._work(rows) for rows in window.rows(begun, self._columns, self._sieve)]
            except BaseException as error:
                batch = _Failure(error)
            with self._changed:
                self._ready[number] = batch
                self._changed.notify_all()

    def _take(self) -> int | None:
        """The next window for a thread, once there is room for its result; None at the end."""
        with self._changed:
            while not self._ended and self._taken < self._count:
                if self._taken <= self._given + self._threads:
                    self._taken += 1
                    return self._taken - 1
                self._changed.wait()
            return None

    def _begin(self, number: int, made: LazyTable) -> Begun | None:
        """How a window begins, for the table of what it does; None where the pass has ended.

        The windows before it were taken before, and each makes its table before it waits here.
        """
        with self._changed:
            self._tables[number] = made
            known = self._known
            while self._known in self._tables:
                state, rows = self._starts[self._known]
                outcome = self._tables.pop(self._known)[state]
                self._known += 1
                self._starts[self._known] = Begun(outcome.state, rows + outcome.rows)
            if self._known > known:
                self._changed.notify_all()
            while number not in self._starts:
                if self._ended:
                    return None
                self._changed.wait()
            return self._starts.pop(number)
