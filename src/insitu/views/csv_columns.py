"""Columns of a CSV file added, dropped, renamed and moved: mass edits of one splice or two in each row.

Every row keeps its line ending and its quotes. A row that is too short to have a cell where a column is
added or dropped stays as it is, and so does an empty line in a file of several columns: the cells there
are keep their columns. A move that would put cells of a short row into other columns is refused.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, Varied, varied
from insitu.core.spans import Span
from insitu.errors import FunctionError, InsituError, RequestError
from insitu.formats.condition_batch import Batch
from insitu.formats.conditions import column_index
from insitu.formats.csv_cells import rendered
from insitu.formats.csv_dialect import Dialect
from insitu.formats.csv_scan import Rows, split_rows
from insitu.formats.csv_splices import Slots, dropped, moved, slots
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_selection import header_of
from insitu.views.csv_window import row_end

if TYPE_CHECKING:
    from insitu.formats.cells import Column
    from insitu.views.streaming import Source

ValueFunction = Callable[[dict[str, str | None]], "str | int | float | None"]


@dataclass(frozen=True, slots=True)
class CsvAddColumn:
    """Adds a column: a mass edit.

    The new cell stands in quotes where the one beside it does, or where its value needs them.

    Args:
        name: in the header; of no use in a file without one.
        value: what every row gets; or a function of the row (its texts by the names of the columns; None
            for a cell it lacks), called in file order on one thread.
        before: the column it is put before, by name or index from 0; None: behind the last one.
    """

    name: str
    value: str | ValueFunction = ""
    before: str | int | None = None
    dialect: Dialect = field(default_factory=Dialect)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice for each row that is long enough.

        Raises:
            ConditionError: there is no such column, or several.
            RequestError: there is a column of the new name; the function fails; the file is not written in
                the dialect.
            TextError: the file cannot hold a value.
        """
        header = _header(source, self.dialect)
        at = len(header) if self.before is None else index_of(self.before, header)
        _check_new(self.name, header, self.dialect)
        width = len(header)
        place = _Place(at, width, self.dialect)
        if self.dialect.header:
            first = _header_row(source, self.dialect, [place.beside])
            yield place.filled(slots(first, at, width), source.text.encode(self.name))
        if isinstance(self.value, str):
            value = source.text.encode(self.value)

            def work(rows: Rows) -> Replacements:
                return place.filled(slots(rows, at, width), value)

            passed = scan_rows(source, self.dialect, [place.beside], work, progress=progress, cancel=cancel)
            yield from passed
            return
        yield from self._called(source, header, place, progress, cancel)

    def _called(
        self,
        source: Source,
        header: tuple[str, ...],
        place: _Place,
        progress: Progress | None,
        cancel: Cancel | None,
    ) -> Iterator[Replacements]:
        """The splices of a function's values."""
        columns = {name: column_index(name, header) for name in header}

        def work(rows: Rows) -> _Given:
            return _given(rows, columns, slots(rows, place.at, place.width), source.text.name)

        wanted = range(len(header))
        for given in scan_rows(source, self.dialect, wanted, work, progress=progress, cancel=cancel):
            edits = []
            for number, start, offset, quoted, *row in given.rows():
                text = self._value(dict(zip(columns, row, strict=True)), number, start)
                edits.append((Span(offset, offset), place.cell(source.text.encode(text), quoted)))
            yield varied(edits)

    def _value(self, row: dict[str, str | None], number: int, start: int) -> str:
        """The function's value for a row as text."""
        assert not isinstance(self.value, str)
        where = f"row {number + 1:,}, at byte {start}"
        try:
            value = self.value(row)
        except InsituError:
            raise
        except Exception as error:
            raise FunctionError(
                f"The function failed at {where}: {error!r}; nothing was changed.",
                row=number,
                row_start=start,
                traceback=traceback.format_exc(),
            ) from error
        if value is None:
            return ""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise FunctionError(
                f"The function returned {value!r} at {where}, not text or a number; nothing was changed.",
                row=number,
                row_start=start,
            )
        return str(value)


