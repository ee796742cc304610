"""Frames of CSV rows, chunk by chunk: the caller changes a frame, and only cells that differ are written."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from insitu.core.pieces import Copy, Kept
from insitu.core.protocols import Cancel, Progress, Reader
from insitu.core.replacements import Replacements, Varied, listed
from insitu.core.sequence import Sequence
from insitu.core.spans import Span
from insitu.errors import FunctionError, InsituError, LimitError, RequestError, StaleError, TextError
from insitu.formats.cells import Cells
from insitu.formats.conditions import column_index
from insitu.formats.csv_cells import rendered
from insitu.formats.csv_dialect import Dialect
from insitu.views.content import Content
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_selection import header_of
from insitu.views.csv_texts import CellTexts, joined, texts_of
from insitu.views.editable import PENDING_MAX
from insitu.views.frame_text import Library, Number, changes, check_library, columns_of, frame_of, numbers_of
from insitu.views.streaming import Source

if TYPE_CHECKING:
    from insitu.formats.cells import Column
    from insitu.formats.csv_scan import Rows
    from insitu.views.text import Encoding

ROWS: Final = 100_000

# A chunk of long rows ends before it has as many rows as asked for: frames need several times their text.
CHUNK_BYTES: Final = 64 << 20


class Wanted(NamedTuple):
    """Which frames of a file are wanted: ``asked``, once it is known which columns there are."""

    library: Library
    rows: int
    columns: dict[str, int]
    """Names of the columns in the frame, and their indexes in the file."""
    types: dict[str, Number]
    width: int
    """How many columns the file has."""


@dataclass(frozen=True, slots=True)
class FrameOptions:
    """Which frames are asked for.

    Args:
        library: ``"pandas"``, ``"polars"`` or ``"pyarrow"``.
        rows: how many a chunk has at most; chunks of long rows have fewer, about 64 MiB of text.
        columns: the names of the columns in the frame; None: all.
        types: the columns that are to be numbers, ``int`` or ``float``; all others are text. An empty cell
            is none.

    Raises:
        RequestError: the library is not known or not installed, ``rows`` is below 1, or a type is neither.
    """

    library: Library = "pandas"
    rows: int = ROWS
    columns: Iterable[str] | None = None
    types: Mapping[str, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_library(self.library)
        if self.rows < 1:
            raise RequestError(f"Chunks of {self.rows} rows are none.", hint="Give rows=1 or more.")
        for name, number in self.types.items():
            if number not in (int, float):
                raise RequestError(
                    f"The column {name!r} cannot be read as {number!r}.",
                    hint="Give int or float; text needs no type.",
                )

    def of(self, source: Source, dialect: Dialect) -> Wanted:
        """What that is in one file.

        Raises:
            ConditionError: there is no such column, or several of the name.
        """
        dialect.check_encoding(source.text.name)
        header = header_of(source, dialect)
        names = header if self.columns is None else tuple(self.columns)
        columns = {header[at]: at for at in (column_index(name, header) for name in names)}
        types = {header[column_index(name, header)]: number for name, number in self.types.items()}
        return Wanted(self.library, self.rows, columns, types, len(header))


class Chunk:
    """Some rows of a CSV file as a frame.

    Attributes:
        frame: of the library asked for. Change it in place, or assign another one of the same rows and
            columns; what is in it then is what the cells are to be.
        rows: the indexes of its rows among the data rows of the file.
    """

    def __init__(self, cells: Mapping[str, CellTexts], wanted: Wanted, rows: range) -> None:
        self.rows = rows
        self._cells = cells
        self._wanted = wanted
        self.frame = frame_of(
            {name: self._handed_out(name, found) for name, found in cells.items()},
            wanted.library,
            rows.start,
        )

    def __len__(self) -> int:
        return len(self.rows)

    def _handed_out(self, name: str, found: CellTexts) -> Any:
        number = self._wanted.types.get(name)
        if number is None:
            return found.texts
        try:
            return numbers_of(found.texts, number)
        except ValueError as error:
            at, text = error.args
            raise RequestError(
                f"Row {self.rows[at] + 1:,} has {text!r} in column {name!r}, which is no "
                f"{'whole number' if number is int else 'number'}; nothing was changed.",
                hint="Read the column as text: leave it out of types=.",
                row=self.rows[at],
                column=name,
            ) from None

    def replacements(self, source: Source, dialect: Dialect) -> Varied:
        """The cells that the frame changes, as splices of the file that it was read from.

        Raises:
            RequestError: the frame has other rows or columns than it was handed out with, holds what is
                neither text nor numbers, or fills a cell that its row does not have.
            TextError: a cell whose bytes do not fit the encoding was changed, or text cannot be encoded.
        """
        import numpy as np

        new = columns_of(self.frame, self._wanted.library, list(self._cells), self.rows)
        starts: list[Column] = []
        stops: list[Column] = []
        data: list[bytes] = []
        alone = self._wanted.width == 1
        for name, cells in self._cells.items():
            found = changes(cells.texts, new[name])
            if not len(found.rows):
                continue
            self._check(name, cells, found.rows)
            starts.append(cells.starts[found.rows])
            stops.append(cells.stops[found.rows])
            quoted = cells.quoted[found.rows].tolist()
            for text, in_quotes in zip(found.texts, quoted, strict=True):
                cell = rendered(source.text.encode(text), dialect, quoted=in_quotes, alone=alone)
                data.append(cell[1:-1] if in_quotes else cell)
        if not data:
            nothing = np.zeros(0, np.int64)
            return Varied(nothing, nothing, np.zeros(1, np.int64), b"")
        return _sorted(np.concatenate(starts), np.concatenate(stops), data)

    def _check(self, name: str, cells: CellTexts, rows: Column) -> None:
        """Refuses to fill a cell that is not there, and to change one that was not wholly shown."""
        import numpy as np

        if (absent := np.flatnonzero(cells.missing[rows])).size:
            row = self.rows[int(rows[absent[0]])]
            raise RequestError(
                f"Row {row + 1:,} is too short to have a cell in column {name!r}; nothing was changed.",
                hint=f"Look at it: insitu csv read FILE --rows {row + 1}",
                row=row,
                column=name,
            )
        if (broken := np.flatnonzero(cells.broken[rows])).size:
            row = self.rows[int(rows[broken[0]])]
            raise TextError(
                f"Row {row + 1:,} holds bytes in column {name!r} that are no text in the file's encoding, "
                "and the frame changes that cell; nothing was changed.",
                hint="Leave the cell as it is in the frame (its bytes show as \\xNN), or set it by itself.",
                row=row,
                column=name,
            )


def chunks(
    source: Source,
    dialect: Dialect,
    wanted: Wanted,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Chunk]:
    """Yields all rows, chunk by chunk.

    Cost: one read; memory for one chunk, its frame, and the batches of rows read ahead.
    """

    def work(rows: Rows) -> _Batch:
        cells = [_filled(rows, column, wanted.width) for column in indexes]
        found = [texts_of(column, rows.offset, codec) for column in cells]
        return _Batch(len(rows), len(rows.data), found)

    codec = source.text.name
    indexes = list(wanted.columns.values())
    waiting: list[_Batch] = []
    first = count = size = 0
    for batch in scan_rows(source, dialect, indexes, work, progress=progress, cancel=cancel):
        waiting.append(batch)
        count, size = count + batch.rows, size + batch.size
        while count >= wanted.rows or size >= CHUNK_BYTES:
            taken = min(count, wanted.rows)
            whole = _joined(waiting)
            yield whole.part(0, taken).chunk(wanted, first)
            first, count = first + taken, count - taken
            rest = whole.part(taken, taken + count)
            waiting, size = [rest] if count else [], rest.size
    if count:
        yield _joined(waiting).chunk(wanted, first)


def _filled(rows: Rows, column: int, width: int) -> Cells:
    """The cells of a column; an empty line has none in a file of several columns."""
    cells = rows.cells[column]
    if column or width == 1:
        return cells
    empty = rows.starts == rows.stops
    if not empty.any():
        return cells
    return replace(cells, missing=empty)


class _Batch(NamedTuple):
    """Consecutive rows, in memory of their own."""

    rows: int
    size: int
    columns: list[CellTexts]

    def part(self, start: int, stop: int) -> _Batch:
        share = self.size * (stop - start) // max(self.rows, 1)
        return _Batch(stop - start, share, [column.part(start, stop) for column in self.columns])

    def chunk(self, wanted: Wanted, first: int) -> Chunk:
        cells = dict(zip(wanted.columns, self.columns, strict=True))
        return Chunk(cells, wanted, range(first, first + self.rows))


def _joined(batches: list[_Batch]) -> _Batch:
    columns = zip(*(batch.columns for batch in batches), strict=True)
    return _Batch(
        sum(batch.rows for batch in batches),
        sum(batch.size for batch in batches),
        [joined(list(parts)) for parts in columns],
    )


def _sorted(starts: Column, stops: Column, data: list[bytes]) -> Varied:
    """Splices of several columns in the order of the file."""
    import numpy as np

    order = np.argsort(starts, kind="stable")
    texts = [data[at] for at in order.tolist()]
    bounds = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=bounds[1:])
    return Varied(starts[order], stops[order], bounds, b"".join(texts))


class Framed(Protocol):
    """What frames need of a document."""

    @property
    def path(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def text(self) -> Encoding: ...
    @property
    def base(self) -> Reader: ...
    @property
    def sequence(self) -> Sequence: ...
    def open_source(self, path: str, /) -> Reader: ...
    def replace_spans(self, edits: Iterable[tuple[Span, bytes]], /) -> None: ...


class Frames:
    """The chunks of a document's rows; what their frames change becomes pending, one edit for each chunk.

    A chunk's changes are taken when the next one is asked for and when the loop ends by itself. A loop
    that is left by ``break`` calls ``save`` for the chunk it is at, or leaves that chunk as it was.

    Raises:
        StaleError: from iterating and ``save``: the document was edited otherwise meanwhile.
        LimitError: more than a million cells would be pending.
        InsituError: as ``Chunk.replacements``; the chunk is left as it was.
    """

    def __init__(self, document: Framed, dialect: Dialect, asked: FrameOptions) -> None:
        self._document = document
        self._dialect = dialect
        self._source = Source(_frozen(document), document.text, document.path)
        self._chunks = chunks(self._source, dialect, asked.of(self._source, dialect))
        self._chunk: Chunk | None = None
        self._size = document.size
        self._growth = 0
        self._pending = 0

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        self.save()
        self._chunk = next(self._chunks)
        return self._chunk

    def save(self) -> int:
        """Takes the changes of the chunk that was handed out last; returns how many cells that changes."""
        if self._chunk is None:
            return 0
        batch = self._chunk.replacements(self._source, self._dialect)
        self._chunk = None
        count = len(batch.starts)
        if not count:
            return 0
        if self._document.size != self._size:
            raise StaleError(
                f"{self._document.path} was edited otherwise while its frames were read; the last of them "
                "was not taken.",
                hint="Change the frames only, and edit the document when the loop is over.",
            )
        self._pending += count
        if self._pending > PENDING_MAX:
            raise LimitError(
                f"More than {PENDING_MAX:,} cells would change, too many to keep pending.",
                hint="Pass them through a function instead: the mass edit CsvFrames streams any number.",
            )
        self._document.replace_spans([(span.moved(self._growth), new) for span, new in listed(batch)])
        self._growth += self._document.size - self._size
        self._size = self._document.size
        return count


def _frozen(document: Framed) -> Content:
    """The current content of a document, which further edits do not change."""
    sequence = Sequence(document.base.size)
    if document.sequence.changed:
        whole = Span(0, document.size)
        pieces = [
            Copy(None, piece.span) if isinstance(piece, Kept) else piece
            for piece in document.sequence.pieces(whole)
        ]
        sequence.replace_pieces(Span(0, sequence.size), pieces)
    return Content(document.base, sequence, document.open_source)


@dataclass(frozen=True, slots=True)
class CsvFrames:
    """Passes all rows through a function of frames: a mass edit.

    Args:
        function: gets the frame of each chunk, in file order; returns another frame of the same rows and
            columns, or None where it changed the frame in place.
        asked: which frames.
    """

    function: Callable[[Any], Any]
    asked: FrameOptions
    dialect: Dialect = field(default_factory=Dialect)

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields the cells that the function changes.

        Raises:
            ConditionError: there is no such column, or several of the name.
            FunctionError: the function raised; the message names the rows.
            InsituError: as ``Chunk.replacements``; nothing is changed then.
        """
        wanted = self.asked.of(source, self.dialect)
        for chunk in chunks(source, self.dialect, wanted, progress, cancel):
            try:
                frame = self.function(chunk.frame)
            except InsituError:
                raise
            except Exception as error:
                raise FunctionError(
                    f"The function failed at the frame of the rows {chunk.rows.start + 1:,} to "
                    f"{chunk.rows.stop:,}: {error!r}; nothing was changed.",
                    rows=chunk.rows,
                    traceback=traceback.format_exc(),
                ) from error
            if frame is not None:
                chunk.frame = frame
            yield chunk.replacements(source, self.dialect)
