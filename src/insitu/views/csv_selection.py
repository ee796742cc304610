"""Rows of a CSV file chosen by a condition: counted, or handed out as the bytes they are written in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from insitu.core.protocols import Cancel, Progress
from insitu.core.spans import Span
from insitu.formats.condition_batch import Batch
from insitu.formats.conditions import Condition, column_index
from insitu.formats.csv_scan import Rows, split_rows
from insitu.formats.csv_sieve import Sieve
from insitu.views.csv_indexed import indexed_rows
from insitu.views.csv_pair import Beside, RowWork, beside, scan_paired
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_window import data_start, row_end
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.cells import Column
    from insitu.formats.csv_dialect import Dialect

T = TypeVar("T")

# In less, rows that are only looked at are found by threads before another process has started. Measured
# with a condition that one row in ten fulfils: even at 120 MB, 4.5 s against 7 on 2 GB.
PAIR_FROM_BYTES: Final = 512 << 20

# A header is split for so many columns at first, and for twice as many until it has no more.
_WIDTH_FIRST = 64


class Matches(NamedTuple):
    """Rows that a condition is true of, in file order."""

    numbers: Column
    """Their indexes among the data rows of the file, from 0."""
    starts: Column
    stops: Column
    """Where they are in the file, line ends included."""
    data: bytes
    """What is written there, one row behind the other."""

    def behind(self, rows: int) -> Matches:
        """The same with so many more data rows before them."""
        return self._replace(numbers=self.numbers + rows)


@dataclass(frozen=True, slots=True)
class Selection:
    """A condition bound to the columns of one file.

    Args:
        header: the names of the file's columns.
        condition: None: every row.
        encoding: the codec of its text.
    """

    header: tuple[str, ...]
    condition: Condition | None
    encoding: str
    columns: tuple[int, ...]
    """Indexes of the columns that the condition looks at."""
    sieve: Sieve | None
    """What lets all rows through that the condition is true of; None: it would not pay."""

    @classmethod
    def of(
        cls, source: Source, dialect: Dialect, where: str | None, *, null_empty: bool = False
    ) -> Selection:
        """Binds a condition to a file.

        Raises:
            ConditionError: it does not parse, or does not fit the columns.
        """
        dialect.check_encoding(source.text.name)
        condition = None if where is None else Condition.parse(where, null_empty=null_empty)
        header = header_of(source, dialect)
        columns = () if condition is None else condition.bind(header)
        required = None if condition is None else condition.required_texts
        sieve = Sieve.of(required, dialect, source.text.name)
        return cls(header, condition, source.text.name, columns, sieve)

    def indices(self, names: Iterable[str]) -> tuple[int, ...]:
        """The indexes of columns by name. Raises ConditionError as ``Condition.bind``."""
        return tuple(column_index(name, self.header) for name in names)

    def scan(
        self,
        source: Source,
        dialect: Dialect,
        columns: Iterable[int],
        work: Callable[[Rows], T],
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Iterator[T]:
        """Calls ``work`` with all rows that can be ``chosen``; see ``scan_rows``.

        Args:
            columns: those whose cells are wanted besides what the condition looks at.
        """
        wanted = (*self.columns, *columns)
        return scan_rows(source, dialect, wanted, work, sieve=self.sieve, progress=progress, cancel=cancel)

    def scan_beside(
        self,
        other: Beside,
        source: Source,
        dialect: Dialect,
        columns: Iterable[int],
        work: Callable[[Rows], T],
        progress: Progress | None,
        cancel: Cancel | None,
        numbered: Callable[[T, int], T] | None = None,
    ) -> Iterator[T]:
        """As ``scan``, with a companion if one pays.

        Args:
            other: from ``csv_pair.beside``.
            work: as in ``csv_pair.RowWork``; can be pickled.
            numbered: as in ``csv_pair.scan_paired``.
        """
        wanted = tuple(dict.fromkeys((*self.columns, *columns)))
        passed = indexed_rows(source, dialect, wanted, work, self.sieve, progress, cancel)
        if passed is not None:
            return passed
        reader = source.reader
        start = data_start(reader, dialect)
        companion = other.companion()
        if companion is None:
            return scan_rows(
                source, dialect, wanted, work, start=start, sieve=self.sieve, progress=progress, cancel=cancel
            )
        row_work = RowWork(dialect, wanted, self.sieve, work)
        return scan_paired(reader, companion, row_work, Span(start, reader.size), progress, cancel, numbered)

    def chosen(self, rows: Rows) -> Column:
        """Which of these rows the condition is true of."""
        import numpy as np

        if self.condition is None:
            return np.arange(len(rows))
        named = zip(self.condition.columns, self.columns, strict=True)
        cells = {name: rows.cells[column] for name, column in named}
        return np.flatnonzero(self.condition.evaluate(cells, self.encoding))


def header_of(source: Source, dialect: Dialect) -> tuple[str, ...]:
    """The names of a file's columns; ``c1``, ``c2``, ... as many as its first row has where it names none."""
    import numpy as np

    start = len(dialect.bom)
    if start >= source.reader.size:
        return ()
    stop = row_end(source.reader, dialect, start)
    data = np.frombuffer(source.reader.read(start, stop - start), np.uint8)
    width = _WIDTH_FIRST
    while True:
        cells = split_rows(data, dialect, range(width), start).cells
        width = next((at for at, cell in cells.items() if cell.missing is not None and cell.missing[0]), -1)
        if width >= 0:
            break
        width = 2 * len(cells)
    if not dialect.header:
        return tuple(f"c{index + 1}" for index in range(width))
    named = {str(index): cells[index] for index in range(width)}
    batch, first = Batch(named, source.text.name, False), np.zeros(1, np.int64)
    return tuple(batch.texts(name, first).raw(0).decode("utf-8", "surrogateescape") for name in named)


