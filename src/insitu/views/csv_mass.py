"""Mass edits of CSV: cells of rows that a condition is true of get new values, or the rows go.

A cell keeps its quotes; one without gets them only where the new value needs them. A cell that has the
value already is not touched, however it is written. A row too short to have a cell is refused, or left
alone where the caller says so; a blank line, in a file of several columns, is no row to set a cell in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from insitu.core.protocols import Cancel, Progress
from insitu.core.replacements import Replacements, Uniform, Varied
from insitu.errors import FormatError, RequestError
from insitu.formats.condition_batch import Batch
from insitu.formats.csv_cells import Spelling, spelled
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_pair import beside
from insitu.views.csv_selection import Selection, merged
from insitu.views.streaming import Source, check_expected

if TYPE_CHECKING:
    import numpy as np

    from insitu.formats.cells import Bytes, Cells, Column, Mask
    from insitu.formats.csv_scan import Rows

    Places: TypeAlias = np.ndarray[Any, np.dtype[np.uint32]]
    Sizes: TypeAlias = np.ndarray[Any, np.dtype[np.unsignedinteger]]
    Kinds: TypeAlias = np.ndarray[Any, np.dtype[np.uint16]]

Short = Literal["refuse", "skip"]

# Cells whose old value is so short and the same for all need not be read again to be saved for undo.
_COMMON_BYTES: Final = 32


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
        with beside(source, self.dialect, __name__) as other:
            selection = Selection.of(source, self.dialect, self.where, null_empty=self.null_empty)
            columns = selection.indices(self.set)
            width = len(selection.header)
            values = [_Value.of(text, source, self.dialect, width) for text in self.set.values()]
            targets = dict(zip(columns, values, strict=True))
            if len(targets) < len(self.set):
                raise RequestError(
                    f"Two of the columns to set are the same: {', '.join(self.set)}; nothing was changed."
                )
            work = _Setting(selection, targets, self.short)
            passed = selection.scan_beside(other, source, self.dialect, columns, work, progress, cancel)
            yield from _edited(passed, self.expect, source)


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
        with beside(source, self.dialect, __name__) as other:
            selection = Selection.of(source, self.dialect, self.where, null_empty=self.null_empty)
            work = _Deleting(selection)
            passed = selection.scan_beside(other, source, self.dialect, (), work, progress, cancel)
            yield from _edited(passed, self.expect, source)


def _edited(
    passed: Iterator[tuple[_Changes, int]], expect: int | None, source: Source
) -> Iterator[Replacements]:
    """Yields what changes in some rows, and at the end checks of how many the condition was true."""
    count = 0
    for changes, chosen in passed:
        count += chosen
        if len(changes.starts):
            yield changes.replacements()
    check_expected(
        expect,
        count,
        f"The condition is true of {count:,} rows",
        source.path,
        "Count them with: insitu csv count FILE --where CONDITION",
    )


class _Changes(NamedTuple):
    """What changes in some rows, as small as it may be: it waits for its turn, and travels."""

    offset: int
    """What the starts are counted from."""
    starts: Places
    sizes: int | Sizes
    """One number where all are the same."""
    texts: tuple[bytes, ...]
    which: Kinds | None
    """Which text each gets; None: the only one."""
    old: bytes | None
    """What each replaces, where that is short and the same for all."""

    @classmethod
    def of(
        cls, rows: Rows, starts: Column, stops: Column, which: Column | None, texts: Iterable[bytes]
    ) -> _Changes:
        """Spans of the data of rows, in any order, with the number of the text that replaces each."""
        import numpy as np

        if bool((starts[1:] < starts[:-1]).any()):
            in_order = np.argsort(starts, kind="stable")
            starts, stops = starts[in_order], stops[in_order]
            which = None if which is None else which[in_order]
        sizes = stops - starts
        even = bool(len(sizes)) and bool((sizes == sizes[0]).all())
        return cls(
            rows.offset,
            starts.astype(np.uint32),
            int(sizes[0]) if even else sizes.astype(np.min_scalar_type(sizes.max(initial=0))),
            tuple(texts),
            None if which is None else which.astype(np.uint16),
            _common(rows.data, starts, int(sizes[0])) if even and which is None else None,
        )

    def replacements(self) -> Replacements:
        """The same in coordinates of the file; there is at least one."""
        import numpy as np

        starts = self.starts + np.int64(self.offset)
        stops = starts + self.sizes
        if self.which is None:
            return Uniform(starts, stops, self.texts[0], self.old)
        bounds = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(np.array([len(text) for text in self.texts])[self.which], out=bounds[1:])
        data = b"".join([self.texts[number] for number in self.which.tolist()])
        return Varied(starts, stops, bounds, data)


@dataclass(frozen=True, slots=True)
class _Deleting:
    """Deletes the chosen rows."""

    selection: Selection

    def __call__(self, rows: Rows) -> tuple[_Changes, int]:
        chosen = self.selection.chosen(rows)
        return _Changes.of(rows, *merged(rows.starts[chosen], rows.ends[chosen]), None, (b"",)), len(chosen)


@dataclass(frozen=True, slots=True)
class _Setting:
    """Sets cells of the chosen rows; the new values by the index of the column."""

    selection: Selection
    targets: Mapping[int, _Value]
    short: Short

    def __call__(self, rows: Rows) -> tuple[_Changes, int]:
        import numpy as np

        chosen = filled = self.selection.chosen(rows)
        if len(self.selection.header) > 1:
            filled = chosen[rows.stops[chosen] > rows.starts[chosen]]
        starts: list[Column] = []
        stops: list[Column] = []
        numbers: list[Column] = []
        texts: dict[bytes, int] = {}
        for column, value in self.targets.items():
            cells = rows.cells[column]
            at = filled[_others(cells, filled, value, self.selection.encoding)]
            at = at[~_absent(rows, cells, at, self.selection.header[column], value, self.short)]
            places = [texts.setdefault(text, len(texts)) for text in value.spelling]
            style = np.zeros(len(at), np.int8)
            if cells.quoted is not None:
                style += cells.quoted[at]
            starts.append(cells.starts[at])
            stops.append(cells.stops[at])
            numbers.append(np.array(places)[style])
        low, high, which = (np.concatenate(column) for column in (starts, stops, numbers))
        return _Changes.of(rows, low, high, None if len(texts) == 1 else which, texts), len(chosen)


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


def _common(data: Bytes, starts: Column, size: int) -> bytes | None:
    """What all spans of a size hold, where it is short and the same; None where it is not."""
    if not 0 < size <= _COMMON_BYTES:
        return None
    first = data[starts[0] : starts[0] + size].tobytes()
    alike = all(bool((data[starts + place] == byte).all()) for place, byte in enumerate(first))
    return first if alike else None
