"""The current content as rows of cells, each read and written by itself.

    table = doc.csv()
    table[9_999_999]["status"]              # rows are counted from 0, behind the header
    table.set(7, "status", "done")          # only the bytes of that cell change
    table[8] = {"status": "done", "note": "x, y"}
    table.append({"id": "9", "status": "new"})
    del table[0]

A cell is a ``str``, and every byte survives: what the encoding cannot decode travels as surrogate escapes,
and a cell or row assigned to itself is no edit. What delimits cells and ends rows, and how new text is
written, are the rules of ``insitu.formats.csv_dialect`` and ``insitu.formats.csv_cells``.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Final, Protocol, SupportsIndex, overload

from insitu.core.protocols import Cancel, Progress
from insitu.core.sequence import Change
from insitu.core.spans import Span
from insitu.engine.row_index import RowIndex
from insitu.errors import RequestError, SpanError
from insitu.formats.csv_cells import WrittenRow, decoded, new_row, parse_row, rendered
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_faults import too_long
from insitu.formats.csv_keys import matching_cells
from insitu.formats.csv_scan import Rows
from insitu.formats.csv_sieve import Sieve
from insitu.views.csv_places import Indexed, RowPlaces
from insitu.views.csv_row import Row, column_at, short_row
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_selection import header_of
from insitu.views.csv_sniffing import Given, Sniffed, sniffed
from insitu.views.csv_window import ROW_MAX_BYTES
from insitu.views.streaming import Source
from insitu.views.text import Encoding

Values = Mapping[str, str] | Sequence[str]

# Rows are read ahead in windows of this when many are wanted.
_AHEAD_BYTES: Final = 256 << 10


class Tabled(Indexed, Protocol):
    """What rows need of their document."""

    @property
    def path(self) -> str:
        """The file's path."""
        ...

    @property
    def text(self) -> Encoding:
        """The codec of its text."""
        ...

    @property
    def changed(self) -> bool:
        """Whether anything is pending."""
        ...

    def replace_span(self, span: Span, data: bytes) -> None:
        """Replaces a span of the current content, as one pending edit."""
        ...

    def replace_spans(self, edits: Iterable[tuple[Span, bytes]]) -> None:
        """Makes sorted, disjoint replacements as one pending edit."""
        ...


