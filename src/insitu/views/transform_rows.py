"""Rows of CSV passed through a function: what it changes are cells, what it drops and adds are rows.

A row is a mapping from the names of the columns to texts. Cells that come back as they were keep their
bytes; new rows copy line end and quotes from the row they came from.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, varied
from insitu.core.spans import Span
from insitu.errors import FunctionError, InsituError
from insitu.formats.csv_cells import WrittenRow, decoded, new_row, parse_row, rendered
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_mass import short_error
from insitu.views.csv_scan import scan_rows
from insitu.views.csv_selection import header_of
from insitu.views.csv_sniffing import Given, sniffed
from insitu.views.text import Encoding
from insitu.views.transform_work import Context

if TYPE_CHECKING:
    from insitu.formats.csv_scan import Rows
    from insitu.views.streaming import Source

Texts = dict[str, str]


class _Row(NamedTuple):
    number: int
    """From 1, the header not counted."""
    offset: int
    written: WrittenRow
    texts: Texts

    @property
    def place(self) -> str:
        return f"row {self.number:,}, at byte {self.offset}"


def row_batches(
    source: Source,
    function: Callable[..., Any],
    width: int | None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Replacements]:
    """Yields what a function makes of the rows, in the dialect that the file tells.

    Args:
        width: how many rows of context it is given before and behind; None: it takes the row alone.

    Raises:
        AmbiguousError: how the file is written is not certain.
        FunctionError: it raised, or returned what is no row; names the row.

    Cost: rows are split on every core; the function runs on one thread.
    """
    found = sniffed(source, Given())
    found.check_certain(source.path)
    maker = _Maker(found.dialect, header_of(source, found.dialect), source.text)

    def work(rows: Rows) -> list[tuple[int, int, bytes]]:
        view = rows.data.data
        bounds = zip(rows.starts.tolist(), rows.ends.tolist(), strict=True)
        return [
            (rows.first + at + 1, rows.offset + start, bytes(view[start:end]))
            for at, (start, end) in enumerate(bounds)
        ]

    batches = scan_rows(source, found.dialect, (), work, progress=progress, cancel=cancel)
    rows = (maker.row(*row) for batch in batches for row in batch)
    edits: list[tuple[Span, bytes]] = []
    for row, context in _in_context(rows, width):
        edits += maker.edits(row, _called(function, row, context))
        if len(edits) >= _BATCH_EDITS:
            yield varied(edits)
            edits = []
    yield varied(edits)


# Changes that are handed on at once.
_BATCH_EDITS = 1 << 12


def _in_context(rows: Iterator[_Row], width: int | None) -> Iterator[tuple[_Row, Context | None]]:
    """Yields each row with those around it."""
    if width is None:
        yield from ((row, None) for row in rows)
        return
    before: deque[_Row] = deque(maxlen=width)
    ahead: deque[_Row] = deque()
    for row in rows:
        ahead.append(row)
        if len(ahead) > width:
            yield ahead[0], _context(before, ahead)
            before.append(ahead.popleft())
    while ahead:
        yield ahead[0], _context(before, ahead)
        before.append(ahead.popleft())


def _context(before: deque[_Row], ahead: deque[_Row]) -> Context:
    row, *after = ahead
    context = Context(lambda: row.number, lambda _: row.offset)
    context.before = tuple(dict(one.texts) for one in before)
    context.after = tuple(dict(one.texts) for one in after)
    return context


def _called(function: Callable[..., Any], row: _Row, context: Context | None) -> Any:
    try:
        texts = dict(row.texts)
        return function(texts) if context is None else function(texts, context)
    except InsituError:
        raise
    except Exception as error:
        raise FunctionError(
            f"The function failed at {row.place}: {error!r}; nothing was changed.",
            hint="Mend the function, or let it return the row unchanged there.",
            row=row.number,
            offset=row.offset,
            traceback=traceback.format_exc(),
        ) from error


class _Maker:
    """Rows from bytes, and bytes from rows, in one file."""

    def __init__(self, dialect: Dialect, header: tuple[str, ...], text: Encoding) -> None:
        self._dialect = dialect
        self._header = header
        self._text = text
        self._ending = b"\r" if dialect.newline == "\r" else b"\n"

    def row(self, number: int, offset: int, data: bytes) -> _Row:
        """A row as functions are given it; cells behind the header's columns are left out."""
        written = parse_row(data, self._dialect)
        self._ending = written.ending or self._ending
        named = enumerate(self._header[: len(written.cells)])
        texts = {name: self._text.decode(decoded(written, at, self._dialect)) for at, name in named}
        return _Row(number, offset, written, texts)

    def edits(self, row: _Row, returned: Any) -> list[tuple[Span, bytes]]:
        """What was returned, as edits."""
        whole = Span(row.offset, row.offset + len(row.written.data))
        if returned is None:
            return [(whole, b"")]
        if isinstance(returned, Mapping):
            return self._changed(row, returned)
        if isinstance(returned, str | bytes) or not isinstance(returned, Sequence):
            raise self._no_row(row, returned)
        parts = [self._part(row, one) for one in returned]
        data = b"".join(parts)
        if parts and not row.written.ending:
            data = data.removesuffix(self._ending)
        return [] if data == row.written.data else [(whole, data)]

    def _changed(self, row: _Row, wanted: Mapping[str, Any]) -> list[tuple[Span, bytes]]:
        """One edit for each cell that has another text."""
        edits = []
        written, dialect = row.written, self._dialect
        for at, name in enumerate(self._header):
            text = wanted.get(name)
            if text == row.texts.get(name) or (not text and name not in row.texts):
                continue
            if not isinstance(text, str):
                raise self._no_row(row, wanted)
            if name not in row.texts:
                raise short_error(row.number - 1, row.offset, name)
            cell = written.cells[at]
            new = rendered(
                self._text.encode(text), dialect, quoted=cell.quoted, alone=len(written.cells) == 1
            )
            edits.append((Span(row.offset + cell.start, row.offset + cell.stop), new))
        if set(wanted) - set(self._header):
            raise self._no_row(row, wanted)
        return edits

    def _part(self, row: _Row, one: Any) -> bytes:
        """One row of several, with its line end."""
        if one == row.texts:
            return row.written.data if row.written.ending else row.written.data + self._ending
        if not isinstance(one, Mapping) or set(one) - set(self._header):
            raise self._no_row(row, one)
        texts = [one.get(name, "") for name in self._header]
        if not all(isinstance(text, str) for text in texts):
            raise self._no_row(row, one)
        return new_row([self._text.encode(text) for text in texts], row.written, self._ending, self._dialect)

    def _no_row(self, row: _Row, returned: Any) -> FunctionError:
        return FunctionError(
            f"The function returned {returned!r:.200} at {row.place}; nothing was changed.",
            hint="Return the row, a mapping of column names to texts, None to drop it, or a list of rows.",
            row=row.number,
            offset=row.offset,
        )
