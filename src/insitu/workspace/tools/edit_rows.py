"""``file_edit_rows``: rows and cells of CSV files; all other bytes stay as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from insitu.errors import AmbiguousError, ArgumentsError, ExpectationError, NoMatchError, SpanError
from insitu.views.csv import Csv
from insitu.workspace.changing import Edit, Made, Place, Work
from insitu.workspace.expecting import check_seen
from insitu.workspace.request import Number, Tool

_CANDIDATES: Final = 10


class RowEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One edit of a row, named by its number or by what its cells hold."""

    op: Literal["set", "insert", "delete"] = "set"
    row: Annotated[Number | None, Meta(description="Insert goes before it.")] = None
    where: Annotated[dict[str, str] | None, Meta(description="{column: text} of the row.")] = None
    values: Annotated[
        dict[str, str] | list[str] | None, Meta(description="{column: text}, or all cells.")
    ] = None


class EditRows(Edit, frozen=True, kw_only=True):
    """Arguments of ``file_edit_rows``."""

    tool: ClassVar[Tool] = Tool(
        "file_edit_rows",
        "Edit CSV rows",
        "Set cells, insert or delete rows of a CSV file; nothing else changes. Without row, insert appends.",
        "edit",
    )

    edits: Annotated[list[RowEdit], Meta(min_length=1)]
    expect_rows: Annotated[int, Meta(description="That where must match.", ge=1)] = 1
    has_header: bool | None = None

    def make(self, work: Work) -> Made:
        """Finds the rows as they are, and changes them from the last one on, so that numbers hold."""
        table = work.document.csv(header=self.has_header)
        planned = [
            (number, order, edit)
            for order, edit in enumerate(self.edits)
            for number in self._numbers(table, edit, work)
        ]
        _check_disjoint(planned)
        # From the last row on, as inserted and deleted rows push the others; at one row, what is set or
        # deleted before what is inserted before it, and the last insertion first: numbers hold throughout.
        for number, _, edit in sorted(planned, key=lambda one: (-one[0], one[2].op == "insert", -one[1])):
            _apply(table, number, edit)
        places = [
            Place(f"row {number + 1}", note="" if edit.op == "set" else edit.op)
            for number, _, edit in sorted(planned, key=lambda one: one[:2])
        ]
        return Made(places, len(planned), tuple(table.doubts))

    def _numbers(self, table: Csv, edit: RowEdit, work: Work) -> list[int]:
        """The indexes of the rows that an edit means."""
        if edit.row is not None and edit.where is not None:
            raise ArgumentsError("row and where both name a row; nothing was changed.", hint="Give one.")
        if edit.row is not None:
            return [_numbered(table, edit, edit.row, work)]
        if edit.where is None:
            if edit.op == "insert":
                return [len(table)]
            raise ArgumentsError(
                f"The edit does not say which row to {edit.op}; nothing was changed.",
                hint='Give row=N, or where={"column": "text"}.',
            )
        found = list(islice(_matching(table, edit.where), self.expect_rows + _CANDIDATES))
        if not found:
            raise NoMatchError(
                f"No row of {work.path} has {_said(edit.where)}; nothing was changed.",
                hint=f"Its columns: {', '.join(table.header[:40])}.",
            )
        if len(found) > self.expect_rows:
            raise AmbiguousError(
                f"More than {self.expect_rows} row{'s have' if self.expect_rows > 1 else ' has'} "
                f"{_said(edit.where)} in {work.path}; nothing was changed.",
                hint="Name another column too, give the row's number, or set expect_rows.",
                candidates=[f"row {number + 1}" for number in found[:_CANDIDATES]],
            )
        if len(found) < self.expect_rows:
            raise ExpectationError(
                f"{len(found)} rows have {_said(edit.where)}, and {self.expect_rows} are expected; nothing "
                "was changed.",
                found=len(found),
            )
        return found


def _numbered(table: Csv, edit: RowEdit, row: int, work: Work) -> int:
    """The index of the row with a number: of one that is there, or (to insert before) of the next one."""
    try:
        if edit.op == "insert":
            if row > len(table) + 1:
                raise SpanError("It would leave a gap.")
            return row - 1
        span = table.span_of_row(row - 1)
    except SpanError:
        raise SpanError(
            f"{work.path} has {len(table):,} rows behind its header; there is no row {row:,}. Nothing was "
            "changed.",
            hint="To add a row at the end, op=insert without row.",
        ) from None
    check_seen(work, span, f"row {row}")
    return row - 1


def _check_disjoint(planned: list[tuple[int, int, RowEdit]]) -> None:
    """Refuses to delete a row that another edit changes or deletes, too, and to set a cell twice."""
    changed = [number for number, _, edit in planned if edit.op != "insert"]
    deleted = {number for number, _, edit in planned if edit.op == "delete"}
    if twice := [number for number, times in Counter(changed).items() if times > 1 and number in deleted]:
        raise ArgumentsError(
            f"Row {twice[0] + 1} is deleted and changed or deleted again; nothing was changed.",
            hint="Edits of one call refer to the file as it is; name each row once.",
        )
    cells: dict[int, list[Collection[str] | None]] = {}
    for number, _, edit in planned:
        if edit.op == "set":
            cells.setdefault(number, []).append(edit.values if isinstance(edit.values, dict) else None)
    for number, sets in cells.items():
        named = [column for columns in sets for column in columns or ()]
        if len(sets) > 1 and (None in sets or len(set(named)) < len(named)):
            raise ArgumentsError(
                f"A cell of row {number + 1} is set twice; nothing was changed.",
                hint="Edits of one call take effect at once; join the two into one.",
            )


def _said(where: dict[str, str]) -> str:
    return " and ".join(f"{column} = {value!r}" for column, value in where.items())[:200]


def _matching(table: Csv, where: dict[str, str]) -> Iterator[int]:
    """Yields the indexes of the rows whose cells are these texts."""
    if not where:
        raise ArgumentsError("where is empty; nothing was changed.", hint='As {"id": "42"}.')
    (first, value), *others = where.items()
    for row in table.where_key(first, value):
        if all(row[column] == other for column, other in others):
            yield row.index


def _apply(table: Csv, number: int, edit: RowEdit) -> None:
    if edit.op == "delete":
        del table[number]
        return
    values = edit.values
    if not values:
        raise ArgumentsError(
            f"There are no values to {edit.op}; nothing was changed.", hint='As values={"name": "Ada"}.'
        )
    if edit.op == "insert":
        if number == len(table):
            table.append(values)
        else:
            table.insert(number, values)
    elif isinstance(values, list):
        table[number] = values
    else:
        for column, value in values.items():
            table.set(number, column, value)
