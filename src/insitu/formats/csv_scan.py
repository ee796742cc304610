"""Rows of CSV as columns of offsets: exact splitting of a buffer of whole rows, without a loop per row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from insitu.formats.cells import Cells
from insitu.formats.csv_bits import WORD_BITS, bits, count, first_bit, places
from insitu.formats.csv_dialect import CR, LF, Dialect
from insitu.formats.csv_faults import misplaced
from insitu.formats.csv_quotes import marks, states_around
from insitu.formats.csv_ranks import Ranked
from insitu.formats.csv_states import START

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes, Column, Mask
    from insitu.formats.csv_sieve import Sieve
    from insitu.formats.csv_specials import Split


# Rows are handed out in batches of so many separators: half a MiB for a column of offsets, however short
# cells are.
_BATCH_SEPARATORS: Final = 1 << 16

# Rows that a sieve holds back none of are so many at once: a column of offsets is half a MiB for them, too.
# Rows so short that there are more in a window are split batch by batch.
_HELD_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Whole rows of a file, in order; all columns are as long as there are rows.

    Unless some were held back (``counted``), they tile the data: ``starts[0] == 0`` and ``starts[i + 1] ==
    ends[i]``.
    """

    data: Bytes
    """Their bytes; valid during the call they are handed to, and no longer."""
    offset: int
    """Where ``data[0]`` is in the file."""
    first: int
    """Index, among the data rows of the file, of the first row, or of that from which ``counted`` counts."""
    starts: Column
    stops: Column
    """Where rows stop, the line end excluded, in ``data``."""
    ends: Column
    """Where rows stop, the line end included."""
    cells: dict[int, Cells]
    """Of the columns that were asked for, by index."""
    counted: Callable[[Column], Column] | None = None
    """Counts how many rows there are ahead of places in ``data`` where rows start; None: none is left out."""

    def __len__(self) -> int:
        return len(self.starts)

    def in_file(self, rows: Column) -> Column:
        """The indexes of some of these among the data rows of the file."""
        return self.first + (rows if self.counted is None else self.counted(self.starts[rows]))


def split_rows(
    data: Bytes, dialect: Dialect, columns: Iterable[int], offset: int = 0, first: int = 0
) -> Rows:
    """Splits whole rows; only the last one, at the end of the file, may lack its line end.

    Args:
        columns: indexes of the columns whose cells are wanted.
        offset: where the data is in the file.
        first: index of the first row.

    Raises:
        FormatError: the dialect is strict, and a quote or text is where none may be.

    Cost: some passes over the data, and some tens of bytes of memory for each delimiter and line end.
    """
    wanted = tuple(columns)
    separators, closed, fault = _separated(data, dialect, bool(wanted))
    return rows_between(
        data, dialect, wanted, separators, data[separators], offset, first, closed=closed, fault=fault
    )


def rows_between(
    data: Bytes,
    dialect: Dialect,
    wanted: tuple[int, ...],
    separators: Column,
    kinds: Bytes,
    offset: int,
    first: int,
    *,
    closed: Mask | None = None,
    fault: int = -1,
) -> Rows:
    """The rows and cells that separators make; see ``split_rows``.

    Args:
        separators: where line ends outside quotes are, and delimiters if columns are wanted.
        kinds: the bytes there.
        closed: which quotes close cells; None: every one at a cell's end.
        fault: where the first byte is that a strict dialect does not allow; -1 for none.
    """
    import numpy as np

    size = len(data)
    # Without delimiters every separator ends a row.
    last = np.flatnonzero(kinds != dialect.delimiter[0])
    ended = len(last) > 0 and separators[last[-1]] == size - 1
    if not ended and size:
        # The end of the file ends the last row.
        separators = np.append(separators, size)
        last = np.append(last, len(separators) - 1)
    ends = separators[last] + 1
    if not ended and size:
        ends[-1] = size
    starts = np.zeros(len(ends), np.int64)
    starts[1:] = ends[:-1]
    stops = _stops(data, dialect, starts, ends, ended)
    if fault >= 0:
        row = int(np.searchsorted(ends, fault, "right"))
        raise misplaced(first + row, offset + int(starts[row]), offset + fault)
    second = np.zeros(len(last), np.int64)
    second[1:] = last[:-1] + 1

    def behind(number: int) -> Column:
        return separators[np.minimum(second + number, last)]

    cells = _cells(data, dialect, wanted, behind, starts, stops, separators[last], closed)
    return Rows(data, offset, first, starts, stops, ends, cells)


