"""The pass over the rows of a CSV file by two processes (``insitu.scan.pair``).

Neither knows how its window begins before the windows ahead of it are done. So each guesses: outside quotes,
unless the window makes sense only inside one. The windows are put together here, in file order: where the
state that is then known is another one, what was made of the window is thrown away, and it is done again. A
wrong guess costs time, and changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.engine.reopening import Way
from insitu.engine.snapshot import Snapshot
from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_states import CLOSED, FIELD, QUOTED, START, TEXT
from insitu.scan.companion import Companion
from insitu.scan.pair import Pair, pays, windows_of
from insitu.storage.local import local_volume
from insitu.views.csv_window import Begun, CsvWindow
from insitu.views.streaming import Source

T = TypeVar("T")

# What two windows and their bits take stays small beside two interpreters with NumPy, and yet a window is
# worth its calls.
PAIR_WINDOW_BYTES: Final = 2 << 20

_REPORT_SECONDS: Final = 0.2


class Attempt(NamedTuple, Generic[T]):
    """What was made of a window on a guess how it begins."""

    begun: int
    """The state guessed."""
    left: int
    """The state it leaves."""
    rows: int
    """How many line ends of rows there are."""
    results: list[T] | None
    """None where something does not fit: it is done again, to say what."""


@dataclass(frozen=True, slots=True)
class RowWork(Generic[T]):
    """What is done with the rows of each window; can be pickled if ``work`` can.

    Args:
        columns: indexes (from 0) of the columns whose cells are wanted.
        sieve: rows that it does not let through may be left out; None: all are wanted.
        work: gets rows numbered from the window's first on; only what it raises may tell their numbers.
    """

    dialect: Dialect
    columns: tuple[int, ...]
    sieve: Sieve | None
    work: Callable[[Rows], T]
    window_bytes: int = PAIR_WINDOW_BYTES


class _Worker(Generic[T]):
    """Does windows of one file, one at a time."""

    def __init__(self, work: RowWork[T], reader: Reader) -> None:
        self._work = work
        self._reader = reader
        self._window = CsvWindow(reader, work.dialect, work.window_bytes)

    def exactly(self, span: Span, begun: Begun) -> Iterator[T]:
        """Yields what the work makes of the rows of a window that begins so; ``left`` may follow."""
        self._window.read(span)
        return map(self._work.work, self._window.rows(begun, self._work.columns, self._work.sieve))

    def left(self, begun: Begun) -> Begun:
        """How what follows the window begins."""
        outcome = self._window.table[begun.state]
        return Begun(outcome.state, begun.rows + outcome.rows)

    def attempt(self, span: Span) -> Attempt[T]:
        """Does a window of which it is not known how it begins."""
        self._window.read(span)
        begun = Begun(self._guess(span), 0)
        rows = self._window.rows(begun, self._work.columns, self._work.sieve)
        try:
            results = list(map(self._work.work, rows))
            left = self.left(begun)
        except Exception:
            # Which row it is, and whether there is a fault at all, is known when it is the window's turn.
            return Attempt(begun.state, START, 0, None)
        return Attempt(begun.state, left.state, left.rows, results)

    def _guess(self, span: Span) -> int:
        """In which state the window begins, if it is written as most are."""
        outside = self._state_behind(span.start)
        found = self._window.table.specials
        quoted = found is not None and not found.is_calm(outside) and found.is_calm(QUOTED)
        return QUOTED if quoted else outside

    def _state_behind(self, offset: int) -> int:
        """The state behind the byte before an offset, if that is outside quotes."""
        dialect = self._work.dialect
        before = self._reader.read(offset - 1, 1) if offset else b"\n"
        if before[0] in {"\n": (LF,), "\r": (CR,), "any": (LF, CR)}[dialect.newline]:
            return START
        if before == dialect.delimiter:
            return FIELD
        return CLOSED if before == dialect.quote else TEXT


@dataclass(frozen=True, slots=True)
class _Start(Generic[T]):
    """Makes, in the other process, what answers there."""

    way: Way
    work: RowWork[T]

    def __call__(self) -> Callable[[Span], Attempt[T]]:
        return _Worker(self.work, self.way.open()).attempt


class Beside:
    """A companion for one scan, if one pays and is right; ``beside`` makes it and ends it.

    It reads the file itself, and sees what it holds at that moment: so only of a content that the file holds.

    Args:
        module: where the work is written that it will be asked for.
        least_bytes: no companion for less, whatever pays elsewhere.
    """

    def __init__(self, reader: Reader, module: str, least_bytes: float = 0) -> None:
        self._pays = pays(reader.size) and reader.size >= least_bytes and _in_file(reader)
        self._modules = "numpy", module, local_volume.__module__
        self._companion: Companion[Span, Attempt[Any]] | None = None

    def companion(self) -> Companion[Span, Attempt[Any]] | None:
        """Has it start, unless it has already; None where there is none."""
        if self._pays and self._companion is None:
            self._companion = Companion[Span, Attempt[Any]].spawned(*self._modules)
        return self._companion

    def end(self) -> None:
        """Ends it, if it has started."""
        if self._companion is not None:
            self._companion.end()


def _in_file(reader: Reader) -> bool:
    """Whether the file has held what a reader shows all the time, for another process to read."""
    if not isinstance(reader, Snapshot):
        return False
    unchanged = reader.settled or reader.generation.same_contents(reader.file.stat())
    return unchanged and reader.undisturbed


@contextmanager
def beside(source: Source, dialect: Dialect, module: str, *, least_bytes: float = 0) -> Iterator[Beside]:
    """Has a companion start while a scan is prepared; later, if at all, where the rows' index is kept.

    Arguments as ``Beside``.
    """
    made = Beside(source.reader, module, least_bytes)
    try:
        if source.rows(dialect) is None:
            made.companion()
        yield made
    finally:
        made.end()


def scan_paired(
    reader: Reader,
    companion: Companion[Span, Attempt[T]] | None,
    work: RowWork[T],
    span: Span,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    numbered: Callable[[T, int], T] | None = None,
) -> Iterator[T]:
    """Does the work with all data rows, batch by batch, and yields the results in file order.

    Args:
        companion: from ``Beside``; None: this process does all.
        span: the data rows.
        numbered: makes a result that holds numbers of rows hold those behind so many others.
        progress: called a few times a second and at the end.
        cancel: asked between windows.

    Raises:
        FormatError: a quote is misplaced and the dialect is strict; a quote is never closed.
        LimitError: a row is longer than 8 MiB.
        CancelledError: ``cancel`` said so.

    Cost: one read; in each process a window, its offsets, and the results of some windows.
    """
    if companion is not None:
        assert isinstance(reader, Snapshot)
        companion.begin(_Start(Way.to(reader, reader.file.path), work))
    worker = _Worker(work, reader)
    begun = Begun(START, 0)
    reported = time.monotonic()
    pair = Pair(windows_of(span, work.window_bytes), worker.attempt, companion, lambda: _in_file(reader))
    for window, attempt in pair.answers(cancel):
        if attempt.begun == begun.state and attempt.results is not None:
            results = attempt.results
            yield from results if numbered is None else (numbered(one, begun.rows) for one in results)
            begun = Begun(attempt.left, begun.rows + attempt.rows)
        else:
            yield from worker.exactly(window, begun)
            begun = worker.left(begun)
        if progress is not None and time.monotonic() - reported >= _REPORT_SECONDS:
            progress(window.stop - span.start, span.size)
            reported = time.monotonic()
    if progress is not None:
        progress(span.size, span.size)
