"""``doc.csv()``: rows by number and by condition, columns, and frames.

    table = doc.csv()
    table.update({"status": "processed"}, where="status = 'pending' and value > 1000")
    table.count("value is null", null_empty=True)
    for chunk in table.frames("pandas"):
        chunk.frame["value"] = chunk.frame["value"].str.strip()

Everything that changes many cells is a mass edit (``insitu.edits``) made pending: up to a million places,
which reads see and ``doc.undo()`` takes back. The one-call verbs stream any number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

from insitu.core.protocols import Cancel, Progress, Reader
from insitu.formats.csv_cells import parse_row
from insitu.views.csv_mass import CsvDelete, CsvUpdate, Short
from insitu.views.csv_row import Row
from insitu.views.csv_rows import CsvRows, Tabled
from insitu.views.csv_selection import count, matching

if TYPE_CHECKING:
    from insitu.views.csv_apply import RowFunction
    from insitu.views.csv_columns import ValueFunction
    from insitu.views.csv_frames import Frames
    from insitu.views.frame_text import Library, Number
    from insitu.views.streaming import MassEdit


class Edited(Tabled, Protocol):
    """What a table needs of its document."""

    @property
    def base(self) -> Reader:
        """The bytes without the pending edits."""
        ...

    def open_source(self, path: str, /) -> Reader:
        """Another file that pasted pieces come from."""
        ...

    def make(self, edit: MassEdit, *, progress: Progress | None = None, cancel: Cancel | None = None) -> int:
        """Makes a mass edit pending; returns how many places changed."""
        ...


class Csv(CsvRows):
    """The rows, columns and cells of a document, pending edits included. Arguments as ``CsvRows``.

    Raises:
        ConditionError: from conditions: they do not parse, or name a column that is not there.
        LimitError: from edits: more than a million places would change.
        Also what ``CsvRows`` raises.
    """

    _document: Edited

    def update(
        self,
        set: Mapping[str, str | None],
        where: str | None = None,
        *,
        null_empty: bool = False,
        short: Short = "refuse",
        expect: int | None = None,
    ) -> int:
        """Sets cells in the rows that a condition is true of; returns how many changed.

        Arguments as ``insitu.edits.CsvUpdate``.
        """
        self._check_certain()
        return self._document.make(CsvUpdate(set, where, self.dialect, null_empty, short, expect))

    def delete(self, where: str, *, null_empty: bool = False, expect: int | None = None) -> None:
        """Deletes the rows that a condition is true of. Arguments as ``insitu.edits.CsvDelete``."""
        self._check_certain()
        self._document.make(CsvDelete(where, self.dialect, null_empty, expect))

    def apply(
        self,
        function: RowFunction,
        where: str | None = None,
        *,
        columns: tuple[str, ...] | None = None,
        null_empty: bool = False,
    ) -> int:
        """Passes rows through a function; returns how many cells changed.

        Arguments as ``insitu.edits.CsvApply``.
        """
        from insitu.views.csv_apply import CsvApply

        self._check_certain()
        return self._document.make(CsvApply(function, where, columns, self.dialect, null_empty))

    def count(self, where: str | None = None, *, null_empty: bool = False) -> int:
        """How many rows a condition is true of; all rows without one."""
        return count(self._whole, self.dialect, where, null_empty=null_empty)

    def filter(
        self, where: str | None = None, *, null_empty: bool = False, limit: int | None = None
    ) -> Iterator[Row]:
        """Yields the rows that a condition is true of, in file order, lazily; the document may not change
        meanwhile."""
        header, dialect = self.header, self.dialect
        for found in matching(self._whole, dialect, where, null_empty=null_empty, limit=limit):
            at = 0
            for number, size in zip(
                found.numbers.tolist(), (found.stops - found.starts).tolist(), strict=True
            ):
                yield self._row(number, parse_row(found.data[at : at + size], dialect), header)
                at += size

    def head(self, count: int = 10) -> list[Row]:
        """The first rows; needs no index."""
        return list(self.filter(limit=count))

    def frames(
        self,
        library: Library = "pandas",
        *,
        rows: int = 100_000,
        columns: tuple[str, ...] | None = None,
        types: Mapping[str, Number] | None = None,
    ) -> Frames:
        """The rows as frames, chunk by chunk; the cells that differ in a changed frame become pending.

        Arguments as ``insitu.views.csv_frames.FrameOptions``.
        """
        from insitu.views.csv_frames import FrameOptions, Frames

        self._check_certain()
        return Frames(self._document, self.dialect, FrameOptions(library, rows, columns, types or {}))

    def add_column(
        self, name: str, value: str | ValueFunction = "", *, before: str | int | None = None
    ) -> None:
        """Adds a column, of one text or of what a function makes of each row."""
        from insitu.views.csv_columns import CsvAddColumn

        self._check_certain()
        self._document.make(CsvAddColumn(name, value, before, self.dialect))

    def drop_column(self, column: str | int) -> None:
        """Drops a column."""
        from insitu.views.csv_columns import CsvDropColumn

        self._check_certain()
        self._document.make(CsvDropColumn(column, self.dialect))

    def rename_column(self, column: str | int, name: str) -> None:
        """Gives a column another name."""
        from insitu.views.csv_columns import CsvRenameColumn

        self._check_certain()
        self._document.make(CsvRenameColumn(column, name, self.dialect))

    def move_column(self, column: str | int, *, before: str | int | None = None) -> None:
        """Moves a column before another one; behind the last one where none is named."""
        from insitu.views.csv_columns import CsvMoveColumn

        self._check_certain()
        self._document.make(CsvMoveColumn(column, before, self.dialect))