@dataclass(frozen=True, slots=True)
class CsvDropColumn:
    """Drops a column, with one delimiter in each row: a mass edit.

    Args:
        column: by name, or index from 0.
    """

    column: str | int
    dialect: Dialect = field(default_factory=Dialect)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice for each row that has such a cell.

        Raises:
            ConditionError: there is no such column, or several.
            RequestError: it is the only one; or the file is not written in the dialect.
        """
        header = _header(source, self.dialect)
        at = index_of(self.column, header)
        if len(header) == 1:
            raise RequestError(
                f"{header[0]!r} is the only column of {source.path}; nothing was changed.",
                hint="Delete the rows instead.",
            )

        def work(rows: Rows) -> Replacements:
            return dropped(rows, at, self.dialect.quote)

        if self.dialect.header:
            yield work(_header_row(source, self.dialect, [at]))
        yield from scan_rows(source, self.dialect, [at], work, progress=progress, cancel=cancel)


@dataclass(frozen=True, slots=True)
class CsvRenameColumn:
    """Gives a column another name: an edit of the header alone.

    Args:
        column: by name, or index from 0.
    """

    column: str | int
    name: str
    dialect: Dialect = field(default_factory=Dialect)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice, or none where that is its name.

        Raises:
            ConditionError: there is no such column, or several.
            RequestError: the file has no header, or a column of the new name.
            TextError: the file cannot hold the name.
        """
        header = _header(source, self.dialect)
        if not self.dialect.header:
            raise RequestError(
                f"{source.path} has no header, so that its columns have no names; nothing was changed.",
                hint="If the first row is one, say so: header=True (--header).",
            )
        at = index_of(self.column, header)
        if header[at] == self.name:
            return
        _check_new(self.name, header, self.dialect)
        cells = _header_row(source, self.dialect, [at]).cells[at]
        quoted = cells.quoted is not None and bool(cells.quoted[0])
        new = rendered(source.text.encode(self.name), self.dialect, quoted=quoted, alone=len(header) == 1)
        start, stop = int(cells.starts[0]) - quoted, int(cells.stops[0]) + quoted
        yield varied([(Span(start, stop).moved(len(self.dialect.bom)), new)])


