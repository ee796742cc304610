"""A window of a CSV file: read into a reused buffer, and split into the rows that start in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from insitu.core.protocols import Reader
from insitu.core.spans import Span
from insitu.formats.csv_bits import WORD_BITS
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_faults import misplaced, too_long, unclosed
from insitu.formats.csv_scan import Rows, calm_rows, split_rows
from insitu.formats.csv_sieve import Sieve
from insitu.formats.csv_specials import LazyTable, Split, specials
from insitu.formats.csv_states import ESCAPED_QUOTED, QUOTED, START

if TYPE_CHECKING:
    from insitu.formats.cells import Bytes

# A row is held in memory as a whole, by one thread each. Counting and indexing know no such limit.
ROW_MAX_BYTES: Final = 8 << 20

# Behind a window the rest of its last row is looked for in steps of this, as long as what was read.
_STEP_BYTES: Final = 2 << 10
_STEP_BYTES_MAX: Final = 256 << 10

# Room behind a window for the rest of most rows.
_SPARE_BYTES: Final = 64 << 10


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
        self.table = LazyTable(_array(self._buffer, 0, 0), dialect, -1)

    def read(self, span: Span) -> None:
        """Reads a window and makes its table."""
        size = min(span.stop + 1, self._reader.size) - span.start
        self._reader.read_into(span.start, memoryview(self._buffer)[:size])
        following = self._buffer[span.size] if size > span.size else -1
        self._span = span
        self.table = LazyTable(_array(self._buffer, 0, span.size), self._dialect, following)

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
