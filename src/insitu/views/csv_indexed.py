"""The pass over the rows of a CSV file whose row index is kept: only what holds a sieve's text is split.

A row that a sieve lets through holds one of its texts, byte by byte. So the texts are searched for, which is
some times faster than splitting rows; the index knows how the granule begins in which one is found, and where
the row does that is under way there. What holds none is not looked at closer: that its quotes are closed, and
in a strict dialect stand where they may, was seen when the index was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.spans import Span
from insitu.errors import StaleError
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_states import START, Outcome
from insitu.scan.holding import first_in_stretches
from insitu.views.csv_window import Begun, CsvWindow, data_start
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.engine.row_granules import Granule
    from insitu.engine.row_index import RowIndex

T = TypeVar("T")

# So many granules tell how many hold a text: 4 MiB, searched in a millisecond. They are spread by the golden
# section: over the whole file, but with no period that what stands in it could share.
_SAMPLES: Final = 16
_SPREAD: Final = (5**0.5 - 1) / 2
# Where more of them do, every row is split. Measured on 100 MB: with texts in an eighth of the granules
# 0.10 s, in a quarter 0.17 s; all rows take 0.20 s of a core, and there are mostly two.
_SAMPLES_HOLDING_MAX: Final = 2


def indexed_rows(
    source: Source,
    dialect: Dialect,
    columns: Iterable[int],
    work: Callable[[Rows], T],
    sieve: Sieve | None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[T] | None:
    """Calls ``work`` with the data rows that the sieve lets through; None where that is not to be done so.

    It is not where no index is kept, there is no sieve, or too much of the file holds one of its texts.

    Args:
        columns, progress, cancel: as for ``csv_scan.scan_rows``.
        work: runs on the thread that iterates; may not keep ``Rows.data``.

    Raises:
        StaleError: the file does not hold the rows its index knows.
        LimitError: a row that holds one of the texts is longer than 8 MiB.
        CancelledError: ``cancel`` said so.

    Cost: one read, in which the texts are searched for on every core; some passes over each granule that
        holds one. Memory of a window for each thread, and of the rows of one granule.
    """
    index = None if sieve is None else source.rows(dialect)
    if sieve is None or index is None or not _sparse(source.reader, index, sieve.texts):
        return None
    run = _Run(source, index, dialect, sieve, tuple(dict.fromkeys(columns)), work)
    return run.results(progress, cancel)


def _sparse(reader: Reader, index: RowIndex, texts: tuple[bytes, ...]) -> bool:
    """Whether few granules hold one of some texts, as far as samples tell."""
    count = index.granule_count
    numbers = {int(count * (sample * _SPREAD % 1)) for sample in range(_SAMPLES)} if count else set()
    sampled = (reader.read(*_extent(index.granule(number).span)) for number in numbers)
    holding = sum(any(text in data for text in texts) for data in sampled)
    return holding <= _SAMPLES_HOLDING_MAX


class _Run(Generic[T]):
    """One pass."""

    def __init__(
        self,
        source: Source,
        index: RowIndex,
        dialect: Dialect,
        sieve: Sieve,
        columns: tuple[int, ...],
        work: Callable[[Rows], T],
    ) -> None:
        self._source = source
        self._index = index
        self._sieve = sieve
        self._columns = columns
        self._work = work
        self._begin = data_start(source.reader, dialect)
        self._header = int(dialect.header)
        self._window = CsvWindow(source.reader, dialect, index.granule_bytes)
        # The granule in the window, and the last one that was split: those ahead of it were, or need not be.
        self._held = self._split = -1

    def results(self, progress: Progress | None, cancel: Cancel | None) -> Iterator[T]:
        """Yields the results in file order."""
        reader, index = self._source.reader, self._index
        span = Span(self._begin, reader.size)
        hits = first_in_stretches(
            reader, self._sieve.texts, span, index.granule_stop, progress=progress, cancel=cancel
        )
        for hit in hits:
            granule = index.granule_at(hit)
            if self._reached(granule, hit):
                yield from self._rows(index.origin(granule))
            yield from self._rows(granule)

    def _reached(self, granule: Granule, offset: int) -> bool:
        """Whether the row at an offset in a granule started in an earlier one."""
        span, begun = self._known(granule)
        if begun.state == START:
            return False
        first_end = self._read(granule).first_end
        return first_end < 0 or offset <= span.start + first_end

    def _rows(self, granule: Granule) -> Iterator[T]:
        """Yields what the work makes of the rows that start in a granule, unless it has yet."""
        if granule.number > self._split:
            self._split = granule.number
            self._read(granule)
            yield from map(self._work, self._window.rows(self._known(granule)[1], self._columns, self._sieve))

    def _known(self, granule: Granule) -> tuple[Span, Begun]:
        """The bytes of a granule in which data rows can start, and how they begin."""
        span = granule.span
        if span.start <= self._begin:
            return Span(self._begin, span.stop), Begun(START, 0)
        return span, Begun(granule.state, granule.rows - self._header)

    def _read(self, granule: Granule) -> Outcome:
        """Reads a granule into the window, unless it is there; tells what it does to the state it begins in.

        Raises:
            StaleError: the index knows it otherwise.
        """
        span, begun = self._known(granule)
        if granule.number != self._held:
            self._window.read(span)
            self._held = granule.number
        outcome = self._window.table[begun.state]
        rows = begun.rows + outcome.rows + self._header
        if (outcome.state, rows) != (granule.left, granule.rows + granule.ends):
            raise StaleError(
                f"Between the bytes {span.start} and {span.stop}, {self._source.path} does not hold the rows "
                "that its index knows: somebody else changed it; nothing was changed.",
                hint="Try again. If that does not help, remove the index: rows.index of the file in .insitu.",
                path=self._source.path,
            )
        return outcome


def _extent(span: Span) -> tuple[int, int]:
    return span.start, span.size
