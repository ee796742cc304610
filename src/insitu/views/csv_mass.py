"""Mass edits of CSV: cells of rows that a condition is true of get new values, or the rows go.

A cell keeps its quotes; one without gets them only where the new value needs them. A cell that has the
value already is not touched, however it is written. A row too short to have a cell is refused, or left
alone where the caller says so; a blank line, in a file of several columns, is no row to set a cell in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, Varied
from insitu.errors import FormatError, RequestError
from insitu.formats.condition_batch import Batch
from insitu.formats.csv_cells import Spelling, spelled
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_selection import Selection, merged
from insitu.views.streaming import Source, check_expected

if TYPE_CHECKING:
    from insitu.formats.cells import Cells, Column, Mask
    from insitu.formats.csv_scan import Rows

Short = Literal["refuse", "skip"]


@dataclass(frozen=True, slots=True)
class CsvUpdate:
    """Sets cells in the rows that a condition is true of: a mass edit.

    Args:
        set: the new value by the name of the column; None: NULL, which CSV writes as an empty cell.
        where: a condition (see ``insitu.formats.conditions``); None: every row.
        null_empty: whether empty cells are NULL in the condition.
        short: what becomes of a row that lacks a cell to set: ``"refuse"`` the edit, or ``"skip"`` that cell.
        expect: of exactly so many rows the condition must be true; None: of any number.
    """

    set: Mapping[str, str | None]
    where: str | None = None
    dialect: Dialect = field(default_factory=Dialect)
    null_empty: bool = False
    short: Short = "refuse"
    expect: int | None = None

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice for each cell that gets another value.

        Raises:
            ConditionError: the condition does not parse, or a column is not there.
            TextError: the file cannot hold a value.
            FormatError: a row is too short; or the file is not written in the dialect.
            NoMatchError, ExpectationError: not as many rows as expected.
        """
        selection = Selection.of(source, self.dialect, self.where, null_empty=self.null_empty)
        columns = selection.indices(self.set)
        values = [_Value.of(text, source, self.dialect, len(selection.header)) for text in self.set.values()]
        targets = dict(zip(columns, values, strict=True))
        if len(targets) < len(self.set):
            raise RequestError(
                f"Two of the columns to set are the same: {', '.join(self.set)}; nothing was changed."
            )

        def edits(rows: Rows, chosen: Column) -> Replacements | None:
            return self._edits(rows, chosen, targets, selection)

        yield from _edited(self, source, selection, columns, edits, progress, cancel)

    def _edits(
        self, rows: Rows, chosen: Column, targets: Mapping[int, _Value], selection: Selection
    ) -> Replacements | None:
        """What changes in the chosen rows."""
        import numpy as np

        filled = chosen
        if len(selection.header) > 1:
            filled = chosen[rows.stops[chosen] > rows.starts[chosen]]
        starts: list[Column] = []
        stops: list[Column] = []
        numbers: list[Column] = []
        texts: dict[bytes, int] = {}
        for column, value in targets.items():
            cells = rows.cells[column]
            at = filled[_others(cells, filled, value, selection.encoding)]
            at = at[~_absent(rows, cells, at, selection.header[column], value, self.short)]
            places = [texts.setdefault(text, len(texts)) for text in value.spelling]
            style = np.zeros(len(at), np.int8)
            if cells.quoted is not None:
                style += cells.quoted[at]
            starts.append(cells.starts[at])
            stops.append(cells.stops[at])
            numbers.append(np.array(places)[style])
        low, high, which = (np.concatenate(column) for column in (starts, stops, numbers))
        return _replacements(low + rows.offset, high + rows.offset, which, list(texts))


