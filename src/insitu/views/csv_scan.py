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
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import CancelledError
from insitu.formats.csv_bits import WORD_BITS
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_faults import misplaced, too_long, unclosed
from insitu.formats.csv_scan import Rows, calm_rows, split_rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_specials import LazyTable, Split, specials
from insitu.formats.csv_states import ESCAPED_QUOTED, QUOTED, START
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

T = TypeVar("T")

# Four times the knee of scan.windows: a window takes some 250 calls of NumPy, for each of which two threads
# wait for one another, and which then are no longer what costs most (measured on 2 GB: 2 MiB 7.3 s, 4 MiB
# 6.0 s, 8 MiB 5.9 s and 30 MB more).
WINDOW_BYTES: Final = 4 << 20

# A row is held in memory as a whole, by one thread each. Counting and indexing know no such limit.
ROW_MAX_BYTES: Final = 8 << 20

# Behind a window the rest of its last row is looked for in steps of this, as long as what was read.
_STEP_BYTES: Final = 2 << 10
_STEP_BYTES_MAX: Final = 256 << 10

# More threads than this only wait for the interpreter between NumPy's calls.
_THREADS_MAX: Final = 4

# Room behind a window for the rest of most rows.
_SPARE_BYTES: Final = 64 << 10

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

    Args:
        columns: indexes (from 0) of the columns whose cells are wanted.
        start: offset of the first data row; None: behind the byte order mark and the header.
        sieve: rows that it does not let through may be left out; None: all are wanted.
        progress: called, from the thread that iterates, a few times a second and at the end.
        cancel: asked between results.

    Raises:
        FormatError: a quote is misplaced and the dialect is strict; a quote is never closed.
        LimitError: a row is longer than 8 MiB.
        CancelledError: ``cancel`` said so.

    Cost: one read; a window of 1 MiB and its offsets for each of at most four threads.
    """
    reader = source.reader
    begin = data_start(reader, dialect) if start is None else start
    span = Span(begin, reader.size)
    run = _Run(reader, dialect, tuple(dict.fromkeys(columns)), sieve, work, span, window_bytes)
    return run.results(progress, cancel)


def data_start(reader: Reader, dialect: Dialect) -> int:
    """Offset of the first data row: behind the byte order mark and the header, if there is one."""
    mark = len(dialect.bom)
    if not dialect.header or mark >= reader.size:
        return min(mark, reader.size)
    return row_end(reader, dialect, mark)


def row_end(reader: Reader, dialect: Dialect, start: int) -> int:
    """Where the row that starts at an offset stops, its line end included.

    Raises:
        FormatError: its quote is never closed, or misplaced where the dialect is strict.
        LimitError: it is longer than 8 MiB.
    """
    return _end_from(reader, dialect, start, START, lambda: (None, start))


class _Start(NamedTuple):
    """How a window begins: in which state, behind how many line ends of rows."""

    state: int
    rows: int


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
        self._starts = {0: _Start(START, 0)}
        self._ready: dict[int, list[T] | _Failure] = {}
        self._changed = threading.Condition()

    def results(self, progress: Progress | None, cancel: Cancel | None) -> Iterator[T]:
        """Yields the results in file order; ends the threads however it is left."""
        threads = [
            threading.Thread(target=self._serve, name=f"insitu-csv-{number}", daemon=True)
            for number in range(self._threads)
        ]
        reported = time.monotonic()
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
        window = _Window(self._reader, self._dialect, self._window_bytes)
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
                if self._taken < self._given + 2 * self._threads:
                    self._taken += 1
                    return self._taken - 1
                self._changed.wait()
            return None

    def _begin(self, number: int, made: LazyTable) -> _Start | None:
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
                self._starts[self._known] = _Start(outcome.state, rows + outcome.rows)
            if self._known > known:
                self._changed.notify_all()
            while number not in self._starts:
                if self._ended:
                    return None
                self._changed.wait()
            return self._starts.pop(number)


class _Window:
    """A window of the file in a reused buffer, with what its last row has behind it."""

    def __init__(self, reader: Reader, dialect: Dialect, window_bytes: int) -> None:
        self._reader = reader
        self._dialect = dialect
        self._buffer = bytearray(window_bytes + _SPARE_BYTES)
        self._span = Span(0, 0)
        self.table = LazyTable(_array(self._buffer, 0, 0), dialect, -1)

    def read(self, span: Span) -> None:
        """Reads a window and makes its table."""
        size = min(span.stop + 1, self._reader.size) - span.start
        self._reader.read_into(span.start, memoryview(self._buffer)[:size])
        following = self._buffer[span.size] if size > span.size else -1
        self._span = span
        self.table = LazyTable(_array(self._buffer, 0, span.size), self._dialect, following)

    def rows(self, begun: _Start, columns: tuple[int, ...], sieve: Sieve | None) -> Iterator[Rows]:
        """Yields the rows that start in the window, as far as they are let through."""
        span, dialect = self._span, self._dialect
        outcome = self.table[begun.state]
        first, row = 0, begun.rows
        if begun.state != START:
            first, row = outcome.first_end + 1, row + 1
            if not 0 < first < span.size:
                return
        stop = span.stop
        # Behind a fault nothing is known; splitting will say where it is.
        if outcome.state != START and outcome.fault < 0:

            def last() -> tuple[int, int]:
                inside = split_rows(_array(self._buffer, first, span.size), _lenient(dialect), ())
                return row + len(inside) - 1, span.start + first + int(inside.starts[-1])

            stop = _end_from(self._reader, dialect, stop, outcome.state, last)
        data = _array(self._extended(stop), 0, stop - span.start)
        found = self._split(data, begun.state, outcome.state)
        if found is None:
            yield split_rows(data[first:], dialect, columns, span.start + first, row)
        else:
            yield from calm_rows(data, dialect, columns, found.since(first), first, span.start, row, sieve)

    def _split(self, data: Bytes, begun: int, left: int) -> Split | None:
        """What separates the rows of the window and of what was read behind it, where both are calm."""
        own, dialect, size = self.table.specials, self._dialect, self._span.size
        if own is not None and len(data) > size and size % WORD_BITS:
            own = specials(data, dialect, -1, delimiters=True)
            size = len(data)
        found = None if own is None else own.split(begun)
        if found is None or len(data) == size:
            return found
        behind = specials(data[size:], dialect, -1, delimiters=True)
        rest = None if behind is None else behind.split(left)
        return None if rest is None else found.then(rest)

    def _extended(self, stop: int) -> bytearray:
        """The window and what follows it up to an offset."""
        span = self._span
        buffer = self._buffer
        if stop > span.stop:
            if stop - span.start > len(buffer):
                buffer = bytearray(stop - span.start)
                buffer[: span.size] = memoryview(self._buffer)[: span.size]
            self._reader.read_into(span.stop, memoryview(buffer)[span.size : stop - span.start])
        return buffer


def _array(buffer: bytearray, start: int, stop: int) -> Bytes:
    import numpy as np

    return np.frombuffer(buffer, np.uint8, stop - start, start)


def _lenient(dialect: Dialect) -> Dialect:
    return replace(dialect, lenient=True)


def _end_from(
    reader: Reader, dialect: Dialect, at: int, state: int, named: Callable[[], tuple[int | None, int]]
) -> int:
    """Where the row ends that is in a state at an offset.

    Args:
        named: tells, for messages, which row it is and where it starts.
    """
    import numpy as np

    begun, ended = at, False
    while at < reader.size and not ended:
        size = min(max(_STEP_BYTES, at - begun), _STEP_BYTES_MAX, reader.size - at)
        data = np.frombuffer(reader.read(at, min(size + 1, reader.size - at)), np.uint8)
        following = int(data[size]) if len(data) > size else -1
        outcome = LazyTable(data[:size], dialect, following)[state]
        if outcome.fault >= 0 and not 0 <= outcome.first_end < outcome.fault:
            raise misplaced(*named(), at + outcome.fault)
        ended = outcome.first_end >= 0
        state, at = outcome.state, at + (outcome.first_end + 1 if ended else size)
        if at - begun > ROW_MAX_BYTES:
            raise too_long(*named(), ROW_MAX_BYTES)
    if not ended and state in (QUOTED, ESCAPED_QUOTED):
        raise unclosed(*named())
    return at
