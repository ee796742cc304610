"""Rows of CSV changed by a Python function: slower than a condition, and able to do anything."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, varied
from insitu.core.spans import Span
from insitu.errors import FunctionError, InsituError
from insitu.formats.condition_batch import Batch
from insitu.formats.csv_cells import spelled
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_mass import short_error
from insitu.views.csv_selection import Selection

if TYPE_CHECKING:
    from insitu.formats.cells import Column, Mask
    from insitu.formats.csv_scan import Rows
    from insitu.views.streaming import Source

RowFunction = Callable[[dict[str, str | None]], Mapping[str, str | None] | None]


@dataclass(frozen=True, slots=True)
class CsvApply:
    """Sets the cells that a Python function wants to have other values: a mass edit.

    The function is called in file order, on one thread, with each row as a mapping from the names of the
    columns to their texts (None: NULL). It returns a mapping with the values that are to be, or None.

    Args:
        columns: the names of the columns that the function sees; None: all.

    Other arguments as ``CsvUpdate``.
    """

    function: RowFunction
    where: str | None = None
    columns: tuple[str, ...] | None = None
    dialect: Dialect = field(default_factory=Dialect)
    null_empty: bool = False

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice for each cell that gets another value.

        Raises:
            ConditionError: the condition does not parse, or a column is not there.
            TextError: the file cannot hold a value.
            FunctionError: the function raises, or sets what is no column; the message names the row.
            FormatError: it sets a cell that the row is too short to have.
        """
        selection = Selection.of(source, self.dialect, self.where, null_empty=self.null_empty)
        names = selection.header if self.columns is None else self.columns
        columns = dict(zip(names, selection.indices(names), strict=True))

        def work(rows: Rows) -> _Picked:
            return _picked(rows, selection.chosen(rows), columns, selection.encoding, self.null_empty)

        wanted = columns.values()
        for picked in selection.scan(source, self.dialect, wanted, work, progress, cancel):
            edits = sorted(self._edits(picked, source, len(selection.header)))
            if edits:
                yield varied(edits)

    def _edits(self, picked: _Picked, source: Source, width: int) -> Iterator[tuple[Span, bytes]]:
        names = tuple(picked.texts)
        for at, row in enumerate(zip(*picked.texts.values(), strict=True)):
            number, start = int(picked.numbers[at]), int(picked.starts[at])
            place = f"row {number + 1:,}, at byte {start}"
            before = dict(zip(names, row, strict=True))
            try:
                wanted = self.function(dict(before))
            except InsituError:
                raise
            except Exception as error:
                raise FunctionError(
                    f"The function failed at {place}: {error!r}; nothing was changed.",
                    row=number,
                    row_start=start,
                    traceback=traceback.format_exc(),
                ) from error
            for name, text in (wanted or {}).items():
                if name not in before or not isinstance(text, str | None):
                    raise FunctionError(
                        f"The function returned {name!r}: {text!r} at {place}; nothing was changed.",
                        hint="Return the names of columns it was given, with texts or None.",
                    )
                if text == before[name] or (not text and not before[name]):
                    continue
                span, quoted, missing = picked.spans[name]
                if missing[at]:
                    raise short_error(number, start, name)
                spelling = spelled(source.text.encode(text or ""), self.dialect, width)
                new = spelling.inside if quoted[at] else spelling.bare
                yield Span(int(span[0][at]), int(span[1][at])), new


class _Picked(NamedTuple):
    """Rows as a function is given them, and where their cells are; nothing of it is in the scan's buffer."""

    numbers: Column
    starts: Column
    texts: dict[str, list[str | None]]
    spans: dict[str, tuple[tuple[Column, Column], Mask, Mask]]
    """By column: starts and stops in the file, where it stands in quotes, where there is none."""


def _picked(
    rows: Rows, chosen: Column, columns: Mapping[str, int], encoding: str, null_empty: bool
) -> _Picked:
    import numpy as np

    if len(columns) > 1:
        chosen = chosen[rows.stops[chosen] > rows.starts[chosen]]
    batch = Batch({name: rows.cells[column] for name, column in columns.items()}, encoding, null_empty)
    texts: dict[str, list[str | None]] = {}
    spans = {}
    nowhere = np.zeros(len(chosen), np.bool_)
    for name, column in columns.items():
        cells = rows.cells[column]
        found = batch.texts(name, chosen)
        null = nowhere if found.null is None else found.null
        texts[name] = [
            None if absent else found.raw(at).decode("utf-8", "surrogateescape")
            for at, absent in enumerate(null.tolist())
        ]
        quoted = nowhere if cells.quoted is None else cells.quoted[chosen]
        missing = nowhere if cells.missing is None else cells.missing[chosen]
        places = cells.starts[chosen] + rows.offset, cells.stops[chosen] + rows.offset
        spans[name] = places, quoted, missing
    return _Picked(rows.in_file(chosen), rows.starts[chosen] + rows.offset, texts, spans)
