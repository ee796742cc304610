"""Columns added, dropped, renamed and moved: against lists of cells, over random tables and dialects.

The oracle never parses: a file is written from a table of cells as they are spelled, and what an edit makes
of it is written from the table as the edit leaves it.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from insitu.core.patch import Patch, Splice
from insitu.core.pieces import Literal
from insitu.core.replacements import listed
from insitu.errors import RequestError
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_columns import CsvAddColumn, CsvDropColumn, CsvMoveColumn, CsvRenameColumn
from insitu.views.streaming import MassEdit, Source
from insitu.views.text import Encoding
from tests.readers import BytesReader

pytestmark = pytest.mark.slow


def edited(data: bytes, edit: MassEdit) -> bytes:
    """What an edit makes of bytes."""
    splices = []
    for batch in edit.batches(Source(BytesReader(data), Encoding("utf-8"), "f.csv")):
        splices += [Splice(span, (Literal(new),)) for span, new in listed(batch)]
    return Patch(len(data), tuple(splices)).apply(data)


class Table(NamedTuple):
    """A file as it is spelled: rows of cells, each with its line end."""

    dialect: Dialect
    rows: list[list[bytes]]
    ends: list[bytes]

    @property
    def width(self) -> int:
        return len(self.rows[0])

    def data(self, rows: list[list[bytes]]) -> bytes:
        """The file with these rows in the place of its own."""
        joined = (self.dialect.delimiter.join(row) for row in rows)
        return self.dialect.bom + b"".join(row + end for row, end in zip(joined, self.ends, strict=True))


def spelled_cells(dialect: Dialect) -> st.SearchStrategy[bytes]:
    """Cells, bare and in quotes, the special bytes in the quotes."""
    quote = dialect.quote
    bare = st.text("ab1 \u00e9", max_size=3).map(str.encode)
    if quote is None:
        return bare
    inner = st.lists(
        st.sampled_from([b"a", b"\n", b"\r\n", dialect.delimiter, quote * 2, "\u00e9".encode()]), max_size=4
    )
    return bare | inner.map(lambda parts: quote + b"".join(parts) + quote)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    dialect = Dialect(
        delimiter=draw(st.sampled_from([b",", b";", b"\t"])),
        quote=draw(st.sampled_from([b'"', b"'", None])),
        lenient=draw(st.booleans()),
        bom=draw(st.sampled_from([b"", b"\xef\xbb\xbf"])),
    )
    width = draw(st.integers(2, 4))
    cells = spelled_cells(dialect)
    lengths = draw(st.lists(st.sampled_from([width] * 4 + [1, width - 1, width + 1]), max_size=5))
    rows = [[b"h%d" % at for at in range(width)]]
    rows += [draw(st.lists(cells, min_size=length, max_size=length)) for length in lengths]
    ends = draw(st.lists(st.sampled_from([b"\n", b"\r\n"]), min_size=len(rows), max_size=len(rows)))
    # A last row without a line end that is empty is no row.
    if draw(st.booleans()) and rows[-1] != [b""]:
        ends[-1] = b""
    return Table(dialect, rows, ends)


def is_blank(row: list[bytes]) -> bool:
    return row == [b""]


@given(tables(), st.data())
def test_a_dropped_column_is_gone_from_every_row_that_has_it(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, table.width - 1))
    rows = []
    for row in table.rows:
        left = row[:at] + row[at + 1 :]
        emptied = left in ([], [b""]) and row != left and not is_blank(row)
        rows.append([(table.dialect.quote or b"") * 2] if emptied else left)
    assert edited(table.data(table.rows), CsvDropColumn(at, table.dialect)) == table.data(rows)


@given(tables(), st.data(), st.sampled_from(["", "v", "x y"]))
def test_an_added_column_is_in_every_row_that_reaches_it(
    table: Table, data: st.DataObject, value: str
) -> None:
    at = data.draw(st.integers(0, table.width))
    quote = table.dialect.quote or b""
    rows = []
    for number, row in enumerate(table.rows):
        new = value.encode() if number else b"new"
        beside = at - 1 if at else 0
        if is_blank(row) or beside >= len(row):
            rows.append(row)
            continue
        cell = quote + new + quote if quote and row[beside].startswith(quote) else new
        rows.append([*row[:at], cell, *row[at:]])
    before = None if at == table.width else at
    expected = table.data(rows)
    assert edited(table.data(table.rows), CsvAddColumn("new", value, before, table.dialect)) == expected
    called = CsvAddColumn("new", lambda row: value, before, table.dialect)
    assert edited(table.data(table.rows), called) == expected


@given(tables(), st.data())
def test_a_moved_column_is_where_it_was_put_in_every_row(table: Table, data: st.DataObject) -> None:
    source = data.draw(st.integers(0, table.width - 1))
    before = data.draw(st.integers(0, table.width))
    target = before - 1 if before > source else before
    edit = CsvMoveColumn(source, None if before == table.width else before, table.dialect)
    rows = []
    for row in table.rows:
        has_both = len(row) > max(source, target)
        if not has_both and len(row) > min(source, target) and not is_blank(row) and source != target:
            with pytest.raises(RequestError, match="only one of the cells"):
                edited(table.data(table.rows), edit)
            return
        left = [*row]
        if has_both:
            left.insert(target, left.pop(source))
        rows.append(left)
    assert edited(table.data(table.rows), edit) == table.data(rows)


@given(tables(), st.data())
def test_a_renamed_column_changes_its_name_alone(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, table.width - 1))
    rows = [[*table.rows[0]], *table.rows[1:]]
    rows[0][at] = b"another name"
    edit = CsvRenameColumn(f"h{at}", "another name", table.dialect)
    assert edited(table.data(table.rows), edit) == table.data(rows)


@given(tables(), st.data())
def test_what_is_added_and_dropped_again_leaves_the_file_as_it_was(table: Table, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, table.width))
    before = None if at == table.width else at
    file = table.data(table.rows)
    added = edited(file, CsvAddColumn("new", "v", before, table.dialect))
    if all(len(row) >= at and not is_blank(row) for row in table.rows):
        assert edited(added, CsvDropColumn("new", table.dialect)) == file
