"""A window of a CSV file: read into a reused buffer, and split into the rows that start in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.formats.csv_bits import first_bit_from
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_faults import misplaced, too_long, unclosed
from insitu.formats.csv_scan import Rows, calm_rows, split_rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_specials import LazyTable, specials
from insitu.formats.csv_states import ESCAPED_QUOTED, QUOTED, START

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

# A row is held in memory as a whole, by one thread each. Counting and indexing know no such limit.
ROW_MAX_BYTES: Final = 8 << 20

# Behind a window the rest of its last row is looked for in steps of this, as long as what was read.
_STEP_BYTES: Final = 2 << 10
_STEP_BYTES_MAX: Final = 256 << 10

# So much behind a window, at least a byte, is read with it, since the rest of most rows is there.
_SPARE_BYTES: Final = 4 << 10


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


class Begun(NamedTuple):
    """How a window begins: in which state, behind how many line ends of rows."""

    state: int
    rows: int


class CsvWindow:
    """A window of the file in a reused buffer, with what its last row has behind it."""

    def __init__(self, reader: Reader, dialect: Dialect, window_bytes: int) -> None:
        self._reader = reader
        self._dialect = dialect
        self._buffer = bytearray(window_bytes + _SPARE_BYTES)
        self._span = Span(0, 0)
        self._read_bytes = 0
        self.table = LazyTable(_array(self._buffer, 0, 0), dialect, -1)

    def read(self, span: Span) -> None:
        """Reads a window and makes its table."""
        size = min(span.size + _SPARE_BYTES, self._reader.size - span.start)
        self._reader.read_into(span.start, memoryview(self._buffer)[:size])
        following = -1
        if span.start + size < self._reader.size:
            size -= 1
            following = self._buffer[size]
        self._span, self._read_bytes = span, size
        self.table = LazyTable(_array(self._buffer, 0, size), self._dialect, following, span.size)

    def rows(self, begun: Begun, columns: tuple[int, ...], sieve: Sieve | None) -> Iterator[Rows]:
        """Yields the rows that start in the window, as far as they are let through."""
        span, dialect = self._span, self._dialect
        outcome = self.table[begun.state]
        first, row = 0, begun.rows
        if begun.state != START:
            first, row = outcome.first_end + 1, row + 1
            if not 0 < first < span.size:
                return
        stop = span.stop
        known = self.table.specials
        found = None if known is None else known.split(begun.state)
        # Behind a fault nothing is known; splitting will say where it is.
        if outcome.state != START and outcome.fault < 0:
            end = -1 if found is None else first_bit_from(found.row_ends, span.size)
            stop = span.start + end + 1 if end >= 0 else self._end(outcome.state, first, row)
        data = _array(self._extended(stop), 0, stop - span.start)
        if found is not None and len(data) > self._read_bytes:
            longer = specials(data, dialect, -1, delimiters=True)
            found = None if longer is None else longer.split(begun.state)
        if found is None:
            yield split_rows(data[first:], dialect, columns, span.start + first, row)
        else:
            found = found.within(first, len(data))
            yield from calm_rows(data, dialect, columns, found, first, span.start, row, sieve)

    def _end(self, state: int, first: int, row: int) -> int:
        """Where the window's last row stops, which is in a state at its end.

        Args:
            first: where the first row starts, and its number; for messages.
        """
        inside, stop = _array(self._buffer, first, self._span.size), self._span.stop

        def last() -> tuple[int, int]:
            starts = split_rows(inside, replace(self._dialect, lenient=True), ()).starts
            return row + len(starts) - 1, self._span.start + first + int(starts[-1])

        return _end_from(self._reader, self._dialect, stop, state, last)

    def _extended(self, stop: int) -> bytearray:
        """The window and what follows it up to an offset."""
        start, size = self._span.start, self._read_bytes
        buffer = self._buffer
        if stop - start > size:
            buffer = bytearray(stop - start)
            buffer[:size] = memoryview(self._buffer)[:size]
            self._reader.read_into(start + size, memoryview(buffer)[size:])
        return buffer


def _array(buffer: bytearray, start: int, stop: int) -> Bytes:
    import numpy as np

    return np.frombuffer(buffer, np.uint8, stop - start, start)


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