@dataclass(frozen=True, slots=True)
class CsvMoveColumn:
    """Moves a column to another place: a mass edit.

    Args:
        column: by name, or index from 0.
        before: the column it is put before, by name or index; None: behind the last one.
    """

    column: str | int
    before: str | int | None = None
    dialect: Dialect = field(default_factory=Dialect)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields two splices for each row that has both cells.

        Raises:
            ConditionError: there is no such column, or several.
            RequestError: a row has only one of the two cells; or the file is not written in the dialect.
        """
        header = _header(source, self.dialect)
        at = index_of(self.column, header)
        behind = len(header) if self.before is None else index_of(self.before, header)
        target = behind - 1 if behind > at else behind
        if at == target:
            return

        def work(rows: Rows) -> Varied:
            found = moved(rows, at, target, self.dialect.delimiter)
            if isinstance(found, Varied):
                return found
            raise _short_error(rows, found, header[at], header[target])

        if self.dialect.header:
            yield work(_header_row(source, self.dialect, [at, target]))
        yield from scan_rows(source, self.dialect, [at, target], work, progress=progress, cancel=cancel)


def index_of(column: str | int, header: tuple[str, ...]) -> int:
    """The index of a column by name or index.

    Raises:
        ConditionError: there is none of that name, or several.
        RequestError: there are not so many columns.
    """
    if isinstance(column, str):
        return column_index(column, header)
    if not 0 <= column < len(header):
        raise RequestError(
            f"There is no column {column + 1}: the file has {len(header):,}; nothing was changed.",
            column=column,
            columns=len(header),
        )
    return column


def _header(source: Source, dialect: Dialect) -> tuple[str, ...]:
    dialect.check_encoding(source.text.name)
    header = header_of(source, dialect)
    if not header:
        raise RequestError(f"{source.path} is empty and has no columns; nothing was changed.")
    return header


def _header_row(source: Source, dialect: Dialect, columns: Iterable[int]) -> Rows:
    """The header as one row."""
    import numpy as np

    start = len(dialect.bom)
    stop = row_end(source.reader, dialect, start)
    data = np.frombuffer(source.reader.read(start, stop - start), np.uint8)
    return split_rows(data, dialect, columns, start)


def _check_new(name: str, header: tuple[str, ...], dialect: Dialect) -> None:
    if dialect.header and name in header:
        raise RequestError(
            f"There is a column {name!r} already, number {header.index(name) + 1}; nothing was changed.",
            hint="Take another name: of two columns of one name neither can be addressed.",
            column=name,
        )


def _short_error(rows: Rows, row: int, column: str, target: str) -> RequestError:
    number, start = rows.first + row, rows.offset + int(rows.starts[row])
    return RequestError(
        f"Row {number + 1:,}, at byte {start}, has only one of the cells {column!r} and {target!r}, so that "
        "a move would put its cells into other columns; nothing was changed.",
        hint=f"Fill it up first. Look at it: insitu csv read FILE --rows {number + 1}",
        row=number,
        row_start=start,
    )


class _Place(NamedTuple):
    """Where a new column goes: at an index among so many."""

    at: int
    width: int
    dialect: Dialect

    @property
    def beside(self) -> int:
        """The column whose cells the new ones stand beside."""
        return self.at - 1 if self.at else 0

    def cell(self, value: bytes, quoted: bool) -> bytes:
        """A new cell with its delimiter."""
        cell = rendered(value, self.dialect, quoted=quoted)
        delimiter = self.dialect.delimiter
        return delimiter + cell if self.at else cell + delimiter

    def filled(self, places: Slots, value: bytes) -> Replacements:
        """The same value in all the places."""
        import numpy as np

        offsets, quoted = places.offsets, places.quoted
        bare, inside = self.cell(value, False), self.cell(value, True)
        if bare == inside or not quoted.any():
            return Uniform(offsets, offsets, bare)
        if quoted.all():
            return Uniform(offsets, offsets, inside)
        bounds = np.zeros(len(offsets) + 1, np.int64)
        np.cumsum(np.where(quoted, len(inside), len(bare)), out=bounds[1:])
        data = b"".join([inside if in_quotes else bare for in_quotes in quoted.tolist()])
        return Varied(offsets, offsets, bounds, data)


class _Given(NamedTuple):
    """Rows as a function gets them, in memory of their own, and where its values go."""

    numbers: Column
    starts: Column
    places: Slots
    texts: list[list[str | None]]
    """By column, of the rows that are long enough."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yields index and offset of each row, offset and quotes of its new cell, and its texts."""
        columns = (self.numbers, self.starts, self.places.offsets, self.places.quoted)
        return zip(*(column.tolist() for column in columns), *self.texts, strict=True)


def _given(rows: Rows, columns: dict[str, int], places: Slots, encoding: str) -> _Given:
    import numpy as np

    taken = np.flatnonzero(places.taken)
    batch = Batch({name: rows.cells[column] for name, column in columns.items()}, encoding, False)
    texts: list[list[str | None]] = []
    for name in columns:
        found = batch.texts(name, taken)
        null = np.zeros(len(taken), np.bool_) if found.null is None else found.null
        data, stops = found.data.tobytes(), found.starts + found.sizes
        spans = zip(null.tolist(), found.starts.tolist(), stops.tolist(), strict=True)
        texts.append(
            [
                None if absent else data[start:stop].decode("utf-8", "surrogateescape")
                for absent, start, stop in spans
            ]
        )
    return _Given(taken + rows.first, rows.starts[taken] + rows.offset, places, texts)