@dataclass(frozen=True, slots=True)
class CsvDelete:
    """Deletes the rows that a condition is true of, with their line ends: a mass edit.

    Arguments as ``CsvUpdate``.
    """

    where: str
    dialect: Dialect = field(default_factory=Dialect)
    null_empty: bool = False
    expect: int | None = None

    def batches(
        self, source: Source, progress: Progress | None = None, cancel: Cancel | None = None
    ) -> Iterator[Replacements]:
        """Yields one splice for each run of rows that go.

        Raises:
            ConditionError: the condition does not parse, or a column is not there.
            FormatError: the file is not written in the dialect.
            NoMatchError, ExpectationError: not as many rows as expected.
        """
        selection = Selection.of(source, self.dialect, self.where, null_empty=self.null_empty)

        def edits(rows: Rows, chosen: Column) -> Replacements:
            starts, stops = merged(rows.starts[chosen] + rows.offset, rows.ends[chosen] + rows.offset)
            return Uniform(starts, stops, b"")

        yield from _edited(self, source, selection, (), edits, progress, cancel)


def _edited(
    edit: CsvUpdate | CsvDelete,
    source: Source,
    selection: Selection,
    columns: tuple[int, ...],
    edits: Callable[[Rows, Column], Replacements | None],
    progress: Progress | None,
    cancel: Cancel | None,
) -> Iterator[Replacements]:
    """Yields what ``edits`` makes of the rows chosen, and at the end checks how many there were."""

    def work(rows: Rows) -> tuple[Replacements | None, int]:
        chosen = selection.chosen(rows)
        return edits(rows, chosen), len(chosen)

    count = 0
    for batch, chosen in selection.scan(source, edit.dialect, columns, work, progress, cancel):
        count += chosen
        if batch is not None:
            yield batch
    check_expected(
        edit.expect,
        count,
        f"The condition is true of {count:,} rows",
        source.path,
        "Count them with: insitu csv count FILE --where CONDITION",
    )


class _Value(NamedTuple):
    """A value to set: as UTF-8 text, and as it is written."""

    text: bytes
    spelling: Spelling

    @classmethod
    def of(cls, text: str | None, source: Source, dialect: Dialect, width: int) -> _Value:
        encoded = source.text.encode(text or "")
        return cls((text or "").encode("utf-8", "surrogateescape"), spelled(encoded, dialect, width))


def _others(cells: Cells, rows: Column, value: _Value, encoding: str) -> Mask:
    """Where a cell has another value."""
    from insitu.formats.condition_texts import Constant, equal

    texts = Batch({"": cells}, encoding, False).texts("", rows, (value.text,))
    # A missing cell has no value; whether it may be set is decided elsewhere.
    return ~equal(texts, Constant(value.text))


def _absent(rows: Rows, cells: Cells, at: Column, name: str, value: _Value, short: Short) -> Mask:
    """Where the row has no such cell: which is an error where it matters and is not to be skipped."""
    import numpy as np

    if cells.missing is None:
        return np.zeros(len(at), np.bool_)
    absent = cells.missing[at]
    if short == "refuse" and value.text and absent.any():
        row = at[absent][:1]
        raise short_error(int(rows.in_file(row)[0]), rows.offset + int(rows.starts[row][0]), name)
    return absent


def short_error(row: int, start: int, name: str) -> FormatError:
    """The error for a cell that is to be set and not there.

    Args:
        row: index of the data row, from 0.
        start: its offset.
    """
    return FormatError(
        f"Row {row + 1:,}, at byte {start}, is too short to have a cell {name!r}; nothing was changed.",
        hint=f"Look at it: insitu read FILE --bytes {start}:{start + 200}; leave such rows as they are with "
        "short='skip' (--skip-short).",
        row=row,
        row_start=start,
    )


def _replacements(starts: Column, stops: Column, which: Column, texts: list[bytes]) -> Replacements | None:
    """Spans, in any order, with the number of the text that replaces each."""
    import numpy as np

    if not len(starts):
        return None
    if bool((starts[1:] < starts[:-1]).any()):
        in_order = np.argsort(starts, kind="stable")
        starts, stops, which = starts[in_order], stops[in_order], which[in_order]
    if len(texts) == 1:
        return Uniform(starts, stops, texts[0])
    bounds = np.zeros(len(starts) + 1, np.int64)
    np.cumsum(np.array([len(text) for text in texts])[which], out=bounds[1:])
    return Varied(starts, stops, bounds, b"".join([texts[number] for number in which.tolist()]))