def calm_rows(
    data: Bytes,
    dialect: Dialect,
    wanted: tuple[int, ...],
    found: Split,
    begin: int,
    offset: int,
    first: int,
    sieve: Sieve | None,
) -> Iterator[Rows]:
    """Yields the rows of data whose separators are known, in batches of some ten thousand separators.

    Args:
        found: what separates them, and nothing ahead of ``begin``, where the first row starts.
        offset: where the data is in the file.
        first: index of the first row.
        sieve: what rows are let through; None: all.
    """
    import numpy as np

    if sieve is not None:
        held = sieve.places(data, found, begin, min(count(found.row_ends) // 2, _HELD_MAX))
        if held is not None:
            if len(held):
                yield _sifted(data, dialect, wanted, found, begin, offset, first, held)
            return
    for start, stop in pairwise((begin, *_cuts(found), len(data))):
        if start < stop:
            words = slice(start // WORD_BITS, -(-stop // WORD_BITS))
            listed = places((found.separators if wanted else found.row_ends)[words]) + words.start * WORD_BITS
            listed = listed[slice(*np.searchsorted(listed, (start, stop)))]
            part = data[start:stop]
            rows = rows_between(part, dialect, wanted, listed - start, data[listed], offset + start, first)
            yield rows
            first += len(rows)


def _cuts(found: Split) -> list[int]:
    """Where batches of rows end, the last one left out."""
    import numpy as np

    before = np.cumsum(np.bitwise_count(found.separators), dtype=np.int64)
    wanted = np.searchsorted(before, np.arange(_BATCH_SEPARATORS, int(before[-1]), _BATCH_SEPARATORS))
    cuts: dict[int, None] = {}
    for word in wanted.tolist():
        end = first_bit(found.row_ends[word:])
        if end >= 0:
            cuts[word * WORD_BITS + end + 1] = None
    return list(cuts)


def _sifted(
    data: Bytes,
    dialect: Dialect,
    wanted: tuple[int, ...],
    found: Split,
    begin: int,
    offset: int,
    first: int,
    held: Column,
) -> Rows:
    """As ``calm_rows``, only the rows that hold some places: at least one, ascending."""
    import numpy as np

    row_ends, separators = Ranked(found.row_ends), Ranked(found.separators)
    starts = np.maximum(row_ends.behind_last(held), begin)
    first_held = np.flatnonzero(np.diff(starts, prepend=-1))
    held, starts = held[first_held], starts[first_held]
    last = row_ends.next_places(held)
    ended = bool(last[-1] < len(data))
    ends = last + 1
    if not ended:
        last[-1] = ends[-1] = len(data)
    stops = _stops(data, dialect, starts, ends, ended)
    numbers = {number for column in wanted for number in (column, column - 1) if number >= 0}
    between = separators.following(starts, numbers)
    cells = _cells(data, dialect, wanted, between.__getitem__, starts, stops, last, None)
    return Rows(data, offset, first, starts, stops, ends, cells, row_ends.numbers)


def _separated(data: Bytes, dialect: Dialect, delimiters: bool) -> tuple[Column, Mask | None, int]:
    """Where line ends (and delimiters) outside quotes are; which quotes close cells; the first fault.

    Returns:
        For the second: None where every quote at a cell's end closes it. For the third: -1 for none.
    """
    import numpy as np

    if not len(data):
        return np.zeros(0, np.int64), None, -1
    found = bits(data, dialect, START, -1, delimiters=delimiters)
    fault = -1 if dialect.lenient else found.faults()[0]
    if found.escaped is None and not found.strays(False).any():
        wanted = found.ends | found.delimiters if delimiters else found.ends
        return places(wanted & found.outside(False)), None, fault
    general = marks(data, dialect, START, -1, delimiters=delimiters)
    if general.runs is None:
        return general.separators, None, fault
    closed = np.zeros(len(data), np.bool_)
    before, after = states_around(general.runs, False)
    closed[general.runs.lasts[~after & (before | general.runs.opening)]] = True
    return general.outside(False), closed, fault


def _stops(data: Bytes, dialect: Dialect, starts: Column, ends: Column, ended: bool) -> Column:
    """Where rows stop, their line ends left out."""
    import numpy as np

    if not len(ends):
        return ends
    stops: Column = ends - 1
    if not ended:
        stops[-1] = ends[-1]
    if dialect.newline == "\r":
        return stops
    # A CR before an LF belongs to the line end. Row 0 of one byte has none before it.
    before = data[np.maximum(stops - 1, 0)] == CR
    before &= (stops > starts) & (data[np.minimum(stops, len(data) - 1)] == LF)
    if not ended:
        before[-1] = False
    stops -= before
    return stops


def _cells(
    data: Bytes,
    dialect: Dialect,
    wanted: tuple[int, ...],
    behind: Callable[[int], Column],
    starts: Column,
    stops: Column,
    last: Column,
    closed: Mask | None,
) -> dict[int, Cells]:
    """The cells of columns.

    Args:
        behind: where what separates the cell of a number from the next one is in each row; the row's last
            separator, or anything behind it, where there is no such cell.
        last: where the last separator of each row is, which ends it.
        closed: which quotes close cells; None: all at a cell's end do.
    """
    import numpy as np

    if not len(starts):
        empty = np.zeros(0, np.int64)
        return {column: _made(data, dialect, empty, empty, None, None) for column in wanted}
    cells = {}
    for column in wanted:
        missing: Mask | None = None
        low = starts
        if column:
            before = behind(column - 1)
            low = before + 1
            missing = before >= last
        high = behind(column)
        high = np.where(high >= last, stops, high)
        if missing is not None and missing.any():
            low, high = np.where(missing, stops, low), np.where(missing, stops, high)
        else:
            missing = None
        cells[column] = _made(data, dialect, low, high, _quoted(data, dialect, low, high, closed), missing)
    return cells


def _made(
    data: Bytes, dialect: Dialect, low: Column, high: Column, quoted: Mask | None, missing: Mask | None
) -> Cells:
    if quoted is not None:
        low, high = low + quoted, high - quoted
    return Cells(data, low, high, quoted, missing, "csv", dialect.quote or b'"', dialect.escape)


def _quoted(data: Bytes, dialect: Dialect, low: Column, high: Column, closed: Mask | None) -> Mask | None:
    """Which cells stand in quotes; None for none."""
    import numpy as np

    if dialect.quote is None:
        return None
    quote = dialect.quote[0]
    quoted: Mask = (high - low >= 2) & (data[np.minimum(low, len(data) - 1)] == quote)
    if not quoted.any():
        return None
    quoted &= (data[high - 1] == quote) if closed is None else closed[high - 1]
    return quoted


def row_widths(sample: bytes, dialect: Dialect) -> Column:
    """How many cells each row has; 0 for a blank line.

    Args:
        sample: rows from a row's start on; the last may be cut, and is left out if others are there.

    Raises:
        FormatError: as ``split_rows``.
    """
    import numpy as np

    data = np.frombuffer(sample, np.uint8)
    separators, _closed, fault = _separated(data, dialect, True)
    if fault >= 0:
        raise misplaced(0, 0, fault)
    last = np.flatnonzero(data[separators] != dialect.delimiter[0])
    if not len(last):
        return np.array([len(separators) + 1], np.int64)
    ends = separators[last]
    widths = np.diff(last, prepend=-1)
    starts = np.concatenate(([0], ends[:-1] + 1))
    blank = (ends - starts == 0) | ((ends - starts == 1) & (data[starts] == CR))
    widths[blank] = 0
    return widths


def first_rows(sample: bytes, dialect: Dialect, count: int) -> list[bytes]:
    """The bytes of the first rows of a sample; one cut at its end is left out, if others are there."""
    import numpy as np

    data = np.frombuffer(sample, np.uint8)
    separators, _closed, _fault = _separated(data, dialect, False)
    bounds = [0, *(separators[:count] + 1).tolist()]
    if len(bounds) == 1:
        return [sample]
    return [sample[low:high] for low, high in pairwise(bounds)]
