"""Columns added, dropped, renamed and moved: what is written, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import insitu
from insitu import carry_out
from insitu.errors import ConditionError, FunctionError, InsituError, RequestError, TextError
from insitu.formats.csv_dialect import Dialect
from insitu.views.csv_columns import CsvAddColumn, CsvDropColumn, CsvMoveColumn, CsvRenameColumn
from insitu.views.streaming import MassEdit

FILE = b'id,"name",value\r\n1,"Ann, B",1.50\n2,Bob,\r\n\n3\n4,"D",5,more'
PLAIN = Dialect(header=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "f.csv"
    path.write_bytes(FILE)
    return path


WRITTEN: dict[str, tuple[MassEdit, bytes]] = {
    "a constant at the end": (
        CsvAddColumn("x", "v"),
        b'id,"name",value,x\r\n1,"Ann, B",1.50,v\n2,Bob,,v\r\n\n3\n4,"D",5,v,more',
    ),
    "a constant that needs quotes": (
        CsvAddColumn("x", 'a"b', "id"),
        b'x,id,"name",value\r\n"a""b",1,"Ann, B",1.50\n"a""b",2,Bob,\r\n\n"a""b",3\n"a""b",4,"D",5,more',
    ),
    "as the cell beside it is quoted": (
        CsvAddColumn("x", "v", "value"),
        b'id,"name","x",value\r\n1,"Ann, B","v",1.50\n2,Bob,v,\r\n\n3\n4,"D","v",5,more',
    ),
    "a function of the row": (
        CsvAddColumn("x", lambda row: f"{row['name']}/{row['value']}", "name"),
        b'id,x,"name",value\r\n1,"Ann, B/1.50","Ann, B",1.50\n2,Bob/,Bob,\r\n\n3,None/None\n4,D/5,"D",5,more',
    ),
    "a function's numbers and nothing": (
        CsvAddColumn("x", lambda row: {"1": 1.5, "2": 7}.get(row["id"] or ""), "name"),
        b'id,x,"name",value\r\n1,1.5,"Ann, B",1.50\n2,7,Bob,\r\n\n3,\n4,,"D",5,more',
    ),
    "no value": (
        CsvAddColumn("x", before=2),
        b'id,"name","x",value\r\n1,"Ann, B","",1.50\n2,Bob,,\r\n\n3\n4,"D","",5,more',
    ),
    "the first one dropped": (
        CsvDropColumn("id"),
        b'"name",value\r\n"Ann, B",1.50\nBob,\r\n\n""\n"D",5,more',
    ),
    "one in between dropped": (CsvDropColumn("NAME"), b"id,value\r\n1,1.50\n2,\r\n\n3\n4,5,more"),
    "the last one dropped": (CsvDropColumn(2), b'id,"name"\r\n1,"Ann, B"\n2,Bob\r\n\n3\n4,"D",more'),
    "renamed, without quotes": (CsvRenameColumn("id", "key"), FILE.replace(b"id", b"key")),
    "renamed, in its quotes": (CsvRenameColumn("name", 'a"'), FILE.replace(b"name", b'a""')),
    "renamed, with new quotes": (CsvRenameColumn(2, "a,b"), FILE.replace(b"value", b'"a,b"')),
    "renamed to its own name": (CsvRenameColumn("id", "id"), FILE),
    "moved to where it is": (CsvMoveColumn("name", "value"), FILE),
    "without a header": (
        CsvAddColumn("x", "v", "c2", dialect=PLAIN),
        b'id,v,"name",value\r\n1,v,"Ann, B",1.50\n2,v,Bob,\r\n\n3,v\n4,v,"D",5,more',
    ),
    "dropped without a header": (
        CsvDropColumn("c2", PLAIN),
        b"id,value\r\n1,1.50\n2,\r\n\n3\n4,5,more",
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_an_edit_of_columns_is_undone_as_any_other(path: Path, name: str) -> None:
    edit, expected = WRITTEN[name]
    carry_out(path, edit)
    assert path.read_bytes() == expected
    if expected != FILE:
        insitu.undo(path)
        assert path.read_bytes() == FILE


@pytest.mark.parametrize("name", WRITTEN)
def test_a_document_makes_the_same_edit_pending(path: Path, name: str) -> None:
    edit, expected = WRITTEN[name]
    with insitu.open(path) as document:
        document.make(edit)
        assert document.read(0, document.size) == expected
        document.discard()


def _boom(row: Any) -> str:
    raise KeyError("boom")


REFUSED: dict[str, tuple[MassEdit, type[InsituError], str]] = {
    "an unknown column": (CsvDropColumn("nmae"), ConditionError, "no column 'nmae'"),
    "a column too many": (CsvDropColumn(3), RequestError, "no column 4: the file has 3"),
    "a name that is taken": (CsvAddColumn("name"), RequestError, "a column 'name' already, number 2"),
    "renamed to a name that is taken": (CsvRenameColumn("id", "name"), RequestError, "already, number 2"),
    "renamed without a header": (CsvRenameColumn(0, "x", PLAIN), RequestError, "has no header"),
    "an unknown place": (CsvAddColumn("x", "", "nowhere"), ConditionError, "no column 'nowhere'"),
    "a short row moved": (
        CsvMoveColumn("value", "id"),
        RequestError,
        "Row 4, at byte 42, has only one of the cells 'value' and 'id'",
    ),
    "a function that fails": (
        CsvAddColumn("x", _boom),
        RequestError,
        r"row 1, at byte 17: KeyError\('boom'\)",
    ),
    "a function that returns a list": (
        CsvAddColumn("x", lambda row: [1]),
        FunctionError,
        r"returned \[1\] at row 1",
    ),
    "a value that cannot be quoted": (
        CsvAddColumn("x", "a,b", dialect=Dialect(quote=None)),
        TextError,
        "neither quotes nor an escape",
    ),
    "a misplaced quote": (
        CsvDropColumn("c1", Dialect(delimiter=b";", header=False)),
        RequestError,
        "misplaced quote",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_leaves_the_file_alone(path: Path, name: str) -> None:
    edit, error, words = REFUSED[name]
    with pytest.raises(error, match=words) as raised:
        carry_out(path, edit)
    assert "nothing was changed" in raised.value.message
    assert path.read_bytes() == FILE


def test_a_character_that_the_encoding_lacks_is_named(path: Path) -> None:
    with pytest.raises(TextError, match="U\\+20AC"):
        carry_out(path, CsvAddColumn("x", "\u20ac"), encoding="latin-1")
    assert path.read_bytes() == FILE


def test_the_only_column_is_not_dropped(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_bytes(b"a\n1\n")
    with pytest.raises(RequestError, match="only column"):
        carry_out(tmp_path / "one.csv", CsvDropColumn("a"))


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(RequestError, match="has no columns"):
        carry_out(tmp_path / "empty.csv", CsvDropColumn("a"))


def test_a_row_of_one_empty_cell_is_kept_visible_where_there_are_quotes(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b\n1,\n,2\n")
    carry_out(path, CsvDropColumn("a"))
    assert path.read_bytes() == b'b\n""\n2\n'
    path.write_bytes(b"a,b\n1,\n,2\n")
    carry_out(path, CsvDropColumn("b", Dialect(quote=None)))
    assert path.read_bytes() == b"a\n1\n\n"