def matching(
    source: Source,
    dialect: Dialect,
    where: str | None = None,
    *,
    null_empty: bool = False,
    limit: int | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Matches]:
    """Yields the rows that a condition is true of, batch by batch, in file order.

    Args:
        where: a condition (see ``Condition``); None: every row.
        null_empty: whether empty cells are NULL.
        limit: how many rows at most; None: all.

    Raises:
        ConditionError: it does not parse, or does not fit the columns.
        FormatError: the file is not written in that dialect.

    Cost: one read, up to the last row wanted; memory for some windows.
    """
    if limit is not None:
        yield from _first(limit, source, dialect, where, null_empty, progress, cancel)
        return
    with _beside(source, dialect, where) as other:
        selection = Selection.of(source, dialect, where, null_empty=null_empty)
        work = _Writing(selection)
        passed = selection.scan_beside(
            other, source, dialect, (), work, progress, cancel, numbered=Matches.behind
        )
        for matches in passed:
            if len(matches.numbers):
                yield matches


def count(
    source: Source,
    dialect: Dialect,
    where: str | None = None,
    *,
    null_empty: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> int:
    """How many data rows a condition is true of. Arguments, errors and cost as ``matching``."""
    with _beside(source, dialect, where) as other:
        selection = Selection.of(source, dialect, where, null_empty=null_empty)
        work = _Counting(selection)
        return sum(selection.scan_beside(other, source, dialect, (), work, progress, cancel))


def _beside(source: Source, dialect: Dialect, where: str | None) -> AbstractContextManager[Beside]:
    """A companion for rows that are only looked at; none where all are wanted, which takes little work."""
    return beside(source, dialect, __name__, least_bytes=math.inf if where is None else PAIR_FROM_BYTES)


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts the chosen rows."""

    selection: Selection

    def __call__(self, rows: Rows) -> int:
        return len(self.selection.chosen(rows))


@dataclass(frozen=True, slots=True)
class _Writing:
    """Hands the chosen rows out with the bytes they are written in."""

    selection: Selection

    def __call__(self, rows: Rows) -> Matches:
        chosen = self.selection.chosen(rows)
        starts, stops = rows.starts[chosen], rows.ends[chosen]
        view = rows.data.data
        runs = merged(starts, stops)
        data = b"".join(view[start:stop] for start, stop in zip(*(run.tolist() for run in runs), strict=True))
        return Matches(rows.in_file(chosen), starts + rows.offset, stops + rows.offset, data)


def _first(
    limit: int,
    source: Source,
    dialect: Dialect,
    where: str | None,
    null_empty: bool,
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[Matches]:
    """As ``matching``, up to so many rows: most often they are found before another process has started."""
    left = limit
    if left <= 0:
        return
    selection = Selection.of(source, dialect, where, null_empty=null_empty)
    for matches in selection.scan(source, dialect, (), _Writing(selection), progress, cancel):
        if len(matches.numbers) >= left:
            size = int((matches.stops - matches.starts)[:left].sum())
            numbers, starts, stops, data = matches
            yield Matches(numbers[:left], starts[:left], stops[:left], data[:size])
            return
        left -= len(matches.numbers)
        if len(matches.numbers):
            yield matches


def merged(starts: Column, stops: Column) -> tuple[Column, Column]:
    """Sorted spans with those put together that touch."""
    import numpy as np

    if not len(starts):
        return starts, stops
    apart = np.flatnonzero(starts[1:] != stops[:-1])
    return starts[np.append(0, apart + 1)], stops[np.append(apart, len(stops) - 1)]