class CsvRows:
    """The rows of a document, pending edits included; a row's index is counted from 0 behind the header.

    Args:
        document: whose rows.
        delimiter, quote, escape: one character each; ``quote=""``: cells are never quoted, ``escape=""``:
            nothing is escaped. None: as a sample of at most 1 MiB seems.
        header: whether the first row names the columns; None: as it seems.
        lenient: whether misplaced quotes are text; else they are errors. None: where the sample has some.
        newline: ``"\\n"``: LF and CR LF end rows, ``"\\r"``: CR, ``"any"``: all three; None: as it seems.

    Raises:
        RequestError: the encoding is UTF-16 or another in which bytes cannot be told apart, or an argument
            cannot be part of a dialect.
        SpanError: from any call: there is no such row. It is an ``IndexError``.
        ConditionError: from any call: there is no such column, or several.
        FormatError: from any call: a quote is never closed, or one is misplaced and the dialect strict; from
            cells: the row is too short to have it.
        AmbiguousError: from edits: the dialect was guessed and could be another one.
        TextError: from edits: the encoding or the dialect cannot hold a value.
    Cost: the first question about a row far into the file, or about their number, makes the index: one
        read of the base, which is kept beside files of 4 MiB and more. From then on a row is one look-up,
        which reads at most 256 KiB, and one read of the row; an edit costs the same. After edits made past
        this view, or undone, the next question looks at the surroundings of all pending ones again.
        Memory: 9 bytes for 256 KiB of the file, and the rows asked for (of at most 8 MiB each).
    """

    def __init__(
        self,
        document: Tabled,
        *,
        delimiter: str | None = None,
        quote: str | None = None,
        escape: str | None = None,
        header: bool | None = None,
        lenient: bool | None = None,
        newline: str | None = None,
    ) -> None:
        self._document = document
        self._given = Given(delimiter, quote, escape, header, lenient, newline)
        self._sniffed: Sniffed = sniffed(self.source, self._given)
        self._places = RowPlaces(document, self.dialect)
        # With what was pending when it was read: a list of its own after every edit.
        self._header: tuple[list[Change], tuple[str, ...]] | None = None

    @property
    def dialect(self) -> Dialect:
        """How the file is written."""
        return self._sniffed.dialect

    @property
    def doubts(self) -> tuple[str, ...]:
        """What about the dialect is a guess that could be wrong, a sentence each; edits are refused then."""
        return self._sniffed.doubts

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns; ``c1``, ``c2``, ... where the file names none."""
        changes = self._document.sequence.changes()
        if self._header is None or self._header[0] is not changes:
            self._header = changes, header_of(self.source, self.dialect)
        return self._header[1]

    @property
    def source(self) -> Source:
        """What conditions and mass edits of the current content read, and the index of its rows if kept."""
        return Source(self._document, self._document.text, self._document.path, self._kept_rows)

    @property
    def _whole(self) -> Source:
        """As ``source``, for a pass while nothing changes: of the file itself where nothing is pending."""
        document = self._document
        return self.source._replace(reader=document if document.changed else document.base)

    def index(self, progress: Progress | None = None, cancel: Cancel | None = None) -> RowIndex:
        """The index of the rows, the header included; made if it is not there yet."""
        return self._places.index(progress, cancel)

    def __len__(self) -> int:
        return max(0, self.index().row_count - self.dialect.header)

    def __iter__(self) -> Iterator[Row]:
        return self._rows(0)

    @overload
    def __getitem__(self, key: SupportsIndex) -> Row: ...
    @overload
    def __getitem__(self, key: slice) -> list[Row]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Row | list[Row]:
        if not isinstance(key, slice):
            number = self._number(key)
            return self._row(number, self._written(self.span_of_row(number), number), self.header)
        numbers = range(len(self))[key]
        if not numbers:
            return []
        low, high = sorted((numbers[0], numbers[-1]))
        rows = list(islice(self._rows(low), 0, high - low + 1, abs(numbers.step)))
        return rows if numbers.step > 0 else rows[::-1]

    def cell(self, row: SupportsIndex, column: str | int) -> str:
        """The text of one cell."""
        return self[row][column]

    def span_of_row(self, row: SupportsIndex) -> Span:
        """The bytes of a row of the current content, its line end included."""
        return self.index().span_of(self._number(row) + self.dialect.header)

    def span_of_cell(self, row: SupportsIndex, column: str | int) -> Span:
        """The bytes of a cell of the current content, its quotes included."""
        number = self._number(row)
        span = self.span_of_row(number)
        written = self._written(span, number)
        cell = written.cells[self._column(number, written, column)]
        return Span(span.start + cell.start, span.start + cell.stop)

    def where_key(
        self,
        column: str | int,
        value: str,
        *,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
    ) -> Iterator[Row]:
        """Yields the rows whose cell of a column has this text, in file order, lazily.

        Cost: one read up to the last row that is taken, on every core; needs no index.
        """
        header = self.header
        at = column_at(column, header, 0)
        wanted, dialect = self._document.text.encode(value), self.dialect

        def work(rows: Rows) -> list[tuple[int, bytes]]:
            found = matching_cells(rows.cells[at], wanted)
            spans = zip(rows.starts[found].tolist(), rows.ends[found].tolist(), strict=True)
            texts = (rows.data[start:end].tobytes() for start, end in spans)
            return list(zip(rows.in_file(found).tolist(), texts, strict=True))

        sieve = Sieve.of((value.encode("utf-8", "surrogateescape"),), dialect, self._document.text.name)
        passed = scan_rows(self.source, dialect, (at,), work, sieve=sieve, progress=progress, cancel=cancel)
        for found in passed:
            for number, data in found:
                yield self._row(number, parse_row(data, dialect), header)

    # Editing

    def set(self, row: SupportsIndex, column: str | int, value: str) -> None:
        """Sets one cell; its own quotes are kept, and added only where the new text needs them."""
        self._check_certain()
        number = self._number(row)
        span = self.span_of_row(number)
        written = self._written(span, number)
        at = self._column(number, written, column)
        self._assign(span, written, {at: self._document.text.encode(value)})

    def __setitem__(self, key: SupportsIndex | slice, values: Values) -> None:
        if isinstance(key, slice):
            raise RequestError(
                "Rows are assigned one by one; nothing was changed.",
                hint="Delete the slice and insert, or assign each row.",
            )
        self._check_certain()
        number = self._number(key)
        span = self.span_of_row(number)
        written = self._written(span, number)
        self._assign(span, written, self._listed(values, written))

    def __delitem__(self, key: SupportsIndex | slice) -> None:
        self._check_certain()
        if not isinstance(key, slice):
            self._replace(self.span_of_row(key), b"")
            return
        numbers = range(len(self))[key]
        if not numbers:
            return
        low, high = sorted((numbers[0], numbers[-1]))
        if abs(numbers.step) == 1:
            self._replace(Span(self.span_of_row(low).start, self.span_of_row(high).stop), b"")
        else:
            self._document.replace_spans((self.span_of_row(number), b"") for number in sorted(numbers))

    def insert(self, index: SupportsIndex, row: Values) -> None:
        """Inserts a row before another one; past the last row it appends, as lists do.

        Args:
            row: texts by column name, an empty cell for each column left out; or all texts in order.
        """
        number = operator.index(index)
        count = len(self)
        self._put(max(0, number + count) if number < 0 else min(number, count), [row])

    def append(self, row: Values) -> None:
        """Appends a row; as ``insert``. An unterminated last row is ended first."""
        self._put(len(self), [row])

    def extend(self, rows: Iterable[Values]) -> None:
        """Appends rows as one pending edit."""
        self._put(len(self), rows)

    # Parts

    def _kept_rows(self, dialect: Dialect) -> RowIndex | None:
        return self._places.kept() if dialect == self.dialect else None

    def _check_certain(self) -> None:
        self._sniffed.check_certain(self._document.path)

    def _number(self, row: SupportsIndex) -> int:
        number, count = operator.index(row), len(self)
        index = number + count if number < 0 else number
        if not 0 <= index < count:
            raise SpanError(
                f"There is no row {number}; there {'is' if count == 1 else 'are'} {count:,}, counted from 0.",
                hint="Indexes start at 0, the numbers of --rows at 1.",
                index=number,
                count=count,
            )
        return index

    def _column(self, number: int, written: WrittenRow, column: str | int) -> int:
        at = column_at(column, self.header, len(written.cells))
        if at >= len(written.cells):
            raise short_row(number, len(written.cells), column)
        return at

    def _written(self, span: Span, number: int) -> WrittenRow:
        if span.size > ROW_MAX_BYTES:
            raise too_long(number, span.start, ROW_MAX_BYTES)
        return parse_row(self._document.read(span.start, span.size), self.dialect)

    def _row(self, number: int, written: WrittenRow, header: tuple[str, ...]) -> Row:
        decode, dialect = self._document.text.decode, self.dialect
        texts = (decode(decoded(written, at, dialect)) for at in range(len(written.cells)))
        return Row(number, header, tuple(texts))

    def _rows(self, first: int) -> Iterator[Row]:
        """Yields rows from one on; edits made meanwhile show from the next window on."""
        number = first
        count = len(self)
        while number < count:
            header, start = self.header, self.span_of_row(number).start
            batch = self._batch(number, start)
            for data in batch:
                yield self._row(number, parse_row(data, self.dialect), header)
                number += 1
            count = len(self)

    def _batch(self, number: int, start: int) -> list[bytes]:
        """The bytes of some rows from one on, which starts at an offset."""
        import numpy as np

        from insitu.formats.csv_states import START
        from insitu.formats.csv_tables import row_ends

        size = min(_AHEAD_BYTES, self._document.size - start)
        data = self._document.read(start, min(size + 1, self._document.size - start))
        following = data[size] if len(data) > size else -1
        ends = row_ends(np.frombuffer(data, np.uint8)[:size], self.dialect, START, following) + 1
        if not len(ends):
            span = self.span_of_row(number)
            if span.size > ROW_MAX_BYTES:
                raise too_long(number, span.start, ROW_MAX_BYTES)
            return [self._document.read(span.start, span.size)]
        bounds = [0, *ends.tolist()]
        return [data[low:high] for low, high in pairwise(bounds)]

    def _listed(self, values: Values, written: WrittenRow) -> dict[int, bytes]:
        """The values of a row that exists, by column."""
        header, encode = self.header, self._document.text.encode
        if isinstance(values, Row) and values.cells and len(values.cells) == len(written.cells):
            values = values.cells
        if isinstance(values, Mapping):
            return {
                column_at(name, header, len(written.cells)): encode(text) for name, text in values.items()
            }
        listed = _checked(values)
        if len(listed) not in (len(header), len(written.cells)):
            raise _width_error(len(listed), header)
        return {at: encode(text) for at, text in enumerate(listed)}

    def _assign(self, span: Span, written: WrittenRow, values: Mapping[int, bytes]) -> None:
        """Writes the cells that get another value; a row too short gets the cells it lacks."""
        dialect, cells = self.dialect, written.cells
        width = max(len(cells), max(values, default=0) + 1)
        edits: list[tuple[Span, bytes]] = []
        for at, value in sorted(values.items()):
            if at < len(cells) and decoded(written, at, dialect) != value:
                cell = cells[at]
                new = rendered(value, dialect, quoted=cell.quoted, alone=width == 1)
                edits.append((Span(span.start + cell.start, span.start + cell.stop), new))
        if width > len(cells):
            more = [rendered(values.get(at, b""), dialect, quoted=False) for at in range(len(cells), width)]
            end = span.start + cells[-1].stop
            edits.append((Span(end, end), b"".join(dialect.delimiter + cell for cell in more)))
        if len(edits) == 1:
            self._replace(*edits[0])
        elif edits:
            self._document.replace_spans(edits)

    def _put(self, number: int, rows: Iterable[Values]) -> None:
        """Inserts rows before a row, or behind the last one."""
        self._check_certain()
        header, dialect, count = self.header, self.dialect, len(self)
        if dialect.header and not header:
            raise RequestError(
                f"{self._document.path} is empty: it has no header to tell columns by; nothing was changed.",
                hint="Write the header first, or give header=False.",
            )
        near = None
        if count:
            at = max(0, number - 1)
            near = self._written(self.span_of_row(at), at)
        ending, before = self._ending(near), b""
        start = self.span_of_row(number).start if number < count else self._document.size
        if number == count and start > len(dialect.bom) and not self._last_ended(near):
            before = ending
        new = b"".join(new_row(self._full(row, header), near, ending, dialect) for row in rows)
        if new:
            self._replace(Span(start, start), before + new)

    def _full(self, row: Values, header: tuple[str, ...]) -> list[bytes]:
        """The values of a new row, one for each column."""
        encode = self._document.text.encode
        if isinstance(row, Mapping):
            named = {column_at(name, header, 0): encode(text) for name, text in row.items()}
            return [named.get(at, b"") for at in range(len(header))]
        listed = _checked(row)
        if header and len(listed) != len(header):
            raise _width_error(len(listed), header)
        return [encode(text) for text in listed]

    def _ending(self, near: WrittenRow | None) -> bytes:
        """The line end of a new row: its neighbour's, else the first one's."""
        if near is not None and near.ending:
            return near.ending
        index, mark = self.index(), len(self.dialect.bom)
        if index.row_count and self._document.size > mark:
            first = index.span_of(0)
            if first.size <= ROW_MAX_BYTES:
                ending = parse_row(self._document.read(*_extent(first)), self.dialect).ending
                if ending:
                    return ending
        return b"\r" if self.dialect.newline == "\r" else b"\n"

    def _last_ended(self, near: WrittenRow | None) -> bool:
        """Whether the last row, the header where there is no other, has its line end."""
        if near is not None:
            return bool(near.ending)
        index = self.index()
        first = index.span_of(index.row_count - 1)
        return bool(parse_row(self._document.read(*_extent(first)), self.dialect).ending)

    def _replace(self, span: Span, new: bytes) -> None:
        self.index()  # of what is about to change
        self._document.replace_span(span, new)
        self._places.replaced(span, len(new))


def _extent(span: Span) -> tuple[int, int]:
    return span.start, span.size


def _checked(values: Sequence[str]) -> list[str]:
    if isinstance(values, str | bytes):
        raise RequestError(
            "A row is a list of texts or a mapping of columns to texts, not one text; nothing was changed."
        )
    return list(values)


def _width_error(count: int, header: tuple[str, ...]) -> RequestError:
    return RequestError(
        f"The row has {count} cells and the file {len(header)} columns; nothing was changed.",
        hint=f"Give a text for each of: {', '.join(header[:12])}; or a mapping for some of them.",
        columns=list(header),
    )
